"""Neighbours that behave: a journal, a bus and a spool in memory, with switches for their failures."""

from collections.abc import Callable, Iterator, Sequence

from fastagi.calls import Call, Operator, is_live
from fastagi.changes import Change, apply
from fastagi.errors import BusUnavailable, JournalUnavailable
from fastagi.events import Event
from fastagi.interfaces import EventRange, Health

__all__ = ["MemoryJournal", "MemorySpool", "RecordingBus"]


class MemoryJournal:
    """Rows and events in memory, written by the same pure `apply` as the real one."""

    def __init__(self, operators: dict[str, Operator] | None = None) -> None:
        self.rows: dict[str, Call] = {}
        self.events: list[Event] = []
        self.batches: list[int] = []
        self.failure: str | None = None
        self._operators = operators or {}

    async def write(self, changes: Sequence[Change]) -> Sequence[Event]:
        if self.failure:
            raise JournalUnavailable(self.failure)
        self.batches.append(len(changes))
        new = [event for change in changes if (event := self._write(change))]
        self.events += new
        return new

    def _write(self, change: Change) -> Event | None:
        operator_of = lambda phone: self._operators.get(phone, Operator(sip_phone=phone))  # noqa: E731
        result = apply(self.rows.get(change.id), change, operator_of)
        if result is None:
            return None
        self.rows[change.id], kind = result
        last = self.events[-1].seq if self.events else 0
        self._seq = max(getattr(self, "_seq", 0), last or 0) + 1
        return Event(seq=self._seq, type=kind, at=change.at, call=self.rows[change.id])

    async def call(self, id: str) -> Call | None:
        return self.rows.get(id)

    async def open_calls(self, pbx: str) -> Sequence[Call]:
        if self.failure:
            raise JournalUnavailable(self.failure)
        return [call for call in self.rows.values() if call.pbx == pbx and is_live(call)]

    async def events_after(self, seq: int, limit: int) -> Sequence[Event]:
        return [event for event in self.events if event.seq is not None and event.seq > seq][:limit]

    async def event_range(self) -> EventRange:
        return EventRange(first=self.events[0].seq or 0, last=self.events[-1].seq or 0)


class MemorySpool:
    """Batches in memory."""

    def __init__(self) -> None:
        self.batches: list[list[Change]] = []
        self.full = False

    def append(self, changes: Sequence[Change]) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.batches.append(list(changes))

    def replay(self) -> Iterator[Sequence[Change]]:
        while self.batches:
            yield self.batches[0]
            self.batches.pop(0)

    @property
    def size(self) -> int:
        return sum(map(len, self.batches))


class RecordingBus:
    """Remembers what was published."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.failure: str | None = None

    async def publish(self, messages: Sequence[bytes]) -> None:
        if self.failure:
            raise BusUnavailable(self.failure)
        self.messages += messages

    def subscribe(
        self, on_message: Callable[[bytes], None], on_connect: Callable[[], None]
    ) -> Callable[[], None]:
        return lambda: None

    def health(self) -> Health:
        return Health(ok=self.failure is None, detail=self.failure or "up")

    async def start(self) -> None:
        return None

    async def close(self) -> None:
        return None
