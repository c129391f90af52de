"""Servers as processes, and the CPU they used."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["cpu_seconds", "percentile", "serving"]

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads, in seconds (10 ms steps)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextlib.contextmanager
def serving(module: str, *arguments: str) -> Iterator[tuple[int, int]]:
    """Runs `python -m MODULE ARGUMENTS`, which prints the port it listens on; yields (pid, port)."""
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.strip().isdigit():
            raise RuntimeError(f"{module} did not start: {line!r}")
        time.sleep(0.2)
        yield process.pid, int(line)
    finally:
        process.terminate()
        process.wait(20)
