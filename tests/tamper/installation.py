"""A sealed installation with a history, that cheats are tried on; each is taken back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import psycopg

from reviewsvc.crypto import signing_keys as files
from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.crypto.notes import Signer, Verifier
from reviewsvc.crypto.signer_state import read_tips
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.signing import Tip
from reviewsvc.domain.verdict import Report
from reviewsvc.usecases import signing_keys
from reviewsvc.usecases.desk import Desk
from reviewsvc.usecases.installation import open_installation
from reviewsvc.usecases.keyring import Keyring
from reviewsvc.usecases.outside_view import Outside
from reviewsvc.usecases.sealing import Sealer
from reviewsvc.usecases.verification import Scope, verify
from tests.fixtures.cases import Bank, event
from tests.fixtures.installed import KEK, ORIGIN, SYSTEM, House
from tests.integration import history
from tests.tamper.forger import Forger

BEGIN = history.DUE + timedelta(minutes=1)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


class Installation(NamedTuple):
    """Where it is, the keys that signed it, the older first, and what the signer remembers."""

    owner_url: str
    process_url: str
    key_file: Path
    state: Path

    def signers(self) -> list[Signer]:
        """Return the signing keys, the older first."""
        return files.load(self.key_file)

    def verifiers(self) -> list[Verifier]:
        """Return the public halves, as somebody outside keeps them."""
        return [each.verifier() for each in self.signers()]

    def outside(self, *, keys: bool = True, memory: bool = False) -> Outside:
        """What a verifier is told."""
        tips = read_tips(self.state)
        return Outside(
            self.verifiers() if keys else None,
            is_asked=keys,
            tips=(lambda origins: [tips.get(each) or Tip(each) for each in origins]) if memory else None,
        )

    @contextmanager
    def cheated(self) -> Iterator[Forger]:
        """Give what a superuser can do, and take it back."""
        with psycopg.connect(self.owner_url) as conn:
            conn.execute("SET LOCAL session_replication_role = replica")
            yield Forger(conn, self.signers())
            conn.rollback()


def judged(
    forger: Forger,
    told: Outside,
    *,
    only: str | None = None,
    scope: Scope | None = None,
    chain_only: bool = False,
) -> Report:
    """Verify what a cheat left."""
    return verify(forger.conn, scope=scope or Scope(only, projections=not chain_only), outside=told)


def make(process_url: str, owner_url: str, folder: Path) -> Installation:
    """Make it: cases of all kinds, full tiles, some seals, a key that ended and one that signs."""
    history.make(process_url)
    made = Installation(owner_url, process_url, folder / "signing.key", folder / "signer.state")
    sessions, worker, keyring = Sessions(process_url, "web"), Sessions(process_url, "worker"), Keyring(KEK)
    house = House(sessions, keyring, open_installation(sessions, keyring, ORIGIN, BEGIN))
    bank = Bank(house, Desk(sessions, keyring), process_url)
    files.make(made.key_file, ORIGIN)
    signer = LogSigner(made.key_file, made.state)
    signer.begin()
    sealer = Sealer(worker, signer)
    for count, at in ((0, BEGIN), (300, BEGIN + HOUR), (40, BEGIN + 3 * HOUR)):
        if at == BEGIN + 3 * HOUR:
            files.add(made.key_file)
        vkey = made.verifiers()[-1].text()
        signing_keys.announce(worker, keyring, [vkey], overlap=HOUR, actor=SYSTEM, at=at)
        bank.capture([event(f"{at:%H}-{n}", subject=None, output=SURE) for n in range(count)], at=at + SECOND)
        sealer.step(at + 2 * SECOND)
    bank.capture([event("last", subject=None, output=SURE)], at=BEGIN + 6 * HOUR)
    sealer.step(BEGIN + 6 * HOUR + SECOND)
    sessions.close()
    worker.close()
    return made


SURE = {"label": "refuse", "confidence": 0.99}
