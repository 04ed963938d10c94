"""Shows what children write to their logs, each line with the child's name before it."""

from collections.abc import Callable, Mapping
from pathlib import Path


class Echo:
    """Follows log files from where they end now."""

    def __init__(self, logs: Mapping[str, Path], say: Callable[[str], None]) -> None:
        self._logs = logs
        self._say = say
        self._read = {name: log.stat().st_size if log.exists() else 0 for name, log in logs.items()}
        self._width = max(map(len, logs), default=0)

    def forward(self) -> None:
        """Say every whole line that was written since the last time."""
        for name, log in self._logs.items():
            if not log.exists():
                continue
            with log.open("rb") as file:
                file.seek(self._read[name])
                written, newline, _rest = file.read().rpartition(b"\n")
            self._read[name] += len(written) + len(newline)
            for line in written.splitlines() if newline else ():
                self._say(f"{name:<{self._width}} | {line.decode(errors='replace')}")
