import gzip
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from reviewsvc.db.hot.connection import connect
from reviewsvc.domain.permissions import Grant
from reviewsvc.outside.folder import Folder
from reviewsvc.usecases import publishing, signing_keys, tokens
from reviewsvc.usecases.key_history import SigningKey
from tests.fixtures import c2sp_client
from tests.fixtures.c2sp_client import Fetch, Head
from tests.fixtures.cases import TOPIC, event
from tests.fixtures.installed import AT, ORIGIN, SYSTEM
from tests.fixtures.sealed import SealedBank
from tests.fixtures.service import Site

pytestmark = pytest.mark.real
CAPTURED = f"predictions/{TOPIC}/0/0"
AUDITOR = Grant("auditor")
MakeSite = Callable[..., Site]


def grow(held: SealedBank, number: int, count: int) -> None:
    held.bank.capture([event(f"g{number}-{each}", subject=None) for each in range(count)])
    held.seal(AT + timedelta(seconds=number))


def over(client: FlaskClient, log: str) -> Fetch:
    def fetch(path: str) -> bytes | None:
        answer = client.get(f"/logs/{log}/{path}")
        assert answer.status_code in {200, 404}, answer.status
        return answer.data if answer.status_code == 200 else None

    return fetch


@pytest.fixture
def open_site(signed: SealedBank, make_site: MakeSite) -> Site:
    assert signed
    return make_site(logs_open=True)


def test_another_reader_finds_every_log_at_its_address_whatever_its_size(
    signed: SealedBank, open_site: Site
) -> None:
    client = open_site.visitor().client
    heads = []
    for number, count in enumerate([1, 253, 1, 1, 255, 300]):
        grow(signed, number, count)
        found = signed.logs()
        for log in found.values():
            vkey = publishing.verifier_of(log, keys(signed)).text()
            head, entries = c2sp_client.read_log(over(client, log.name), vkey)
            assert (head, len(entries)) == (Head(f"{ORIGIN}/{log.name}", log.size, log.root), log.size)
        heads.append(Head(f"{ORIGIN}/{CAPTURED}", found[CAPTURED].size, found[CAPTURED].root))
    assert [head.size for head in heads] == [2, 255, 256, 257, 512, 812]
    for head in heads:
        assert len(c2sp_client.read_entries(over(client, CAPTURED), head)) == head.size


def keys(held: SealedBank) -> list[SigningKey]:
    with held.sessions.begin() as session:
        return signing_keys.history(session)


def test_what_is_served_is_what_is_published(signed: SealedBank, open_site: Site, tmp_path: Path) -> None:
    for number, count in enumerate([3, 300]):
        grow(signed, number, count)
        with connect(signed.bank.database_url, "read") as conn:
            publishing.publish(conn, Folder(tmp_path))
    client = open_site.visitor().client
    files = [path for path in (tmp_path / "logs").rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        assert client.get(f"/{path.relative_to(tmp_path)}").data == path.read_bytes(), path


def test_tiles_are_kept_for_ever_and_checkpoints_are_asked_for_again(
    signed: SealedBank, open_site: Site
) -> None:
    grow(signed, 0, 300)
    client = open_site.visitor().client
    note = client.get(f"/logs/{CAPTURED}/checkpoint")
    assert (note.content_type, note.headers["Cache-Control"]) == (
        "text/plain; charset=utf-8",
        "public, no-cache",
    )
    tile = client.get(f"/logs/{CAPTURED}/tile/0/000")
    assert tile.content_type == "application/octet-stream"
    assert tile.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    packed = client.get(f"/logs/{CAPTURED}/tile/entries/000", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == client.get(f"/logs/{CAPTURED}/tile/entries/000").data
    head = client.head(f"/logs/{CAPTURED}/tile/0/000")
    assert (head.status_code, head.data, head.content_length) == (200, b"", 8192)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/checkpoint/",
        "//checkpoint",
        "/Checkpoint",
        "/tile/0/002",
        "/tile/0/001",
        "/tile/0/001.p/0",
        "/tile/0/001.p/46",
        "/tile/0/001.p/256",
        "/tile/0/001.p/045",
        "/tile/1/000",
        "/tile/1/000.p/2",
        "/tile/2/000.p/1",
        "/tile/64/000",
        "/tile/0/x000/001",
        "/tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "/tile/00/000",
        "/tile//0/000",
        "/tile/entries/002",
        "/tile/entries/001.p/46",
        "/tile/entries/../0/000",
        "/tile/entries/%2e%2e/0/000",
        "/tile/0/000%00",
        "/tile/0/%D9%A1%D9%A1%D9%A1",
        "/tile/data/000",
        "/0/checkpoint",
    ],
)
def test_whatever_is_absent_is_not_found(open_site: Site, signed: SealedBank, path: str) -> None:
    grow(signed, 0, 300)
    assert open_site.visitor().client.get(f"/logs/{CAPTURED}{path}").status_code == 404


def test_nothing_is_served_beyond_what_is_signed(signed: SealedBank, open_site: Site) -> None:
    client = open_site.visitor().client
    signed.bank.capture([event("p-1")])
    assert client.get(f"/logs/{CAPTURED}/checkpoint").status_code == 404
    signed.seal()
    signed.bank.capture([event("p-2")])
    found = [client.get(f"/logs/{CAPTURED}/tile/entries/000.p/{n}").status_code for n in (2, 3)]
    assert found == [200, 404]


def test_closed_logs_need_the_permission(signed: SealedBank, make_site: MakeSite) -> None:
    grow(signed, 0, 1)
    site = make_site()
    path = f"/logs/{CAPTURED}/checkpoint"
    stranger = site.visitor().get(path)
    assert (stranger.status_code, stranger.content_type) == (401, "application/problem+json")
    assert site.visitor("rita", Grant("reviewer")).get(path).status_code == 403
    answer = site.visitor("anna", AUDITOR).get(path)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "private, no-cache")
    bearer = {"Authorization": f"Bearer {token(site)}"}
    assert site.visitor().get(path, headers=bearer).status_code == 200
    assert site.visitor().get(path, headers={"Authorization": "Bearer no"}).status_code == 401


def token(site: Site) -> str:
    house = site.house
    person_id = house.add_person("carl", AUDITOR)
    made = tokens.create(
        house.sessions,
        house.keyring,
        person_id,
        "monitor",
        scopes=["entries.read"],
        expires_at=AT + timedelta(days=1),
        actor=SYSTEM,
        at=AT,
    )
    return made.text
