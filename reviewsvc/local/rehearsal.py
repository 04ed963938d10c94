"""Rehearses a restore: a backup goes into a server of its own, is verified there, and the server goes."""

import secrets
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from reviewsvc.db import logins
from reviewsvc.db.hot.connection import connect
from reviewsvc.domain.verdict import Report
from reviewsvc.local.pgbinaries import find_clients
from reviewsvc.local.postgres import Postgres
from reviewsvc.usecases import backups, verification
from reviewsvc.usecases.backups import Manifest, Programs
from reviewsvc.usecases.outside_view import Outside

_LOG_IN = "reviewsvc_rehearsal"


class Rehearsed(NamedTuple):
    """What a rehearsal found: the backup, how long it took to put it back, and what verification said."""

    manifest: Manifest
    restored_seconds: float
    report: Report

    def shown(self) -> dict[str, Any]:
        """All of it, for programs."""
        findings = [
            {"log": one.log, "seq": one.seq, "what": one.what, "verdict": one.verdict.value}
            for one in self.report.findings
        ]
        return {
            "backup": self.manifest.backup,
            "verdict": self.report.verdict.value,
            "remarks": self.report.remarks,
            "findings": findings,
            "entries": self.report.entries,
            "restored_seconds": self.restored_seconds,
            "verified_seconds": self.report.seconds,
        }

    def told(self) -> str:
        """The same, for people."""
        lines = [f"  {one.log}, seq {one.seq}: {one.what}" for one in self.report.findings]
        lines.append(
            f"{self.report.verdict}: put back in {self.restored_seconds} s, {self.report.entries:,} entries "
            f"verified in {self.report.seconds} s"
        )
        return "\n".join(lines)


def rehearse(folder: Path, keys: Path | None, outside: Outside | None = None) -> Rehearsed:
    """Put a backup into a server of its own and verify it there; nothing of it stays.

    `outside` has the verifier keys that are believed; without any the best verdict is SELF-CONSISTENT.
    Raises BackupError, PostgresMissingError, PostgresFailedError, VerificationError.
    """
    with TemporaryDirectory(prefix="reviewsvc-rehearsal-") as place, Postgres.start(Path(place)) as server:
        began = time.monotonic()
        newest = max(backups.server_major(server.owner_url), backups.manifest(folder).server)
        programs = Programs(find_clients(newest))
        found = backups.load(server.owner_url, programs, folder, keys)
        restored = round(time.monotonic() - began, 3)
        url = logins.make(server.owner_url, _LOG_IN, secrets.token_hex(16), ["read"])
        with connect(url, "read") as conn:
            return Rehearsed(found, restored, verification.verify(conn, outside=outside))
