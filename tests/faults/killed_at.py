"""Runs a command in forked children, each killed (-9) at a later operation on files than the one before.

`python -m tests.faults.killed_at FOLDER WORD…` prints a line after each kill and waits for one on stdin; when
a child comes to its end it prints `ended` and its exit code.
"""

import os
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any

from reviewsvc import cli

_WRITES = os.O_WRONLY | os.O_RDWR
_CHANGES = {"os.rename", "os.link", "os.remove", "os.truncate", "os.mkdir", "os.rmdir", "shutil.rmtree"}


def _is_change(folder: str, event: str, told: tuple[Any, ...]) -> bool:
    if event == "open":
        path, _, flags = told
        return isinstance(path, str) and path.startswith(folder) and bool((flags or 0) & _WRITES)
    return event in _CHANGES and str(told[0]).startswith(folder)


def _run(folder: str, words: list[str], last: int) -> None:
    """Run the command until the operation of this number; never returns."""
    numbers = count(1)

    def look(event: str, told: tuple[Any, ...]) -> None:
        if _is_change(folder, event, told) and next(numbers) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)
    code = 1
    try:
        cli.main(words)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        os._exit(code)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(folder: str, *words: str) -> None:
    """Kill it ever later, until it ends by itself."""
    cli.resolve(words[0])
    for last in count(1):
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)
            _run(str(Path(folder)), list(words), last)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            _say(f"ended {os.waitstatus_to_exitcode(status)}")
            return
        _say("killed")
        sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
