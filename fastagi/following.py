"""From one PBX's AMI to the pipeline: the tracker's picture, kept by the service's messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from fastagi.ami.messages import Message
from fastagi.ami.tracker import Tracker
from fastagi.changes import Observed
from fastagi.interfaces import Journal

__all__ = ["Following"]


class Following:
    """Implements ami.service.AmiListener.

    Args:
        tracker: makes call events of messages.
        observed: takes them.
        clock: the time now, UTC.
    """

    def __init__(
        self,
        tracker: Tracker,
        observed: Callable[[Sequence[Observed]], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._tracker = tracker
        self._observed = observed
        self._clock = clock

    async def remember(self, journal: Journal, pbx: str) -> None:
        """Gives the tracker the calls that were live when the last process ended; before the first event.

        Raises:
            JournalUnavailable: they could not be read; they are then settled as not observed, later.
        """
        calls = await journal.open_calls(pbx)
        self._tracker.restore(calls, self._clock())

    def snapshot_begins(self) -> None:
        """What the tracker hears of from now on is younger than the list that comes."""
        self._tracker.begin_resync()

    def event(self, message: Message) -> None:
        """Passes on what an event changed."""
        changes = self._tracker.feed(message, self._clock())
        if changes:
            self._observed(changes)

    def snapshot(self, channels: Sequence[Message], booted_at: datetime | None) -> None:
        """Puts the picture right and passes on what that changed."""
        self._observed(self._tracker.resync(channels, self._clock(), booted_at))

    def lost(self, reason: str) -> None:
        """Keeps the picture: the next list of live channels tells what is left of it."""
