"""The offline verifier takes the entries that the service writes, in the one form, and nothing else."""

import json
import sys
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewsvc import verify as v
from reviewsvc.commands import audit
from reviewsvc.domain import entries
from reviewsvc.domain.entries import Actor, Entry, EntryError, Payload, Ref, Src
from reviewsvc.domain.tiles import Tile
from reviewsvc.domain.verdict import LogReport, Report, Verdict
from tests.contract.source import ROOT

pytestmark = pytest.mark.unit

TEXTS = st.text(max_size=12)
NUMBERS = st.integers(0, 2**53)
FACTS = st.dictionaries(
    TEXTS, st.one_of(TEXTS, NUMBERS, st.none(), st.booleans(), st.lists(TEXTS, max_size=3)), max_size=4
)
ENTRIES = st.builds(
    Entry,
    v=st.just(1),
    log=TEXTS,
    seq=NUMBERS,
    prev=TEXTS,
    at=NUMBERS,
    kind=TEXTS,
    src=st.none() | st.builds(Src, TEXTS, TEXTS, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    actor=st.none() | st.builds(Actor, TEXTS, TEXTS),
    ref=st.none() | st.builds(Ref, TEXTS, NUMBERS),
    facts=FACTS.map(lambda facts: msgspec.Raw(entries.encode_facts(facts))),
    payload=st.none() | st.builds(Payload, TEXTS, NUMBERS, TEXTS, TEXTS, TEXTS),
)


def is_taken(body: bytes) -> bool:
    try:
        v.parse_entry(body)
    except v.WrongError:
        return False
    return True


def is_ours(body: bytes) -> bool:
    try:
        entries.parse(body)
    except EntryError:
        return False
    return True


@given(ENTRIES)
def test_what_the_service_writes_is_taken(entry: Entry) -> None:
    body = entries.encode(entry)
    assert is_ours(body)
    assert v.parse_entry(body)["seq"] == entry.seq


@settings(max_examples=300)
@given(ENTRIES, st.data())
def test_what_the_service_would_not_read_is_not_taken(entry: Entry, data: st.DataObject) -> None:
    body = bytearray(entries.encode(entry))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    assert is_taken(bytes(body)) <= is_ours(bytes(body))


LAWFUL = b'{"v":1,"log":"a/b","seq":0,"prev":"","at":1,"kind":"k","facts":{"n":1}}'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seq":0', b'"seq":0,"seq":0'),
        (b'"v":1,"log":"a/b"', b'"log":"a/b","v":1'),
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":true'),
        (b'"seq":0', b'"seq":0.0'),
        (b'"seq":0', b'"seq":"0"'),
        (b'"seq":0,', b'"seq":0, '),
        (b'"n":1', b'"n":1.5'),
        (b'"n":1', b'"n":NaN'),
        (b'"n":1', b'"n":1e3'),
        (b'"n":1', b'"n":1,"n":1'),
        (b'"n":1', b'"n":"\\u0041"'),
        (b'"n":1', b'"n":"\\ud800"'),
        (b'"facts":{"n":1}', b'"facts":[]'),
        (b'"facts":{"n":1}', b'"facts":{"n":1},"more":1'),
        (b'"facts":{"n":1}', b'"ref":null,"facts":{"n":1}'),
        (b'"facts":{"n":1}', b'"ref":{"seq":1,"log":"a"},"facts":{"n":1}'),
        (b'"kind":"k",', b""),
        (b'{"n":1}', b'{"n":' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
        (b'{"n":1}', b'{"n":' + b"[" * 900 + b"]" * 900 + b"}, "),
        (b'{"n":1}', b'{"n":' + b"1" * 5_000 + b"}"),
        (LAWFUL, b""),
        (LAWFUL, b"[]"),
        (LAWFUL, b"\xff"),
        (LAWFUL, b"\xef\xbb\xbf" + LAWFUL),
        (LAWFUL, LAWFUL.decode().encode("utf-16")),
    ],
)
def test_another_form_is_refused_and_never_a_trace(old: bytes, new: bytes) -> None:
    assert is_taken(LAWFUL)
    assert not is_taken(LAWFUL.replace(old, new))


@given(st.integers(0, 10**9), st.integers(1, 256))
def test_tiles_have_the_paths_that_they_are_served_under(index: int, width: int) -> None:
    assert v.tile_path(2, index, width) == Tile(2, index, width).path()
    assert v.tile_path("entries", index, width) == Tile(None, index, width).path()


def test_it_needs_nothing_but_the_standard_library_and_fits_into_900_lines() -> None:
    text = Path(v.__file__).read_text("utf-8")
    assert len(text.splitlines()) <= 900
    imported = {
        line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))
    }
    assert imported <= sys.stdlib_module_names


def test_the_page_for_outsiders_tells_its_sha256() -> None:
    page = (ROOT / "docs" / "verifying.md").read_text("utf-8")
    assert f"verify.py  {sha256(Path(v.__file__).read_bytes()).hexdigest()}\n" in page, (
        "write it into docs/verifying.md"
    )


def test_a_report_never_carries_what_a_terminal_would_act_upon() -> None:
    told = v.plain("\x1b[31mVERIFIED\u202e\n")
    assert told == "\\u001b[31mVERIFIED\\u202e\\u000a"
    log = LogReport("root/0", 1, "", unknown_kinds=["x\x1b[2J\nVERIFIED"])
    lines = audit._as_text(Report(Verdict.TAMPERED, [], [log], 1, 0.1)).split("\n")
    assert [line.partition(":")[0] for line in lines[1:]] == ["root/0", "TAMPERED"]
    report = {"verdict": "VERIFIED", "shown": ["a\nb"], "findings": [], "remarks": [], "not_proved": []}
    assert v.as_text(report).splitlines() == ["VERIFIED", "  a\\u000ab"]


def test_a_note_has_at_most_a_hundred_signatures() -> None:
    line = "\u2014 a AAAAAAA=\n"
    assert len(v.open_note(f"text\n\n{line * 100}".encode()).unknown) == 100
    with pytest.raises(v.WrongError, match="at most 100"):
        v.open_note(f"text\n\n{line * 101}".encode())


def test_a_key_that_signed_when_it_was_not_valid_is_told() -> None:
    key = v.Key("origin/log", v.ED25519, bytes(32))
    trust = v.Trust(None, None)
    trust.learn(
        json.dumps({"keys": [{"vkey": _vkey(key), "valid_from": 10**15, "valid_until": 2 * 10**15}]}).encode()
    )
    note = v.Note("", [(key, None)], [])
    trust.check_time(note, 10**15, 10**15)
    for at in (10**15 - 10**9, 2 * 10**15 + 10**9):
        with pytest.raises(v.WrongError, match="was not valid"):
            trust.check_time(note, at, at)


def _vkey(key: v.Key) -> str:
    from base64 import b64encode  # noqa: PLC0415 - used once

    return f"{key.name}+{key.key_id.hex()}+{b64encode(bytes([key.kind]) + key.key).decode()}"


@pytest.mark.parametrize(
    "said",
    [
        b"[]",
        b"{}",
        b'{"keys":[1]}',
        b'{"keys":[{"vkey":1,"valid_from":1}]}',
        b'{"keys":[{"vkey":"a","valid_from":1}]}',
    ],
)
def test_a_malformed_history_of_keys_is_refused(said: bytes) -> None:
    with pytest.raises(v.WrongError):
        v.Trust(None, None).learn(said)
