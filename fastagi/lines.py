"""Bytes in, complete lines out, within limits. Pure.

Rule 7 of the house: bytes until a line is complete. Nothing here decodes; a multi-byte character cut by
a TCP segment is therefore never seen.
"""

from fastagi.errors import RemoteProtocolError

__all__ = ["LineBuffer"]


class LineBuffer:
    """Collects bytes and hands out complete lines without their ending.

    Args:
        ending: b"\\n" (AGI) or b"\\r\\n" (AMI: a bare CR or LF may be part of a value, FACTS.md B6).
        limit: longest line in bytes without its ending; a longer one raises.
    """

    def __init__(self, ending: bytes, limit: int) -> None:
        self._ending = ending
        self._limit = limit
        self._bytes = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> None:
        """Takes bytes as they came, cut anywhere."""
        self._bytes += data

    def next_line(self) -> bytes | None:
        """Returns the next complete line, or None where more bytes are needed.

        Raises:
            RemoteProtocolError: the line is longer than the limit, complete or not.
        """
        end = self._bytes.find(self._ending, self._searched)
        if end < 0:
            # The ending itself may be cut: search again from its possible first byte.
            self._searched = max(0, len(self._bytes) - len(self._ending) + 1)
            if len(self._bytes) > self._limit + len(self._ending):
                raise RemoteProtocolError(f"a line of over {self._limit} bytes")
            return None
        if end > self._limit:
            raise RemoteProtocolError(f"a line of over {self._limit} bytes")
        line = bytes(self._bytes[:end])
        del self._bytes[: end + len(self._ending)]
        self._searched = 0
        return line

    @property
    def pending(self) -> int:
        """How many bytes wait for the rest of their line."""
        return len(self._bytes)

    def rest(self) -> bytes:
        """Takes out and returns the bytes of the incomplete last line."""
        rest = bytes(self._bytes)
        self._bytes.clear()
        self._searched = 0
        return rest
