"""A voice: silence in G.711, sent as RTP while a call lasts.

Asterisk needs to hear something before it joins Local channels into one ("optimization"), and some of its
applications wait for sound.
"""

import re
import socket
import struct

__all__ = ["Voice"]

_PACKET_SECONDS = 0.02
_SAMPLES = 160
_SILENCE = b"\xff" * _SAMPLES


class Voice:
    """Sends one packet per ``tick``; whoever owns it ticks every ``Voice.EVERY`` seconds."""

    EVERY = _PACKET_SECONDS

    def __init__(self, description: str) -> None:
        """Take the other side's SDP.

        Raises:
            ValueError: it names no audio address.
        """
        host = re.search(r"^c=IN IP4 (\S+)", description, re.MULTILINE)
        port = re.search(r"^m=audio (\d+)", description, re.MULTILINE)
        if host is None or port is None:
            raise ValueError(f"no audio address in {description!r}")
        self._there = (host[1], int(port[1]))
        self._sent = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def tick(self) -> None:
        """Send the next 20 ms."""
        stamp = self._sent * _SAMPLES
        header = struct.pack("!BBHII", 0x80, 0, self._sent & 0xFFFF, stamp & 0xFFFFFFFF, 0x1AB)
        self._socket.sendto(header + _SILENCE, self._there)
        self._sent += 1

    def stop(self) -> None:
        """Fall silent for ever."""
        self._socket.close()
