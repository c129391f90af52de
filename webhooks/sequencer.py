"""Puts events in order and judges gaps. Pure: time is an argument, and reading the table is somebody else's.

Several writers publish, so events come out of order, twice or not at all, and a last one that is lost leaves no
gap to be seen. The table has every event that was written, numbered without holes. So:

- what comes in order is passed on at once; what comes early is held for a moment (`hold`), then the table is read;
- the table is read anyway every few seconds and whenever the bus has connected again;
- an event without a seq (its writer had no database) is passed on at once, and when written events come again,
  everybody is told to read everything again (`Reset`);
- while the table cannot be read, what is held is passed on in order when its moment is over (an operator rather
  sees a card with something missing than none), and `Reset` follows when the table can be read;
- where the table itself has lost what we need (kept 24 hours, restored from a copy), `Reset` says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fastagi.events import Event

__all__ = ["Delivery", "Reset", "Sequencer"]

_HOLD: Final = 0.2
_LIMIT: Final = 1000
"""Events held at most; beyond them the table is read at once, which has them all."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Something may be missing before `seq`; the stream goes on after it."""

    seq: int


Delivery = Event | Reset


class Sequencer:
    """The order of events.

    Args:
        hold: seconds that an early event waits for the ones before it.
        limit: early events held at most.
    """

    def __init__(self, *, hold: float = _HOLD, limit: int = _LIMIT) -> None:
        self._hold = hold
        self._limit = limit
        self._held: dict[int, tuple[Event, float]] = {}
        self._overflowed = False
        self._unwritten_at: int | None = None
        self.last: int | None = None
        """The seq passed on last; None before the table could be asked where it stands."""
        self.blind = False
        """The table could not be read when it was last tried."""
        self.duplicates = 0

    @property
    def due(self) -> float | None:
        """When the table has to be read because an order has not come about by itself; None: it has."""
        if self._overflowed:
            return float("-inf")
        first = next(iter(self._held.values()), None)
        return None if first is None else first[1] + self._hold

    def begin(self, last: int) -> list[Delivery]:
        """Takes up the stream after `last`, where the table stands now."""
        return self._jump(last) if self.blind else self._start(last)

    def received(self, event: Event, now: float) -> list[Delivery]:
        """Takes an event from the bus; returns what can be passed on."""
        if event.seq is None:
            self._unwritten_at = self.last or 0
            return [event]
        if event.seq in self._held or (self.last is not None and event.seq <= self.last):
            self.duplicates += 1
            return []
        if self.last is not None and event.seq == self.last + 1:
            self.last = event.seq
            return [event, *self._follow()]
        if len(self._held) >= self._limit:
            self._overflowed = True
            return []
        self._held[event.seq] = (event, now)
        return []

    def read(self, rows: Sequence[Event], *, complete: bool, asked: float) -> list[Delivery]:
        """Takes what the table has after `last`.

        Args:
            rows: the rows, lowest seq first.
            complete: there were no more of them.
            asked: when the table was asked; what the bus brought later may not be in the rows.
        """
        passed: list[Delivery] = []
        for row in rows:
            passed += self._row(row)
        self._forget_old()
        passed += self._follow()
        if complete:
            self._overflowed = False
            passed += self._give_up(asked)
            passed += self._recovered()
        return passed

    def unreadable(self) -> list[Delivery]:
        """The table cannot be read: passes on what is held, in order, whatever is missing in between."""
        self.blind = True
        self._overflowed = False
        held = sorted(self._held)
        passed: list[Delivery] = [self._held[seq][0] for seq in held]
        self._held.clear()
        if held:
            self.last = held[-1]
        return passed

    def rewound(self, last: int) -> list[Delivery]:
        """The table stands lower than what was passed on: it is another one (restored from a copy)."""
        self._held.clear()
        self._overflowed = False
        return self._jump(last)

    def _start(self, last: int) -> list[Delivery]:
        self.last = last
        self._forget_old()
        return self._follow()

    def _jump(self, last: int) -> list[Delivery]:
        self.blind = False
        self._unwritten_at = None
        return [Reset(last), *self._start(last)]

    def _row(self, row: Event) -> Iterable[Delivery]:
        assert row.seq is not None and self.last is not None
        if row.seq <= self.last:
            return []
        jumped = row.seq > self.last + 1
        self.last = row.seq
        return [Reset(row.seq - 1), row] if jumped else [row]

    def _forget_old(self) -> None:
        """Drops what is held and has been passed on by another way."""
        assert self.last is not None
        for seq in [seq for seq in self._held if seq <= self.last]:
            del self._held[seq]

    def _follow(self) -> list[Delivery]:
        """Passes on what is held and has now become the next."""
        passed: list[Delivery] = []
        while self._held and self.last is not None and (item := self._held.pop(self.last + 1, None)):
            self.last += 1
            passed.append(item[0])
        return passed

    def _give_up(self, asked: float) -> list[Delivery]:
        """What was held before the table was asked and still has a hole before it will never be whole."""
        passed: list[Delivery] = []
        for seq in sorted(seq for seq, (_, at) in self._held.items() if at <= asked):
            if seq not in self._held:
                continue
            event, _ = self._held.pop(seq)
            self.last = seq
            passed += [Reset(seq - 1), event, *self._follow()]
        return passed

    def _recovered(self) -> list[Delivery]:
        """Says `Reset` once the table can be read again and events are being written again."""
        assert self.last is not None
        written = self._unwritten_at is not None and self.last > self._unwritten_at
        if not self.blind and not written:
            return []
        self.blind = False
        if written:
            self._unwritten_at = None
        return [Reset(self.last)]
