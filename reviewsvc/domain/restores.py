"""What a verification makes of restores: what they lost is named, and is no tampering."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import structs

from reviewsvc.domain.entries import EntryError, parse
from reviewsvc.domain.facts import Continuation
from reviewsvc.domain.tree_check import SignedRoot
from reviewsvc.domain.verdict import Finding, LogReport, Verdict

CONTINUED: Final = "its continuation commits to"


def read(body: bytes) -> Continuation | None:
    """What a log's first entry says of the log before; None if it continues none."""
    try:
        entry = parse(body)
        return msgspec.json.decode(entry.facts, type=Continuation) if entry.kind == "continuation" else None
    except (EntryError, msgspec.DecodeError):
        # That its bytes are no lawful entry is told where the log itself is verified.
        return None


def told(log: str, body: bytes, *, goes_on: str | None = None) -> dict[str, object]:
    """What a reader must know whose cursor is of the log before: where to go on, and which places are lost.

    `body` is the first entry of `log`, which followed that one; `goes_on` is the newest log, if that is
    another. Places are written as cursors are, `<incarnation>.<seq>`.
    """
    entry, said = parse(body), read(body)
    before = said.log.rpartition("/")[2] if said else ""
    lost = range(said.lost_from, said.lost_to) if said else range(0)
    facts: dict[str, object] = msgspec.json.decode(entry.facts)
    newest = goes_on or log
    return {
        "log": newest,
        "next": f"{newest.rpartition('/')[2]}.0",
        "lost": {"from": f"{before}.{lost[0]}", "to": f"{before}.{lost[-1]}"} if lost else None,
        "kind": entry.kind,
        "facts": facts,
    }


def remembered(
    known: Mapping[str, Sequence[SignedRoot]], continuations: Iterable[tuple[str, bytes]]
) -> dict[str, list[SignedRoot]]:
    """What is remembered outside of logs, without what continuations say is lost, and with what they say.

    A restored log that was written to before it was adopted is another than was signed from `lost_from` on.
    """
    found = {log: list(roots) for log, roots in known.items()}
    for _, body in continuations:
        said = read(body)
        if said is None:
            continue
        if said.lost_to > said.lost_from:
            found[said.log] = [each for each in found.get(said.log, []) if each.size <= said.lost_from]
        if said.size:
            kept = SignedRoot(said.size, bytes.fromhex(said.root), CONTINUED)
            found.setdefault(said.log, []).append(kept)
    return found


def findings(log: str, said: Continuation, stored: int | None) -> list[Finding]:
    """What a continuation means for the log before, of which `stored` entries are here, None if unknown."""
    found = []
    if said.lost_to > said.lost_from:
        what = (
            f"its signed entries {said.lost_from} to {said.lost_to - 1} are lost: the database was restored "
            f"from an older state; it goes on as {log}, whose first entry says so"
        )
        found.append(Finding(said.log, said.lost_from, what, Verdict.INCOMPLETE, is_adopted=True))
    if stored is not None and stored != said.size:
        what = f"{stored} entries are stored, and it ended with {said.size} when it went on as {log}"
        found.append(Finding(said.log, min(stored, said.size), what))
    return found


def with_losses(
    reports: Sequence[LogReport],
    continuations: Iterable[tuple[str, bytes]],
    known: Collection[str],
    only: str | None,
) -> list[LogReport]:
    """Add to each log's report what the log says that followed it; a log that is lost as a whole gets one."""
    by_name = {report.log: report for report in reports}
    for log, body in continuations:
        said = read(body)
        if said is None or only not in {None, said.log}:
            continue
        before = by_name.get(said.log) or LogReport(said.log, 0, "")
        told = findings(log, said, before.first + before.size if said.log in known else None)
        if told or said.log in by_name:
            by_name[said.log] = structs.replace(before, findings=[*before.findings, *told])
    return list(by_name.values())
