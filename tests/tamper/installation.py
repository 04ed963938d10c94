"""A sealed installation with a history, that cheats are tried on; each is taken back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString, NamedTuple

import sqlalchemy as sa

from reviewsvc.crypto import signing_keys as files
from reviewsvc.crypto.cosigner import Cosigner, make_keys
from reviewsvc.crypto.log_signer import LogSigner
from reviewsvc.crypto.notes import Signer, Verifier
from reviewsvc.crypto.signer_state import read_tips
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.signing import Tip
from reviewsvc.domain.verdict import Report
from reviewsvc.domain.witnessing import write_request
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
from tests.tamper.forger import Forger, raw

WITNESS = "partner.example/w"
BEGIN = history.DUE + timedelta(minutes=1)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


class Installation(NamedTuple):
    """Where it is, and the folder of its keys, of what its signer and a witness remember, and its key."""

    owner_url: str
    process_url: str
    engine: sa.Engine
    folder: Path

    @property
    def key_file(self) -> Path:
        """The keys that signed it, the older first."""
        return self.folder / "key"

    @property
    def state(self) -> Path:
        """What the signer remembers."""
        return self.folder / "state"

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
        with self.engine.connect() as outer:
            taken_back = outer.begin()
            held = Forger(outer, self.signers())
            held.run("SET LOCAL session_replication_role = replica")
            yield held
            taken_back.rollback()

    def read(self, query: LiteralString) -> list[tuple[Any, ...]]:
        """Read from the database as nobody has changed it."""
        with self.engine.connect() as outer:
            return raw(outer).execute(query).fetchall()


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
    engine = sa.create_engine(owner_url.replace("postgresql://", "postgresql+psycopg://", 1))
    made = Installation(owner_url, process_url, engine, folder)
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
    _let_cosign(made)
    return made


def _let_cosign(made: Installation) -> None:
    """Show the root log as it is to a witness of somebody else's, who tells the house nothing."""
    make_keys(made.folder / "witness", WITNESS, made.folder / "witness.state")
    logs = [files.named(key, "root/0") for key in made.verifiers()]
    query = "SELECT note FROM checkpoint JOIN log USING (log_id) WHERE name = 'root/0' ORDER BY size DESC"
    note = made.read(query)[0][0]
    Cosigner(made.folder / "witness", made.folder / "witness.state", logs).add(write_request(0, [], note))


SURE = {"label": "refuse", "confidence": 0.99}
