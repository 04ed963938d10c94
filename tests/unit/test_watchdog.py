import subprocess
import sys
import time

import pytest

from consumers.watchdog import EXIT_CODE, Watchdog

pytestmark = pytest.mark.unit

HANGING = """
import time
from consumers.watchdog import Watchdog
with Watchdog(0.2, look_every_seconds=0.05):
    def the_call_that_hangs():
        time.sleep(60)
    the_call_that_hangs()
"""


def test_a_call_that_hangs_ends_the_process_with_every_stack_on_stderr() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == EXIT_CODE
    assert "the_call_that_hangs" in done.stderr
    assert "over 0.2 s" in done.stderr


def test_calls_that_come_back_are_left_alone() -> None:
    watchdog = Watchdog(0.2, look_every_seconds=0.02)
    for _ in range(3):
        with watchdog:
            time.sleep(0.01)
    time.sleep(0.3)
