"""Child processes that die with their parent, even when it is killed; they start by this as a script."""

import ctypes
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
_orders: queue.SimpleQueue[tuple[Future[subprocess.Popen[bytes]], dict[str, Any]]] = queue.SimpleQueue()
_thread_lock = threading.Lock()
_thread: threading.Thread | None = None


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    user: tuple[int, int] | None = None,
    cwd: Path | None = None,
    death_signal: int = signal.SIGKILL,
    by_pipe: bool = sys.platform != "linux",
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, its output appended to `log`.

    `user` is (uid, gid) to run as; `death_signal` is what it gets when this process dies. Linux sends it by
    itself; elsewhere (or `by_pipe`) a small process stays between the two and watches a pipe.
    """
    read_end, write_end = os.pipe() if by_pipe else (None, None)
    order = {
        "parent": os.getpid(),
        "user": user,
        "death": int(death_signal),
        "pipe": read_end,
        "command": [*command],
    }
    with log.open("ab") as output:
        options: dict[str, Any] = {
            "args": [sys.executable, "-I", "-S", __file__, json.dumps(order)],
            "stdin": subprocess.DEVNULL,
            "stdout": output,
            "stderr": subprocess.STDOUT,
            "env": None if env is None else dict(env),
            "cwd": cwd,
            "start_new_session": True,
            "pass_fds": () if read_end is None else (read_end,),
        }
        child = _on_lasting_thread(options)
    if read_end is not None:
        os.close(read_end)
    child.lifeline = write_end  # type: ignore[attr-defined] # held open as long as this process lives
    return child


def stop(
    child: subprocess.Popen[bytes], *, how: Sequence[int] = (signal.SIGTERM,), grace_seconds: float = 10
) -> int:
    """Send each signal of `how` in turn, wait `grace_seconds` after each, then kill; return the exit code."""
    for number in how:
        if child.poll() is None:
            child.send_signal(number)
        try:
            child.wait(grace_seconds)
            break
        except subprocess.TimeoutExpired:
            continue
    _kill_session(child)
    return child.wait()


def _kill_session(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the child's session, its own children too."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _on_lasting_thread(options: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start a process from the one thread that lives as long as this process.

    Linux sends the death signal when the *thread* that started the child ends: no passing thread may do it.
    """
    global _thread  # noqa: PLW0603 - one thread per process
    with _thread_lock:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_serve, name="tether", daemon=True)
            _thread.start()
    started: Future[subprocess.Popen[bytes]] = Future()
    _orders.put((started, options))
    return started.result()


def _serve() -> None:
    while True:
        started, options = _orders.get()
        try:
            started.set_result(subprocess.Popen(**options))
        except OSError as error:
            started.set_exception(error)


def _main(order: dict[str, Any]) -> int:
    """Run as a script between the parent and the command."""
    if order["user"] is not None:
        _become(*order["user"])
    if order["pipe"] is not None:
        return _watch(order["command"], order["pipe"], order["death"])
    # After the user has changed, since changing it clears the signal; and the parent may already be gone.
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, order["death"])
    if os.getppid() != order["parent"]:
        return 1
    return os.execvp(order["command"][0], order["command"])  # noqa: S606 - our own command


def _become(uid: int, gid: int) -> None:
    os.setgroups([gid])
    os.setgid(gid)
    os.setuid(uid)
    os.umask(0o077)


def _watch(command: list[str], pipe: int, death: int) -> int:
    child = subprocess.Popen(command)  # noqa: S603 - our own command
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, lambda got, _frame: child.send_signal(got))
    threading.Thread(target=_await_end, args=(child, pipe, death), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _await_end(child: subprocess.Popen[bytes], pipe: int, death: int) -> None:
    os.read(pipe, 1)
    child.send_signal(death)
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(_main(json.loads(sys.argv[1])))
