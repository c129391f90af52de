"""What every process that the lab starts is told first."""

import ctypes
import resource
import signal

__all__ = ["die_with_parent", "open_many_files"]

_PR_SET_PDEATHSIG = 1
_OPEN_FILES = 65_536  # two sockets and more for every channel of the load tests


def die_with_parent() -> None:
    """Runs in the child: a test run that is killed must leave nobody behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def open_many_files() -> None:
    """Runs in the child: die with the parent, and be allowed as many files as the machine grants."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _OPEN_FILES), hard))
    die_with_parent()
