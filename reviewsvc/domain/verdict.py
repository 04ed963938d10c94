"""What a verification found, in words and in exit codes."""

from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """How a verification ended; the worst of its parts is that of the whole."""

    VERIFIED = "VERIFIED"
    SELF_CONSISTENT = "SELF-CONSISTENT"
    INCOMPLETE = "INCOMPLETE"
    TAMPERED = "TAMPERED"


EXIT_CODES = {
    Verdict.VERIFIED: 0,
    Verdict.TAMPERED: 1,
    Verdict.INCOMPLETE: 2,
    Verdict.SELF_CONSISTENT: 2,
}
COULD_NOT_RUN = 3
MOST_FINDINGS = 100
_WORSE = list(Verdict)


class Finding(Struct, frozen=True):
    """One thing that is wrong: where and what; whether it is a loss that somebody adopted, which stays."""

    log: str
    seq: int
    what: str
    verdict: Verdict = Verdict.TAMPERED
    is_adopted: bool = False


class Findings:
    """Collects what is wrong in one log; beyond the first hundred only their count grows."""

    def __init__(self, log: str) -> None:
        self.log = log
        self.found: list[Finding] = []
        self.more = 0

    def note(self, seq: int, what: str, verdict: Verdict = Verdict.TAMPERED) -> None:
        """Remember that something is wrong at a seq."""
        if len(self.found) < MOST_FINDINGS:
            self.found.append(Finding(self.log, seq, what, verdict))
        else:
            self.more += 1

    def mark(self) -> tuple[int, int]:
        """Return how much was found so far."""
        return len(self.found), self.more

    def forget(self, mark: tuple[int, int]) -> None:
        """Forget what was found since a mark."""
        del self.found[mark[0] :]
        self.more = mark[1]

    def in_order(self) -> list[Finding]:
        """Return what was found, by seq."""
        return sorted(self.found, key=lambda finding: finding.seq)


class LogReport(Struct, frozen=True):
    """What was found in one log: its size, the last entry's hash in hex, findings beyond those listed.

    The entries from `first` on were read; `sealed` of all of them are signed, with the tree's root `seal`.
    """

    log: str
    size: int
    root: str
    findings: list[Finding] = []
    unknown_kinds: list[str] = []
    more_findings: int = 0
    first: int = 0
    sealed: int = 0
    seal: str = ""


class Report(Struct, frozen=True):
    """What was found in all of them, and what all of it does not prove."""

    verdict: Verdict
    remarks: list[str]
    logs: list[LogReport]
    entries: int
    seconds: float
    not_proved: list[str] = []

    @property
    def findings(self) -> list[Finding]:
        return [finding for log in self.logs for finding in log.findings]

    @property
    def unsettled(self) -> list[Finding]:
        """What was found but for losses that somebody adopted: what is left for somebody to do."""
        return [finding for finding in self.findings if not finding.is_adopted]


def worst(findings: list[Finding]) -> Verdict:
    """The verdict that findings amount to; VERIFIED if there are none."""
    return max((finding.verdict for finding in findings), key=_WORSE.index, default=Verdict.VERIFIED)
