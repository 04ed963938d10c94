"""The key that signs checkpoints on this machine: made at the first start, kept in the data folder."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reviewsvc.crypto import signing_keys as files
from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.crypto.signer_state import SignerState
from reviewsvc.db.sessions import Sessions
from reviewsvc.local.log_ins import system_user
from reviewsvc.usecases import signing_keys

if TYPE_CHECKING:
    from reviewsvc.config import Settings
    from reviewsvc.local.datafolder import DataFolder
    from reviewsvc.usecases.keyring import Keyring


class SigningKeyMissingError(Exception):
    """The logs are signed, and the key that signs them is not where it was."""


def with_signing_key(settings: "Settings", folder: "DataFolder", keyring: "Keyring") -> "Settings":
    """Return settings that name a key which signs; nothing is changed where a signer's socket is named.

    While no key was ever announced, one is made, for its owner alone, and announced.
    Raises SigningKeyMissingError, SigningKeyError, and SigningError if what was signed is not known.
    """
    if settings.signer_socket:
        return settings
    path = Path(settings.signing_key_file or folder.path / "signing.key")
    state = Path(settings.signer_state_file or f"{path}.state")
    sessions = Sessions(settings.database_url, "worker", size=1)
    try:
        with sessions.begin() as session:
            is_signed = bool(signing_keys.history(session))
        if not is_signed:
            _begin(path, state, settings.origin, sessions, keyring)
        elif not path.exists():
            raise SigningKeyMissingError(
                f"the logs are signed, and {path} is missing: put it back from your copy; if it is lost, "
                "docs/how-to/sign.md says how another takes its place"
            )
        else:
            # Now, and in one line: the processes would wait for each other, each in its own log.
            LogSigner(path, state).tips([])
    finally:
        sessions.close()
    return replace(settings, signing_key_file=str(path), signer_state_file=str(state))


def _begin(path: Path, state: Path, origin: str, sessions: Sessions, keyring: "Keyring") -> None:
    # The announcement comes last: a start that was cut off before it is made good by the next, and while
    # nothing is announced nothing was signed, so that an empty memory is the true one.
    files.make(path, origin)
    SignerState(state).begin()
    vkey = files.load(path)[-1].verifier().text()
    signing_keys.announce(sessions, keyring, [vkey], actor=system_user(), at=datetime.now(UTC))
