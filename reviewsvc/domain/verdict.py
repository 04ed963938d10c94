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
_WORSE = list(Verdict)


class Finding(Struct, frozen=True):
    """One thing that is wrong: where and what."""

    log: str
    seq: int
    what: str
    verdict: Verdict = Verdict.TAMPERED


class LogReport(Struct, frozen=True):
    """What was found in one log; `size` is the number of entries that were read."""

    log: str
    size: int
    root: str
    findings: list[Finding] = []
    unknown_kinds: list[str] = []


class Report(Struct, frozen=True):
    """What was found in all of them."""

    verdict: Verdict
    remarks: list[str]
    logs: list[LogReport]
    entries: int
    seconds: float

    @property
    def findings(self) -> list[Finding]:
        return [finding for log in self.logs for finding in log.findings]


def worst(findings: list[Finding]) -> Verdict:
    """The verdict that findings amount to; VERIFIED if there are none."""
    return max((finding.verdict for finding in findings), key=_WORSE.index, default=Verdict.VERIFIED)
