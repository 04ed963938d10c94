from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from reviewsvc.db import entrances, logs
from reviewsvc.db import tables as t
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Entry, parse
from reviewsvc.domain.permissions import Grant, GrantError, PermissionDeniedError
from reviewsvc.usecases import activity, auth, people, tokens
from tests.fixtures.installed import AT, PASSWORD, SYSTEM, House

pytestmark = pytest.mark.real

RULES = auth.Rules()
SECOND = timedelta(seconds=1)
REVIEWER = Grant("reviewer", "queue:first")


def entries(house: House, kind: str) -> list[Entry]:
    with house.sessions.begin() as session:
        found = [
            parse(body)
            for log_id in house.installation.activity_log_ids
            for _, body in logs.read(session, log_id, -1, 1000)
        ]
    return [entry for entry in found if entry.kind == kind]


def log_in(house: House, login: str, password: str = PASSWORD, at: datetime = AT) -> str:
    return auth.log_in(house.sessions, house.keyring, login, password, at=at, rules=RULES)


def test_an_added_person_is_an_entry_that_hides_their_name(house: House) -> None:
    person_id = house.add_person("ada@example.org")
    (entry,) = entries(house, "person_added")
    assert str(person_id).encode() in bytes(entry.facts)
    assert b"ada" not in bytes(entry.facts)
    with house.sessions.begin() as session:
        opened = house.keyring.open_payload(session, entry)
    assert msgspec.json.decode(opened) == {"login": "ada@example.org", "name": "Ada@Example.Org"}


def test_a_login_belongs_to_one_person_whatever_its_case(house: House) -> None:
    house.add_person("ada@example.org")
    with pytest.raises(people.LoginTakenError):
        house.add_person("ADA@example.org")


@pytest.mark.parametrize(("login", "password"), [("", PASSWORD), ("a b", PASSWORD), ("ada", "short")])
def test_an_unfit_login_or_password_is_refused(house: House, login: str, password: str) -> None:
    with pytest.raises(people.PersonError):
        people.add(house.sessions, house.keyring, login, "Ada", password, actor=SYSTEM, at=AT)


def test_a_role_is_given_once_and_taken_once_and_each_is_an_entry(house: House) -> None:
    person_id = house.add_person("ada")
    given = [
        people.grant(house.sessions, house.keyring, person_id, REVIEWER, actor=SYSTEM, at=AT)
        for _ in range(2)
    ]
    assert people.get(house.sessions, person_id).grants == (REVIEWER,)
    taken = [
        people.revoke(house.sessions, house.keyring, person_id, REVIEWER, actor=SYSTEM, at=AT)
        for _ in range(2)
    ]
    assert (given, taken) == ([True, False], [True, False])
    assert people.get(house.sessions, person_id).grants == ()
    assert len(entries(house, "granted")) == len(entries(house, "grant_ended")) == 1


def test_a_role_that_does_not_exist_is_refused(house: House) -> None:
    person_id = house.add_person("ada")
    with pytest.raises(GrantError, match="take one of reviewer"):
        people.grant(house.sessions, house.keyring, person_id, Grant("king"), actor=SYSTEM, at=AT)


def test_who_logs_in_is_let_in_by_the_session_until_they_log_out(house: House) -> None:
    person_id = house.add_person("ada", REVIEWER)
    session_id = log_in(house, "Ada ")
    who = auth.current(house.sessions, session_id, at=AT + SECOND, rules=RULES)
    assert who is not None
    assert (who.person.person_id, who.actor.kind, who.grants) == (person_id, "person", (REVIEWER,))
    auth.log_out(house.sessions, house.keyring, who, at=AT + SECOND)
    assert auth.current(house.sessions, session_id, at=AT + SECOND, rules=RULES) is None
    assert len(entries(house, "logged_in")) == len(entries(house, "logged_out")) == 1


def test_the_session_is_kept_only_as_a_hash(house: House) -> None:
    house.add_person("ada")
    session_id = log_in(house, "ada")
    with house.sessions.begin() as session:
        stored = bytes(session.scalars(sa.select(t.session.c.session_hash)).one())
    assert len(stored) == 32
    assert session_id.encode() not in stored


def test_a_session_ends_when_idle_and_at_its_longest_even_in_use(house: House) -> None:
    house.add_person("ada")
    session_id = log_in(house, "ada")
    idle = AT + RULES.idle
    assert auth.current(house.sessions, session_id, at=idle, rules=RULES) is None
    at = AT
    while at < AT + RULES.longest - timedelta(minutes=20):
        at += timedelta(minutes=20)
        assert auth.current(house.sessions, session_id, at=at, rules=RULES) is not None
    assert auth.current(house.sessions, session_id, at=AT + RULES.longest, rules=RULES) is None


@pytest.mark.parametrize("session_id", ["", "ses_", "ses_" + "A" * 43, "\0", "ü" * 50])
def test_a_made_up_session_is_nobody(house: House, session_id: str) -> None:
    assert auth.current(house.sessions, session_id, at=AT, rules=RULES) is None


def test_unknown_login_and_wrong_password_are_told_the_same(house: House) -> None:
    disabled = house.add_person("eve")
    house.add_person("ada")
    people.disable(house.sessions, house.keyring, disabled, actor=SYSTEM, at=AT)
    told = set()
    for login, password in (("ada", "wrong"), ("nobody", PASSWORD), ("eve", PASSWORD), ("", "")):
        with pytest.raises(auth.LogInError) as refused:
            log_in(house, login, password)
        told.add((type(refused.value), str(refused.value)))
    assert len(told) == 1


def test_ten_failures_close_the_door_for_a_login_known_or_not_and_time_opens_it(house: House) -> None:
    house.add_person("ada")
    for login in ("ada", "nobody"):
        for _ in range(RULES.attempts):
            with pytest.raises(auth.LogInError) as refused:
                log_in(house, login, "wrong")
            assert not isinstance(refused.value, auth.TooManyLogInsError)
        with pytest.raises(auth.TooManyLogInsError):
            log_in(house, login)
    assert log_in(house, "ada", at=AT + RULES.window)


def test_attempts_at_once_cannot_exceed_the_limit(house: House) -> None:
    house.add_person("ada")

    def attempt(_: int) -> type[Exception]:
        try:
            log_in(house, "ada", "wrong")
        except auth.LogInError as error:
            return type(error)
        return Exception

    with ThreadPoolExecutor(8) as pool:
        met = list(pool.map(attempt, range(16)))
    assert met.count(auth.LogInError) == RULES.attempts
    assert met.count(auth.TooManyLogInsError) == 16 - RULES.attempts


def test_the_right_password_clears_the_count(house: House) -> None:
    house.add_person("ada")
    for _ in range(3):
        for _ in range(RULES.attempts - 1):
            with pytest.raises(auth.LogInError):
                log_in(house, "ada", "wrong")
        assert log_in(house, "ada")


def test_refusals_of_a_minute_become_one_entry(house: House, worker_sessions: Sessions) -> None:
    for _ in range(3):
        with pytest.raises(auth.LogInError):
            log_in(house, "nobody", "wrong")
    auth.refuse(house.sessions, "bad_token", at=AT)
    assert auth.refusals_step(worker_sessions, house.keyring, at=AT + SECOND) == 0
    later = AT + timedelta(minutes=1)
    assert auth.refusals_step(worker_sessions, house.keyring, at=later) == 1
    assert auth.refusals_step(worker_sessions, house.keyring, at=later) == 0
    (entry,) = entries(house, "refusals")
    minute = int(AT.replace(second=0).timestamp()) * 1_000_000
    assert msgspec.json.decode(entry.facts) == {
        "minute": minute,
        "counts": {"bad_token": 1, "wrong_log_in": 3},
    }


def test_disabling_and_a_new_password_end_what_is_open(house: House) -> None:
    person_id = house.add_person("ada")
    first = log_in(house, "ada")
    new = people.generate_password()
    people.set_password(house.sessions, house.keyring, person_id, new, actor=SYSTEM, at=AT)
    assert auth.current(house.sessions, first, at=AT, rules=RULES) is None
    second = log_in(house, "ada", new)
    assert people.disable(house.sessions, house.keyring, person_id, actor=SYSTEM, at=AT)
    assert auth.current(house.sessions, second, at=AT, rules=RULES) is None
    assert not people.disable(house.sessions, house.keyring, person_id, actor=SYSTEM, at=AT)


def test_sessions_are_listed_and_ended_by_another(house: House) -> None:
    person_id = house.add_person("ada")
    ids = [log_in(house, "ada") for _ in range(2)]
    listed = auth.open_sessions(house.sessions, person_id, at=AT, rules=RULES)
    assert len(listed) == 2
    for each in listed:
        assert auth.end_session(house.sessions, house.keyring, each.session_hash, actor=SYSTEM, at=AT)
        assert not auth.end_session(house.sessions, house.keyring, each.session_hash, actor=SYSTEM, at=AT)
    assert all(auth.current(house.sessions, each, at=AT, rules=RULES) is None for each in ids)
    assert len(entries(house, "session_ended")) == 2


def make_token(house: House, person_id: UUID, *scopes: str) -> tokens.NewToken:
    return tokens.create(
        house.sessions,
        house.keyring,
        person_id,
        "nightly",
        scopes=scopes,
        expires_at=AT + timedelta(days=1),
        actor=SYSTEM,
        at=AT,
    )


def test_a_token_acts_for_its_person_within_its_scopes_until_its_date(house: House) -> None:
    person_id = house.add_person("ada", REVIEWER, Grant("data"))
    made = make_token(house, person_id, "labels.pull")
    who = tokens.current(house.sessions, made.text, at=AT)
    assert who is not None
    assert who.actor.kind == "token"
    who.require("labels.pull")
    with pytest.raises(PermissionDeniedError, match=r"tasks\.decide for first"):
        who.require("tasks.decide", queue="first")
    assert tokens.current(house.sessions, made.text, at=AT + timedelta(days=1)) is None
    assert tokens.end(house.sessions, house.keyring, made.token.token_id, actor=SYSTEM, at=AT)
    assert tokens.current(house.sessions, made.text, at=AT) is None
    assert not tokens.end(house.sessions, house.keyring, made.token.token_id, actor=SYSTEM, at=AT)
    assert len(entries(house, "token_created")) == len(entries(house, "token_ended")) == 1


def test_a_token_of_a_disabled_person_is_nobody(house: House) -> None:
    person_id = house.add_person("ada")
    made = make_token(house, person_id, "*")
    people.disable(house.sessions, house.keyring, person_id, actor=SYSTEM, at=AT)
    assert tokens.current(house.sessions, made.text, at=AT) is None
    with pytest.raises(people.PersonMissingError):
        make_token(house, person_id, "*")


def test_a_token_without_end_name_or_known_scope_is_refused(house: House) -> None:
    person_id = house.add_person("ada")
    with pytest.raises(GrantError):
        make_token(house, person_id, "labels.push")
    with pytest.raises(tokens.TokenError):
        make_token(house, person_id)


def test_what_people_did_is_read_in_pages_the_newest_first(house: House) -> None:
    for login in ("ada", "bob", "eve"):
        house.add_person(login, REVIEWER)
    first = activity.recent(house.sessions, limit=5)
    cursor = activity.Cursor(first[-1].at, first[-1].log_id, first[-1].seq)
    rest = activity.recent(house.sessions, before=cursor, limit=500)
    everything = activity.recent(house.sessions, limit=500)
    assert [*first, *rest] == everything
    assert sorted(everything, key=lambda row: (row.at, row.log_id, row.seq), reverse=True) == everything
    assert {"granted", "person_added", "key_made"} <= {row.kind for row in everything}


def test_the_sweep_forgets_what_has_not_counted_for_days(house: House, worker_sessions: Sessions) -> None:
    house.add_person("ada")
    log_in(house, "ada")
    with house.sessions.begin() as session:
        entrances.keep_answer(session, b"key", entrances.Answer(200, b"{}"), AT)
    assert auth.sweep_step(worker_sessions, at=AT + timedelta(days=1)) == 0
    assert auth.sweep_step(worker_sessions, at=AT + timedelta(days=3)) == 2
