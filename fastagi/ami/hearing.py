"""Finds out that Asterisk lets us sign in but not hear of calls.

An account that lacks read = call gets no error and no event; the console would stay empty and nobody would
know why. So while no event of a call was ever heard on a connection, the live channels are compared in quiet
moments: channels that come or go without a word tell.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastagi.ami.messages import Message
from fastagi.ami.protocol import AmiProtocol
from fastagi.ami.sign_in import EVENT_CLASSES, Account, live_channels
from fastagi.errors import ConfigError

__all__ = ["Hearing"]


class Hearing:
    """Whether events of calls reach us on this connection.

    Args:
        ami: the connection.
        account: ours, for the words of the error.
        channels: those that were live at the sign-in.
    """

    def __init__(self, ami: AmiProtocol, account: Account, channels: Iterable[Message]) -> None:
        self._ami = ami
        self._account = account
        self._known = _identities(channels)
        self._proven = False
        self._suspected = False

    def event(self, message: Message) -> None:
        """Takes note of an event."""
        if not self._proven and message.get("Privilege").startswith("call,"):
            self._proven = True

    async def check(self) -> ConfigError | None:
        """Compares, in a quiet moment, and returns what the account lacks.

        The second time only: an event may be on its way while the list is written.

        Raises:
            LookupServiceError: the list could not be had.
        """
        if self._proven:
            return None
        changed = _identities(await live_channels(self._ami, self._account)) != self._known
        if self._proven or not (changed and self._suspected):
            self._suspected = changed
            return None
        return self._account.at_fault(
            "read", f"needs read = {EVENT_CLASSES}: channels come and go, but no event of a call is heard"
        )


def _identities(channels: Iterable[Message]) -> frozenset[str]:
    return frozenset(channel.get("Uniqueid") for channel in channels)
