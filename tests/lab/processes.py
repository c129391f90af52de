"""What every process that the lab starts is told first."""

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path

__all__ = ["die_with_parent", "go_first", "open_many_files"]

_PR_SET_PDEATHSIG = 1
_PRECEDENCE = -10
_OPEN_FILES = 65_536  # two sockets and more for every channel of the load tests


def die_with_parent() -> None:
    """Runs in the child: a test run that is killed must leave nobody behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def open_many_files() -> None:
    """Runs in the child: die with the parent, and be allowed as many files as the machine grants."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _OPEN_FILES), hard))
    die_with_parent()


def go_first(pid: int) -> None:
    """Puts a process before other work of this machine: how busy a neighbour is must not decide a load test."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # a thread that has just ended
            os.setpriority(os.PRIO_PROCESS, int(task.name), _PRECEDENCE)
