"""The page about the audit format says what the code does: members, kinds, fields and its example."""

import re
import subprocess
import sys
import types
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, get_args, get_type_hints

import msgspec
import pytest

from reviewsvc.crypto.envelope import Cipher
from reviewsvc.crypto.kek import Kek
from reviewsvc.db import tables
from reviewsvc.domain import entries, facts, frames
from reviewsvc.domain.case_secrets import CaseSecrets
from reviewsvc.domain.verdict import EXIT_CODES
from tests.contract.source import ROOT

pytestmark = pytest.mark.unit

PAGE: Final = (ROOT / "docs" / "audit-format.md").read_text()
CLASSES: Final = ("public", "pseudonym", "secret")
SECRET: Final = "payload: "
ABOUT_CASES: Final = ("decision", "retraction", "task_moved", "label")


@cache
def table() -> list[tuple[str, str, str]]:
    """Return (kind, field, class) of each row of the page's table, a row per kind."""
    section = PAGE.partition("\n## Kinds, fields, classes\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \| `([^`]+)` \| (\w+) \| \S.* \|$", section, re.MULTILINE)
    return [(kind, field, group) for kinds, field, group in rows for kind in re.findall(r"`(\w+)`", kinds)]


def listed(kind: str, *, secret: bool) -> set[str]:
    """Return the fields that the table gives a kind: of its facts, or of its payload."""
    return {field for one, field, _ in table() if one == kind and field.startswith(SECRET) == secret}


def members(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Yield the fields of facts as the page names them, nested ones with a dot."""
    hints = get_type_hints(struct)
    for name in struct.__struct_fields__:
        inner = [each for each in _parts(hints[name]) if isinstance(each, type)]
        nested = next((each for each in inner if issubclass(each, facts.Facts)), None)
        if nested is None:
            yield prefix + name
        else:
            yield from members(nested, f"{prefix}{name}.")


def _parts(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def test_every_table_is_a_part_of_logs_a_projection_or_state_that_is_none() -> None:
    named = {table.fullname for table in tables.metadata.tables.values()}
    assert {name for name in named if f"`{name}`" not in PAGE} == set()


def test_every_member_of_an_entry_stands_on_the_page_in_its_order() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [\w' ]+ \|", PAGE.partition("## The chain")[0], re.MULTILINE)
    assert tuple(rows) == entries.Entry.__struct_fields__
    for struct, member in ((entries.Src, "src"), (entries.Ref, "ref"), (entries.Payload, "payload")):
        (row,) = re.findall(rf"^\| `{member}` \|.*$", PAGE, re.MULTILINE)
        places = [row.index(f"`{name}`", 10) for name in struct.__struct_fields__]
        assert places == sorted(places)


def test_every_kind_stands_in_the_table_and_no_other_does() -> None:
    assert {kind for kind, *_ in table()} == set(facts.KINDS)


@pytest.mark.parametrize("struct", sorted(set(facts.KINDS.values()), key=str))
def test_every_fact_of_a_kind_stands_in_the_table_and_no_other_does(struct: type[facts.Facts]) -> None:
    kinds = [kind for kind, each in facts.KINDS.items() if each is struct]
    stated = [listed(kind, secret=False) for kind in kinds]
    assert set().union(*stated) == set(members(struct))
    required = {each.name for each in msgspec.structs.fields(struct) if each.required}
    assert [kind for kind, fields in zip(kinds, stated, strict=True) if not required <= fields] == []


def test_each_field_has_one_class_and_only_payloads_are_secret() -> None:
    places = [(kind, field) for kind, field, _ in table()]
    assert len(places) == len(set(places))
    assert {group for *_, group in table()} == set(CLASSES)
    assert [row for row in table() if row[1].startswith(SECRET) != (row[2] == "secret")] == []


def test_the_secrets_of_a_case_stand_in_the_table() -> None:
    told = set().union(*(listed(kind, secret=True) for kind in ABOUT_CASES))
    assert told == {SECRET + name for name in CaseSecrets.__struct_fields__}


def test_the_exit_codes_are_those_of_the_command() -> None:
    rows = dict(re.findall(r"^\| ([A-Z][A-Z, -]+) \| (\d) \|", PAGE, re.MULTILINE))
    told = {verdict: int(code) for verdicts, code in rows.items() for verdict in verdicts.split(", ")}
    assert told == {verdict.value: code for verdict, code in EXIT_CODES.items()}


def test_the_example_runs_as_a_reader_would_run_it() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == re.findall(r"^print\(.*?\)  # (.+)$", code, re.MULTILINE)


def test_the_example_is_what_the_service_itself_writes_and_opens() -> None:
    told: dict[str, Any] = {}
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code.partition("\nprint(")[0], told)  # noqa: S102 - the page's own example
    entry = entries.parse(told["body"])
    said = msgspec.json.decode(entry.facts, type=facts.Prediction)
    assert entries.encode_facts(said) == bytes(entry.facts)
    assert entries.leaf_hash(told["body"]).hex() == told["leaf"]
    assert entry.payload is not None
    cipher = Cipher(Kek(told["kek"]).unwrap(told["wrapped"]))
    plain = cipher.open(told["stored"], bytes.fromhex(entry.payload.commit))
    assert frames.unframe(plain).value == told["value"]
