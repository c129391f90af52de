"""The fan-out: every event to every client that may see it and asked for it. Pure: no clock, no loop, no log.

Each client has a queue with a limit. One that does not keep up is dropped with a reason; it comes back with the
id of what it got last and finds the rest in the table. Nobody waits for anybody.

The hub remembers the last few hundred frames. A client that was away for moments gets what it missed from
there at once, in the same step in which it joins, so that there is no seam where one could be lost or doubled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Final

from fastagi.events import Event
from webhooks.frames import Frame, Framing, Scope, reset_frame

__all__ = ["Announce", "Client", "Ending", "Hub"]

_QUEUE: Final = 1000
"""Frames a client may have waiting: at 50 calls a second some 5 s of everything, about 2 MB shared by all."""

_MEMORY: Final = 500
"""Frames remembered for those who come back; half a queue, so that catching up cannot fill it."""

_CHUNK: Final = 250
"""Frames handed over at once: half a megabyte is a sensible single write."""


class Ending(StrEnum):
    """Why a client's stream ended; the text is what the client is told."""

    LEFT = "the client left"
    SLOW = "too slow: too many events are waiting; come back with the id of the last one"
    SIGNED_OUT = "the session or token has ended"
    CHATTY = "too many messages; nothing is expected from a client"
    SHUTDOWN = "the server is shutting down; come back in a moment"


class Client:
    """One stream of events.

    Args:
        scope: what it gets; may be replaced at any time.
        notify: called when something waits that did not before, or when the stream is over.
        limit: frames that may wait.
    """

    def __init__(self, scope: Scope, notify: Callable[[], None], *, limit: int = _QUEUE) -> None:
        self.scope = scope
        self.notify = notify
        self.ending: Ending | None = None
        self.after = -1
        """Frames up to this seq are known to the client already."""
        self.urgent = False
        """Something waits that concerns the client's own phone: it is not to wait for more."""
        self._limit = limit
        self._queue: deque[Frame] = deque()

    @property
    def waiting(self) -> int:
        """How many frames wait."""
        return len(self._queue)

    def offer(self, frame: Frame) -> bool:
        """Puts a frame into the queue, if the client gets it; says whether it must be woken for it."""
        if frame.seq is not None and frame.seq <= self.after and frame.reach is not None:
            return False
        if not self.scope.sees(frame):
            return False
        if self.scope.guesses(frame):
            frame = reset_frame(frame.seq)
        if len(self._queue) >= self._limit:
            self.end(Ending.SLOW)
            return True
        self._queue.append(frame)
        if not self.urgent and self.scope.own(frame):
            self.urgent = True
            return True
        return len(self._queue) == 1

    def take(self, most: int = _CHUNK) -> list[Frame]:
        """Takes what waits, in order."""
        queue = self._queue
        self.urgent = False
        return [queue.popleft() for _ in range(min(most, len(queue)))]

    def end(self, ending: Ending) -> None:
        """Ends the stream; the first reason counts. What waits is dropped."""
        if self.ending is None:
            self.ending = ending
            self._queue.clear()


Announce = Callable[[Sequence[Client]], None]
"""Wakes clients; the asyncio side does it in slices, so that 500 of them do not hold the loop."""


def _at_once(clients: Sequence[Client]) -> None:
    for client in clients:
        client.notify()


class Hub:
    """All clients of this process.

    Args:
        announce: wakes the clients for whom something waits.
        memory: frames remembered for those who come back.
    """

    def __init__(self, announce: Announce = _at_once, *, memory: int = _MEMORY) -> None:
        self._announce = announce
        self._clients: set[Client] = set()
        self._framing = Framing()
        self._memory: deque[Frame] = deque(maxlen=memory)
        self._position: int | None = None
        self.closed = False
        self.published = 0
        """Events passed on since the start."""
        self.dropped = 0
        """Clients dropped because they did not keep up."""

    @property
    def clients(self) -> int:
        """How many clients there are."""
        return len(self._clients)

    @property
    def position(self) -> int | None:
        """The seq of the last event passed on; None before it is known."""
        return self._position

    @property
    def remembers_after(self) -> int | None:
        """Whoever knows everything up to this seq can join without the table; None: nothing is known yet."""
        if self._memory and self._memory[0].seq is not None:
            return self._memory[0].seq - 1
        return self._position

    def begin(self, position: int, events: Iterable[Event] = ()) -> None:
        """Says where live events begin; `events` are the last ones before, to be remembered."""
        self._memory.clear()
        self._memory.extend(self._framing.frame(event) for event in events)
        self._position = position

    def publish(self, event: Event) -> None:
        """Passes an event on. Those with a seq come in order and without a gap."""
        frame = self._framing.frame(event)
        if frame.seq is not None:
            self._memory.append(frame)
            self._position = frame.seq
        self.published += 1
        self._offer(frame)

    def reset(self, position: int | None) -> None:
        """Tells every client to read everything again; live events go on after `position`."""
        self._memory.clear()
        self._position = position
        for client in self._clients:
            client.after = -1
        self._offer(reset_frame(position))

    def join(self, client: Client, *, after: int | None = None, reset: bool = False) -> None:
        """Adds a client, and gives it what it missed.

        Args:
            client: who joins.
            after: the seq up to which it knows everything; not lower than `remembers_after`. None: begin now.
            reset: begin with `reset`, since some of what it missed is gone.
        """
        if self.closed:
            client.end(Ending.SHUTDOWN)
        if reset:
            client.offer(reset_frame(self._position))
        elif after is not None:
            client.after = after
            for frame in self._memory:
                client.offer(frame)
        self._clients.add(client)
        if client.waiting or client.ending:
            client.notify()

    def leave(self, client: Client) -> None:
        """Removes a client; does nothing where it is gone already."""
        self._clients.discard(client)

    def wake(self, client: Client) -> None:
        """Wakes a client in its turn, when its own clock says so."""
        self._announce([client])

    def close(self) -> None:
        """Ends all streams, and every one that comes later."""
        self.closed = True
        clients = list(self._clients)
        self._clients.clear()
        for client in clients:
            client.end(Ending.SHUTDOWN)
        self._announce(clients)

    def _offer(self, frame: Frame) -> None:
        awake = [client for client in self._clients if client.offer(frame)]
        slow = [client for client in awake if client.ending is Ending.SLOW]
        self.dropped += len(slow)
        self._clients.difference_update(slow)
        if awake:
            self._announce(awake)
