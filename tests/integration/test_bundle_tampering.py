"""What is done to a bundle, and what its verifier says of it."""

import json
import os
import random
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from subprocess import PIPE, run
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_LZMA, ZipFile, ZipInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewsvc import verify
from reviewsvc.crypto.notes import ED25519, Signer
from reviewsvc.domain.bundle import Question
from tests.fixtures.bundled import Bundled, alone, bundle, sealed_bank
from tests.fixtures.cases import event
from tests.fixtures.installed import ORIGIN
from tests.fixtures.template import Template
from tests.integration.bundle_edits import CAPTURED, EDITS, ENTRIES, EXPORT, change, sign_all_anew
from tests.integration.bundle_makers import LIES

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def originals(
    template: Template, copy_template: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Bundled]]:
    """Bundles of a log that was sealed twice, and of another, each with a root that has all of it."""
    folder = tmp_path_factory.mktemp("bundles")
    with sealed_bank(template.process_url(copy_template()), folder) as held:
        for name in ("a", "b"):
            held.bank.capture([event(f"{name}-{number}") for number in range(4 - (name == "a"))])
            held.seal()
        yield [
            bundle(held, Question("range", logs=[log]), folder / str(number))
            for number, log in enumerate([CAPTURED, "labels/loans/0"])
        ]


@pytest.fixture
def made(originals: list[Bundled], tmp_path: Path) -> Bundled:
    """A copy of the first bundle, to be changed."""
    original, _ = originals
    shutil.copytree(original.folder, tmp_path / "folder")
    return Bundled(original.zipped, tmp_path / "folder", Path(shutil.copy(original.keys, tmp_path / "keys")))


def judged(made: Bundled, path: Path | None = None) -> tuple[str, list[dict[str, Any]]]:
    report = made.verify(path or made.folder)
    return report["verdict"], report["findings"]


def files(made: Bundled) -> list[Path]:
    return sorted(path for path in made.folder.rglob("*") if path.is_file() and path.name != "verify.py")


def test_any_changed_byte_of_any_file_is_tampering(made: Bundled) -> None:
    assert judged(made) == ("VERIFIED", [])
    paths = files(made)
    assert {path.name for path in paths} >= {"manifest.json", EXPORT, "keys.json", "checkpoint", "cover.pdf"}

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(paths), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
    def changed(path: Path, where: float, by: int) -> None:
        before = path.read_bytes()
        change(path, int(where * len(before)), by)
        verdict, findings = judged(made)
        path.write_bytes(before)
        assert verdict == "TAMPERED", findings

    changed()


def test_any_changed_byte_of_the_proof_of_its_own_entry_is_tampering(made: Bundled) -> None:
    keys = [verify.parse_key(line) for line in made.keys.read_text().splitlines()]
    before = (made.folder / EXPORT).read_bytes()
    verify.read_proved(before, verify.Trust(keys, None))
    for at in range(0, len(before), 2):
        data = bytearray(before)
        data[at] ^= random.Random(at).randint(1, 255)  # noqa: S311 - any byte will do
        with pytest.raises(verify.WrongError):
            verify.read_proved(bytes(data), verify.Trust(keys, None))


def test_a_changed_byte_of_the_zip_is_told_unless_the_files_in_it_are_the_same(
    made: Bundled, tmp_path: Path
) -> None:
    before, changed_zip = made.zipped.read_bytes(), tmp_path / "changed.zip"
    with ZipFile(made.zipped) as packed:
        inside = {name: packed.read(name) for name in packed.namelist()}

    @settings(max_examples=100, deadline=None)
    @given(st.integers(0, len(before) - 1), st.integers(1, 255))
    def changed(at: int, by: int) -> None:
        data = bytearray(before)
        data[at] ^= by
        changed_zip.write_bytes(bytes(data))
        verdict, findings = judged(made, changed_zip)
        if verdict == "VERIFIED":
            with ZipFile(changed_zip) as packed:
                assert {name: packed.read(name) for name in packed.namelist()} == inside
        else:
            assert verdict == "TAMPERED", findings

    changed()


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.95, 0.999])
def test_a_zip_that_was_cut_off_is_told(made: Bundled, tmp_path: Path, kept: float) -> None:
    data = made.zipped.read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[: int(len(data) * kept)])
    assert judged(made, tmp_path / "cut.zip")[0] == "TAMPERED"


def test_a_zip_that_was_packed_anew_is_the_same_bundle(made: Bundled, tmp_path: Path) -> None:
    for method in (ZIP_DEFLATED, ZIP_LZMA):
        with ZipFile(tmp_path / "again.zip", "w", method) as packed:
            for path in reversed([*files(made), made.folder / "verify.py"]):
                packed.write(path, path.relative_to(made.folder).as_posix())
        assert judged(made, tmp_path / "again.zip") == ("VERIFIED", [])
    data = bytearray((tmp_path / "again.zip").read_bytes())
    data[1000 : len(data) // 2 : 200] = bytes(len(range(1000, len(data) // 2, 200)))
    (tmp_path / "again.zip").write_bytes(data)
    assert judged(made, tmp_path / "again.zip")[0] == "TAMPERED"


def test_a_zip_with_two_files_of_one_name_is_tampering(made: Bundled, tmp_path: Path) -> None:
    shutil.copy(made.zipped, tmp_path / "twice.zip")
    with ZipFile(tmp_path / "twice.zip", "a") as packed, pytest.warns(UserWarning, match="Duplicate"):
        packed.writestr("cover.pdf", "something else")
    assert judged(made, tmp_path / "twice.zip")[0] == "TAMPERED"


def test_a_file_that_is_not_listed_is_tampering_and_one_that_is_missing_is_incomplete(made: Bundled) -> None:
    (made.folder / "logs" / "more.txt").write_text("more")
    verdict, (finding,) = judged(made)
    assert (verdict, finding["log"]) == ("TAMPERED", "logs/more.txt")
    (made.folder / "logs" / "more.txt").unlink()
    (made.folder / "views" / "entries.csv").unlink()
    verdict, (finding,) = judged(made)
    assert (verdict, finding["what"]) == ("INCOMPLETE", "the file views/entries.csv is missing")


@pytest.mark.parametrize("name", ["manifest.json", EXPORT, "keys.json"])
def test_without_one_of_these_it_is_incomplete(made: Bundled, name: str) -> None:
    (made.folder / name).unlink()
    verdict, findings = judged(made)
    assert (verdict, findings[0]["log"]) == ("INCOMPLETE", name)


@pytest.mark.parametrize("name", sorted(EDITS))
def test_an_edit_is_told_by_the_manifest_and_without_it_too(made: Bundled, name: str) -> None:
    EDITS[name](made.folder)
    assert judged(made)[0] == "TAMPERED"
    manifest = made.manifest()
    manifest["files"] = {
        path.relative_to(made.folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in [*files(made), made.folder / "verify.py"]
        if path.name not in {"manifest.json", EXPORT}
    }
    (made.folder / "manifest.json").write_text(json.dumps(manifest))
    verdict, findings = judged(made)
    assert verdict == "TAMPERED"
    others = [each for each in findings if each["log"] != EXPORT]
    assert others, "the export's proof alone told"
    if name in {"an_answer_of_the_model", "a_payload", "a_salt", "a_member_said_twice", "a_link"}:
        assert {(each["log"], each["seq"]) for each in others} == {(CAPTURED, 4)}


def test_a_bundle_forged_from_its_first_entry_on_is_told_by_keys_from_elsewhere(made: Bundled) -> None:
    """Whoever makes all of it anew, signs with keys of his own and lists them, is consistent with himself."""
    mine = Signer(ORIGIN, ED25519, b"1" * 32)
    sign_all_anew(made.folder, mine)
    verdict, findings = judged(made)
    assert (verdict, {each["log"] for each in findings}) == ("TAMPERED", {EXPORT, CAPTURED, "root/0"})
    report = made.verify(made.folder, keys=False)
    assert (report["verdict"], report["findings"]) == ("SELF-CONSISTENT", [])
    assert any("could have made all of it" in each for each in report["not_proved"])


@pytest.mark.parametrize("name", sorted(LIES))
def test_a_manifest_that_says_what_is_not_here_is_told_though_the_log_vouches_for_it(
    made: Bundled, name: str
) -> None:
    lie, expected = LIES[name]
    manifest = made.manifest()
    lie(made.folder, manifest)
    (made.folder / "manifest.json").write_text(json.dumps(manifest))
    sign_all_anew(made.folder, Signer(ORIGIN, ED25519, b"1" * 32))
    report = made.verify(made.folder, keys=False)
    assert (report["verdict"], len(report["findings"])) == (expected, 1), report["findings"]


def test_a_root_that_is_not_here_as_a_whole_is_said_not_to_be_proved(made: Bundled) -> None:
    manifest = made.manifest()
    root = manifest["logs"][0]
    (path,) = (made.folder / "logs/root/0/tile/entries").rglob("*.p/*")
    kept = verify.parse_entries(path.read_bytes(), root["size"])[3:]
    path.unlink()
    lines = made.folder / "logs/root/0/entries/000000000000003.jsonl"
    lines.parent.mkdir()
    lines.write_bytes(b"".join(entry + b"\n" for entry in kept))
    root |= {"first": 3, "entries": len(kept)}
    (made.folder / "manifest.json").write_text(json.dumps(manifest))
    sign_all_anew(made.folder, Signer(ORIGIN, ED25519, b"1" * 32))
    report = made.verify(made.folder, keys=False)
    assert report["findings"] == []
    assert any("sealed no two histories" in each for each in report["not_proved"])
    manifest["question"] = {"kind": "range"}
    (made.folder / "manifest.json").write_text(json.dumps(manifest))
    sign_all_anew(made.folder, Signer(ORIGIN, ED25519, b"1" * 32))
    (finding,) = made.verify(made.folder, keys=False)["findings"]
    assert (finding["verdict"], finding["log"]) == ("INCOMPLETE", "root/0")


def test_a_folder_with_links_and_pipes_in_it_is_told_and_never_waited_for(made: Bundled) -> None:
    (made.folder / "more").symlink_to("/")
    (made.folder / "cover.pdf").unlink()
    (made.folder / "cover.pdf").symlink_to("/dev/zero")
    (made.folder / "keys.json").unlink()
    os.mkfifo(made.folder / "keys.json")
    verdict, findings = judged(made)
    assert (verdict, {each["log"] for each in findings}) == ("TAMPERED", {"more", "cover.pdf", "keys.json"})


ANOTHER = BytesIO()
with ZipFile(ANOTHER, "w") as zipped:
    zipped.writestr("manifest.json", "{}")
AROUND: dict[str, Callable[[ZipFile], None]] = {
    "a comment": lambda packed: setattr(packed, "comment", b"PK"),
    "a folder with something in it": lambda packed: packed.writestr("views/", "more"),
    "a name that ends at a NUL": lambda packed: packed.writestr(_named("cover.pdf\0.txt"), "more"),
    "zeros without end": lambda packed: packed.writestr("zeros", bytes(50_000_000), ZIP_DEFLATED),
}


def _named(name: str) -> ZipInfo:
    found = ZipInfo("cover.pdf")
    found.filename = name
    return found


@pytest.mark.parametrize("case", AROUND)
def test_a_zip_with_more_in_it_than_its_files_is_tampering(made: Bundled, tmp_path: Path, case: str) -> None:
    zipped = Path(shutil.copy(made.zipped, tmp_path / "more.zip"))
    with ZipFile(zipped, "a") as packed, warnings.catch_warnings(action="ignore"):
        AROUND[case](packed)
    assert judged(made, zipped)[0] == "TAMPERED"


def test_a_zip_behind_another_is_tampering(made: Bundled, tmp_path: Path) -> None:
    (tmp_path / "two.zip").write_bytes(ANOTHER.getvalue() + made.zipped.read_bytes())
    assert judged(made, tmp_path / "two.zip")[0] == "TAMPERED"


def test_what_cannot_be_printed_ends_in_a_sentence_and_no_verdict(made: Bundled) -> None:
    words = [sys.executable, "-I", verify.__file__, "--keys", str(made.keys), str(made.zipped)]
    with Path("/dev/full").open("w") as full:
        ended = run(words, stdout=full, stderr=PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1)


def test_a_manifest_of_another_bundle_is_tampering(originals: list[Bundled], made: Bundled) -> None:
    shutil.copy(originals[1].folder / "manifest.json", made.folder / "manifest.json")
    verdict, findings = judged(made)
    assert verdict == "TAMPERED"
    assert any("the export's entry says" in each["what"] for each in findings)


def test_keys_of_another_house_or_of_no_log_are_told(made: Bundled) -> None:
    mine = Signer(f"{ORIGIN}/root/0", ED25519, b"1" * 32).verifier().text()
    made.keys.write_text(f"{mine}\n")
    verdict, findings = judged(made)
    assert verdict == "TAMPERED"
    assert any("none" in each["what"] or "no verifier key" in each["what"] for each in findings)
    only_root = [line for line in verifier_lines(made) if "/root/0+" in line]
    assert only_root == [mine]


def verifier_lines(made: Bundled) -> list[str]:
    return made.keys.read_text().splitlines()


def test_without_the_key_of_a_log_it_is_incomplete(made: Bundled) -> None:
    lines = [line for line in verifier_lines(made) if "/predictions/" not in line]
    made.keys.write_text("\n".join(lines))
    verdict, findings = judged(made)
    assert verdict == "INCOMPLETE"
    assert {each["log"] for each in findings} == {CAPTURED}


def test_a_policy_that_no_witness_meets_makes_it_incomplete(made: Bundled, tmp_path: Path) -> None:
    witness = Signer("witness.example", verify.COSIGNATURE, b"2" * 32)
    policy = tmp_path / "policy"
    policy.write_text(f"witness w {witness.verifier().text()}\nquorum w\n")
    outside = tmp_path / "outside"
    outside.mkdir()
    given = ("--keys", str(made.keys), "--policy", str(policy))
    assert alone(outside, *given, str(made.zipped))[0] == 2
    policy.write_text("quorum none\n")
    assert alone(outside, *given, str(made.zipped))[0] == 0
    policy.write_text("quorum w\n")
    assert alone(outside, *given, str(made.zipped))[0] == 3


@pytest.mark.parametrize(
    "arguments",
    [[], ["--keys"], ["nothing.zip"], ["--keys", "nothing", "."], ["--unknown", "."], ["verify.py"]],
)
def test_what_cannot_be_judged_is_said_in_a_sentence_with_code_3(
    tmp_path: Path, arguments: list[str]
) -> None:
    code, told = alone(tmp_path, *arguments)
    assert code == 3
    assert told


def test_the_report_as_json_has_the_verdict_and_what_is_not_proved(made: Bundled, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    change(made.folder / ENTRIES, 3000, 1)
    code, told = alone(outside, "--json", "--keys", str(made.keys), str(made.folder))
    report = json.loads(told)
    assert (code, report["verdict"]) == (1, "TAMPERED")
    assert {each["log"] for each in report["findings"]} == {CAPTURED, ENTRIES}
    assert report["not_proved"]
