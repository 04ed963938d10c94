"""The database refuses a batch: the record that is to blame is kept aside, all else waits and goes on."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reviewsvc.crypto.kek import load_kek
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.verdict import Verdict
from reviewsvc.usecases.apply import apply
from reviewsvc.usecases.documents import read_documents
from reviewsvc.usecases.keyring import Keyring
from tests.faults.flow import Flow, whole
from tests.faults.victims import Victim, is_ready
from tests.fixtures.capturing import DOCUMENTS, Capturing, event
from tests.fixtures.processes import eventually

pytestmark = pytest.mark.real

Make = Callable[..., Capturing]
MakeVictim = Callable[..., Victim]
REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {condition} THEN
        RAISE EXCEPTION 'injected' USING ERRCODE = '{code}';
    END IF;
    RETURN NULL;
END
$$
"""
ONE_ROW = "CREATE TRIGGER refuse AFTER INSERT ON prediction FOR EACH ROW EXECUTE FUNCTION refuse()"
MANY_ROWS = (
    "CREATE TRIGGER refuse AFTER INSERT ON prediction REFERENCING NEW TABLE AS added "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
)
UNFIT = 0.999


def is_captured(made: Capturing, offset: int) -> bool:
    return eventually(lambda: made.offsets() == offset, seconds=60)


def refuse(made: Capturing, condition: str, code: str, trigger: str) -> None:
    made.change(REFUSING.format(condition=condition, code=code))
    made.change(trigger)


def test_a_record_that_the_database_refuses_is_kept_as_quarantine_and_those_around_it_are_captured(
    capturing: Make, make_victim: MakeVictim
) -> None:
    made = capturing()
    refuse(made, f"NEW.confidence = {UNFIT}", "22003", ONE_ROW)
    victim = make_victim()
    unfit = {"label": "approve", "confidence": UNFIT}
    made.send([event(n, output=unfit) if n in {7, 90} else event(n) for n in range(100)])
    victim.start()
    assert is_captured(made, 100)
    assert made.rows("SELECT seq, reason FROM quarantine ORDER BY seq") == [
        (8, "does_not_fit"),
        (91, "does_not_fit"),
    ]
    assert made.rows("SELECT count(*), count(DISTINCT id_hash) FROM prediction") == [(98, 98)]
    assert victim.lines("batch refused, written in parts")
    report = made.verified()
    assert (report.verdict, report.findings) == (Verdict.VERIFIED, [])


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("53200", id="out of memory"),
        pytest.param("57014", id="cancelled", marks=pytest.mark.long),
    ],
)
def test_what_is_too_much_at_once_is_written_in_smaller_parts(
    capturing: Make, make_victim: MakeVictim, code: str
) -> None:
    made = capturing()
    refuse(made, "(SELECT count(*) FROM added) > 30", code, MANY_ROWS)
    made.send([event(n) for n in range(200)])
    victim = make_victim()
    victim.start()
    assert is_captured(made, 200)
    assert made.rows("SELECT count(*), count(DISTINCT id_hash) FROM prediction") == [(200, 200)]
    assert made.rows("SELECT count(*) FROM quarantine") == [(0,)]
    assert made.verified().verdict is Verdict.VERIFIED


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("53100", id="disk full"),
        pytest.param("23514", id="no partition", marks=pytest.mark.long),
        pytest.param("42501", id="no privilege", marks=pytest.mark.long),
    ],
)
def test_any_other_refusal_is_waited_out_and_told(
    capturing: Make, make_victim: MakeVictim, code: str
) -> None:
    made = capturing()
    refuse(made, "true", code, MANY_ROWS)
    victim = make_victim(unready=1.0)
    victim.start()
    made.send([event(n) for n in range(50)])
    assert eventually(lambda: any("the database has been away" in each for each in victim.reasons()))
    assert any("injected" in reason for reason in victim.reasons())
    time.sleep(2)
    assert victim.is_running()
    assert made.offsets() == 0
    made.change("DROP TRIGGER refuse ON prediction")
    assert is_captured(made, 50)
    assert is_ready(victim)
    assert made.rows("SELECT count(*), count(DISTINCT id_hash) FROM prediction") == [(50, 50)]
    assert made.rows("SELECT count(*) FROM quarantine") == [(0,)]
    assert len(victim.lines("the database is back")) == 1
    assert made.verified().verdict is Verdict.VERIFIED


def test_documents_that_change_while_events_flow_hold_from_one_event_on(
    process_settings: Mapping[str, str], capturing: Make, make_victim: MakeVictim
) -> None:
    flow = Flow(capturing(1), count=3000, seconds=6, partitions=1)
    victim = make_victim()
    victim.start()
    assert is_ready(victim)
    with flow:
        sessions = Sessions(process_settings["DATABASE_URL"], "web")
        keyring = Keyring(load_kek(Path(process_settings["REVIEWSVC_KEK_FILE"])))
        for below in (0.55, 0.56, 0.57):
            time.sleep(1.5)
            documents = read_documents(DOCUMENTS.replace("below: 0.6", f"below: {below}"))
            apply(sessions, keyring, documents, actor=Actor("cli", "test"), at=datetime.now(UTC))
        sessions.close()
    assert flow.is_captured()
    found = flow.sum()
    assert {key: found[key] for key in ("lost", "doubled", "verdict", "findings")} == {
        key: whole(1)[key] for key in ("lost", "doubled", "verdict", "findings")
    }
    runs = flow.capturing.rows(
        "SELECT policy_version, max(seq) - min(seq) + 1 = count(*) FROM prediction GROUP BY 1 ORDER BY 1"
    )
    assert runs == [(version, True) for version in range(1, 5)]


def test_an_erased_subject_that_returns_has_a_new_pseudonym(capturing: Make, make_victim: MakeVictim) -> None:
    made = capturing()
    victim = make_victim()
    victim.start()
    made.send([event(n, subject="anna" if n % 2 else "bela") for n in range(10)])
    assert is_captured(made, 10)
    ((bela,),) = made.rows("SELECT DISTINCT subject FROM prediction WHERE seq = 1")
    erased = "SELECT DISTINCT subject FROM prediction WHERE seq = 2"
    with_transaction = f"""
    DO $$
    DECLARE
        gone bytea := ({erased});
    BEGIN
        PERFORM pg_advisory_xact_lock(7203, 1);
        DELETE FROM keys.data_key WHERE key_id = gone;
        UPDATE prediction SET subject = NULL, segment = NULL WHERE subject = gone;
        UPDATE generation SET value = value + 1;
    END
    $$
    """
    ((anna,),) = made.rows(erased)
    made.change(with_transaction)
    made.send([event(n, subject="anna" if n % 2 else "bela") for n in range(10, 20)])
    assert is_captured(made, 20)
    later = {row[0] for row in made.rows("SELECT DISTINCT subject FROM prediction WHERE seq > 10")}
    assert bela in later
    assert anna not in later
    assert len(later) == 2
    assert victim.is_running()
    victim.stop()
    victim.start()
    assert is_ready(victim)
    # Nothing else than that no entry speaks of it, since this was no erasure of the service's own.
    assert {one.what for one in made.verified().findings} == {"its key is gone, and no erasure says so"}
