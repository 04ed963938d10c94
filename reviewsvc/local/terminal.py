"""What the local stack tells the person who started it."""

import sys


def say(line: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
