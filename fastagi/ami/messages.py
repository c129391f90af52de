"""AMI messages: ordered headers, read and written. Pure.

FACTS.md B6 is the source of every rule here.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Message"]


class Message:
    """One AMI message: headers in order, keys may repeat.

    Args:
        headers: (key, value) pairs as they came, values unescaped.
    """

    __slots__ = ("_first", "headers")

    def __init__(self, headers: Sequence[tuple[str, str]]) -> None:
        self.headers = headers
        self._first: dict[str, str] = {}
        for key, value in headers:
            self._first.setdefault(key, value)

    def get(self, key: str, default: str = "") -> str:
        """Returns the first value of a key."""
        return self._first.get(key, default)

    def all(self, key: str) -> list[str]:
        """Returns every value of a key in order."""
        return [value for name, value in self.headers if name == key]

    @property
    def event(self) -> str:
        """The event's name, "" for a response."""
        return self._first.get("Event", "")

    @property
    def response(self) -> str:
        """Success, Error, Goodbye …, "" for an event."""
        return self._first.get("Response", "")

    @property
    def action_id(self) -> str:
        """The ActionID it answers, "" where there is none."""
        return self._first.get("ActionID", "")

    def __repr__(self) -> str:
        return f"Message({list(self.headers)!r})"
