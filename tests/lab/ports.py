"""Free loopback ports, chosen below the range the kernel hands out by itself.

A port taken from the kernel (``bind(0)``) may be given to somebody's outgoing connection before its server
binds it; these can only be taken by another lab, and the choice is random.
"""

import random
import socket

__all__ = ["free_port", "free_ports"]

_FIRST, _LAST = 20_000, 29_999


def free_port(host: str = "127.0.0.1") -> int:
    """One port that is free for UDP and for TCP on ``host``.

    Raises:
        RuntimeError: no free port was found in 200 tries.
    """
    for _ in range(200):
        port = random.randint(_FIRST, _LAST)
        if all(_can_bind(kind, host, port) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)):
            return port
    raise RuntimeError(f"no free port between {_FIRST} and {_LAST} on {host}")


def free_ports(count: int) -> list[int]:
    """``count`` different free ports of 127.0.0.1."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return sorted(found)


def _can_bind(kind: socket.SocketKind, host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
