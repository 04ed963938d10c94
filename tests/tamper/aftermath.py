"""What goes on after a cheat: the house seals, a witness is asked, an outsider verifies what he is given."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import sqlalchemy as sa

from reviewsvc import verify
from reviewsvc.crypto import signing_keys as files
from reviewsvc.crypto.cosigner import Cosigner, NotCosignedError
from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.crypto.signing_keys import named
from reviewsvc.db import anchors as rows
from reviewsvc.db.hot import seals as stored
from reviewsvc.db.hot.seals import SealedLog
from reviewsvc.db.sessions import Session, Sessions
from reviewsvc.domain import facts as f
from reviewsvc.domain.anchoring import KEPT
from reviewsvc.domain.bundle import Question, QuestionError
from reviewsvc.domain.entries import Ref, leaf_hash
from reviewsvc.domain.projections import anchor_row, cosignature_row
from reviewsvc.domain.tree import consistency_proof
from reviewsvc.domain.witnessing import write_request
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.bundles import Asked, BundleError, Maker
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.sealing import Sealer, SealingError
from reviewsvc.usecases.tiles import TileMissingError
from tests.fixtures.bundled import EVERYTHING, PURPOSE
from tests.fixtures.installed import KEK, SYSTEM
from tests.tamper.forger import Forger, reader
from tests.tamper.installation import BEGIN, HOUR, SECOND, Installation

ROOT = "root/0"
TRUE, NOTHING, REFUSED = "=", "-", "R"
AFTER = BEGIN + 8 * HOUR


class Told(NamedTuple):
    """What outsiders say: who verifies a bundle with his keys, with his policy too, and who cosigns."""

    bundle: str
    policy: str
    witness: str


class Inside(Sessions):
    """Transactions of the service inside one that is taken back."""

    def __init__(self, outer: sa.Connection) -> None:
        self.role, self._outer = "worker", outer

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Run a block as a part of that transaction."""
        with Session(self._outer, join_transaction_mode="create_savepoint") as session, session.begin():
            yield session


class Aftermath:
    """An installation after a cheat, and an outsider and a witness who know it from before.

    Who has stolen the keys signs with a signer of his own, which remembers nothing.
    """

    def __init__(self, held: Forger, sealed: Installation, folder: Path, *, is_stolen: bool) -> None:
        self._held, self._sealed, self._folder, self._is_stolen = held, sealed, folder, is_stolen
        self._sessions, self._keyring = Inside(held.outer), Keyring(KEK)
        for each in ("state", "witness.state"):
            shutil.copy(sealed.folder / each, folder / each)
        logs = [named(key, ROOT) for key in sealed.verifiers()]
        self._cosigner = Cosigner(sealed.folder / "witness", folder / "witness.state", logs, lambda: 1.8e9)
        self.witness = NOTHING

    def go_on(self) -> None:
        """Let the house log something more, seal it, and show its newest root to the witness."""
        self._sealer = Sealer(self._sessions, self._signer())
        with self._sessions.begin() as session:
            said = Said("logged_in", f.Person("00000000-0000-4000-8000-000000000000"))
            record(session, self._keyring, [said], actor=SYSTEM, at=AFTER)
        # Twice: what was signed and is not stored is signed again first.
        self._seal()
        self._seal()
        root = stored.sealed_log(self._held.conn, ROOT)
        if root is not None:
            self.witness = self._asked(root)

    def bundle(self) -> Path | None:
        """Make a bundle of all logs; None if the house cannot make or finish it any more."""
        target, at = self._folder / "bundle.zip", AFTER + timedelta(minutes=1)
        try:
            maker = Maker(self._sessions, self._keyring, self._folder / "partial", EVERYTHING)
            maker.make(Asked(Question("range"), PURPOSE, SYSTEM), at)
            self._seal(SECOND)
            return target if maker.finish(target) else None
        except (BundleError, QuestionError, TileMissingError):
            return None

    def _signer(self) -> LogSigner:
        if not self._is_stolen:
            return LogSigner(self._sealed.key_file, self._folder / "state")
        path = self._folder / "stolen.key"
        path.write_text("".join(f"{key.text()}\n" for key in self._held.keys))
        signer = LogSigner(path, self._folder / "empty.state")
        signer.begin()
        return signer

    def _seal(self, later: timedelta = timedelta()) -> None:
        with suppress(SealingError):
            self._sealer.step(AFTER + timedelta(minutes=1) + later)

    def _asked(self, root: SealedLog) -> str:
        """Ask the witness to cosign, with the best proof there is, and keep what it gives."""
        (known,) = self._cosigner.tips()
        if root.size < known.size:
            return "I"
        leaves = [leaf_hash(body) for body in self._held.bodies(ROOT)]
        proof = consistency_proof(known.size, root.size, reader(leaves))
        try:
            line = self._cosigner.add(write_request(known.size, proof, root.note))
        except NotCosignedError:
            return "T"
        self._enter(root, line)
        return TRUE if root.root.hex() == known.root else root.root.hex()

    def _enter(self, root: SealedLog, line: str) -> None:
        (key,) = files.load(self._sealed.folder / "witness")
        said = f.Anchor(
            "partner", "witness", ROOT, root.size, root.root.hex(), KEPT, key.verifier().text(), line
        )
        with self._sessions.begin() as session:
            acts = [Said("anchor", said, about="anchors", ref=Ref(ROOT, root.size - 1))]
            (place,) = record(session, self._keyring, acts, actor=None, at=AFTER + timedelta(minutes=1))
            cosigned = cosignature_row(place, said, root.log_id)
            rows.add(session, anchor_row(place, said, root.log_id), cosigned, None)


class Outsider:
    """Knows the keys and a witness from before, and what a house that was not cheated would have shown."""

    def __init__(self, sealed: Installation) -> None:
        logs = [name for (name,) in sealed.read("SELECT name FROM log")]
        keys = [named(key, log).text() for key in sealed.verifiers() for log in logs]
        (witness,) = files.load(sealed.folder / "witness")
        self.keys = [verify.parse_key(each) for each in keys]
        self._policy = verify.Policy(f"witness w {witness.verifier().text()}\nquorum w\n".encode())
        self._true: dict[str, bytes] = {}
        self._root = ""

    def learn(self, after: Aftermath) -> Told:
        """Keep what an honest house shows."""
        path = after.bundle()
        assert path is not None
        self._true, self._root = _shown(path), after.witness
        return self.judge(after, path)

    def judge(self, after: Aftermath, path: Path | None) -> Told:
        """Say what a bundle and the witness tell; TRUE where all that they were shown is as it was."""
        witness = TRUE if after.witness == self._root else after.witness
        witness = "V" if len(witness) > 1 else witness
        if path is None:
            return Told(REFUSED, REFUSED, witness)
        alone, asked = (verify.verify(path, self.keys, each) for each in (None, self._policy))
        is_true = _shown(path) == self._true
        return Told(_letter(alone, is_true=is_true), _letter(asked, is_true=is_true), witness)


def _letter(report: dict[str, Any], *, is_true: bool) -> str:
    return TRUE if is_true and report["verdict"] == verify.VERIFIED else str(report["verdict"])[0]


def _shown(path: Path) -> dict[str, bytes]:
    """What a bundle has of the logs and their keys."""
    with ZipFile(path) as packed:
        names = [name for name in packed.namelist() if name.startswith("logs/") or name == verify.KEYS]
        return {name: packed.read(name) for name in names}
