"""What `audit verify` takes from outside the database: files of keys, the signer's memory, its own memory."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewsvc.config import Settings
    from reviewsvc.crypto.notes import Verifier
    from reviewsvc.domain.signing import Tip
    from reviewsvc.domain.witness_policy import Policy
    from reviewsvc.usecases.outside_view import Marks, Outside

_MARKS = "verified.json"


def marks_path(settings: "Settings", given: Path | None) -> Path:
    """Return the file of what was verified before."""
    return given or settings.data_dir / _MARKS


def outside_view(
    settings: "Settings",
    keys: Path | None,
    marks: "Marks | None",
    policy: Path | None = None,
    *,
    payloads: bool = False,
) -> "Outside":
    """Gather it: keys that were named, else those of the settings; the signer's memory, if it is here.

    With `payloads` also the KEK of the settings.
    """
    from reviewsvc.usecases.outside_view import Outside
    from reviewsvc.usecases.payload_check import KekSource

    found = _read(keys) if keys else believed_keys(settings)
    witnesses = _policy(policy) if policy else None
    keks = KekSource(settings.kek_file, settings.keks, settings.kms) if payloads else None
    return Outside(found, keys is not None, _Memory(settings).ask, marks, witnesses, keks)


def believed_keys(settings: "Settings") -> "Sequence[Verifier] | None":
    """Return the keys that the settings name, which are kept outside the database; None if they name none."""
    from reviewsvc.crypto import signing_keys

    if settings.verifier_keys_file:
        return _read(Path(settings.verifier_keys_file))
    path = Path(settings.signing_key_file)
    if settings.signing_key_file and path.exists():
        return [each.verifier() for each in signing_keys.load(path)]
    return None


def _policy(path: Path) -> "Policy":
    from reviewsvc.domain.witness_policy import PolicyError, parse_policy

    try:
        return parse_policy(path.read_bytes())
    except (OSError, PolicyError) as fault:
        raise click.ClickException(f"The policy {path} cannot be used: {fault}") from fault


def _read(path: Path) -> "Sequence[Verifier]":
    from reviewsvc.crypto.notes import NoteError, parse_verifier

    try:
        lines = path.read_text("utf-8").split("\n")
        found = [parse_verifier(line.strip()) for line in lines if line.strip()]
    except (OSError, UnicodeDecodeError, NoteError) as fault:
        raise click.ClickException(f"The verifier keys in {path} cannot be read: {fault}") from fault
    if not found:
        raise click.ClickException(f"{path} holds no verifier key: one a line is expected.")
    return found


class _Memory:
    """The signer's memory: its file, or the signer behind its socket; nothing where neither is here."""

    def __init__(self, settings: "Settings") -> None:
        self._socket = settings.signer_socket
        state = settings.signer_state_file or (
            settings.signing_key_file and f"{settings.signing_key_file}.state"
        )
        self._state = Path(state) if state else None

    def ask(self, origins: "Sequence[str]") -> "Sequence[Tip]":
        """Return the largest signed trees, in the order asked. Raises SigningError."""
        from reviewsvc.crypto.signer_state import read_tips
        from reviewsvc.domain.signing import Tip
        from reviewsvc.outside.signer_socket import SocketSigner

        if self._socket and Path(self._socket).exists():
            return SocketSigner(Path(self._socket)).tips(origins)
        if self._state is None or not self._state.exists():
            return []
        tips = read_tips(self._state)
        return [tips.get(origin) or Tip(origin) for origin in origins]
