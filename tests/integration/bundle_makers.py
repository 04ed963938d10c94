"""What a bundle can be made into by whoever may have any manifest entered in the log, such as a superuser."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.bundle_edits import CAPTURED, ENTRIES, entries_of

Manifest = dict[str, Any]
TAMPERED, INCOMPLETE = "TAMPERED", "INCOMPLETE"
# What each does to files and manifest; the list of files and all signatures are made anew behind it.
LIES: dict[str, tuple[Callable[[Path, Manifest], None], str]] = {}


def lie(verdict: str) -> Callable[[Callable[[Path, Manifest], None]], Callable[[Path, Manifest], None]]:
    def keep(act: Callable[[Path, Manifest], None]) -> Callable[[Path, Manifest], None]:
        LIES[act.__name__] = act, verdict
        return act

    return keep


def _scope(manifest: Manifest) -> Manifest:
    found: Manifest = next(each for each in manifest["logs"] if each["name"] == CAPTURED)
    return found


def _leave(folder: Path, manifest: Manifest, seqs: range) -> None:
    """Leave these entries of a log, their payloads withheld."""
    kept = entries_of(folder)[seqs.start : seqs.stop]
    (folder / ENTRIES).unlink()
    (lines,) = (folder / f"logs/{CAPTURED}/payloads").iterdir()
    lines.unlink()
    _scope(manifest).update(first=seqs.start, behind=seqs.stop, entries=len(seqs))
    if kept:
        told = [json.dumps({"seq": seq, "withheld": "so"}, separators=(",", ":")) for seq in seqs]
        lines.write_text("".join(f"{line}\n" for line in told))
        path = folder / f"logs/{CAPTURED}/entries/{seqs.start:015d}.jsonl"
        path.parent.mkdir()
        path.write_bytes(b"".join(entry + b"\n" for entry in kept))


@lie(INCOMPLETE)
def a_time_of_which_nothing_is_here(folder: Path, manifest: Manifest) -> None:
    _leave(folder, manifest, range(8, 8))
    manifest["question"] |= {"from": 1, "until": 1 << 60}


@lie(INCOMPLETE)
def a_part_where_all_was_asked(folder: Path, manifest: Manifest) -> None:
    _leave(folder, manifest, range(3, 5))


@lie(INCOMPLETE)
def one_log_where_all_were_asked(_folder: Path, manifest: Manifest) -> None:
    manifest["question"] = {"kind": "range"}


@lie(TAMPERED)
def another_log_called_the_root(folder: Path, manifest: Manifest) -> None:
    manifest["root"], manifest["logs"] = CAPTURED, [_scope(manifest)]
    for path in sorted((folder / "logs/root").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()


@lie(TAMPERED)
def entries_of_a_log_that_nobody_checks(folder: Path, _manifest: Manifest) -> None:
    path = folder / "logs/labels/more/0/entries/000000000000000.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"v":1}\n')


@lie(TAMPERED)
def a_name_that_leads_elsewhere(folder: Path, _manifest: Manifest) -> None:
    (folder / "views/..\\evil").write_text("more")
