"""Calls as a small call centre gets them: somebody rings, somebody answers, some give up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from fastagi.simulator.pbx import IncomingCall, SimulatedPbx

__all__ = ["Traffic"]

EVERY = 6.0
"""Seconds between two calls."""
RINGS = (6.0, 9.0)
"""Seconds a phone rings, at least and at most: long enough to look at the card."""
TALKS = (6.0, 20.0)
"""Seconds of talk, at least and at most."""
BEFORE = 9
"""Calls that came before anybody looked, so that the table is not empty."""
STRANGERS = ("79035550199", "74955550142", "anonymous")

Ways = Sequence[tuple[str, int]]
WAYS: Ways = (("answered", 6), ("group", 4), ("queue", 3), ("no answer", 2), ("busy", 1), ("abandoned", 2))


class Traffic:
    """Makes calls for ever.

    Args:
        pbx: where they ring.
        callers: numbers of subscribers.
        called: the numbers of the call centre.
        phones: SIP phones; the first is the one the demo's reader signs in with.
        seed: of the choices, so that two demos look alike.
    """

    def __init__(
        self,
        pbx: SimulatedPbx,
        *,
        callers: Sequence[str],
        called: Sequence[str],
        phones: Sequence[str],
        seed: int = 22,
    ) -> None:
        self._pbx = pbx
        self._callers = callers
        self._called = called
        self._phones = phones
        self._chance = random.Random(seed)  # noqa: S311 (no secret)
        self._taken: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to call."""
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends all calls in mid-air."""
        tasks = [*self._tasks, *([self._running] if self._running else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        for number in range(BEFORE):
            await self._play(WAYS[number % len(WAYS)][0], hurry=0.02)
        while True:
            task = asyncio.create_task(self._play(self._way(), hurry=1.0))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(EVERY)

    def _way(self) -> str:
        ways, weights = zip(*WAYS, strict=True)
        return str(self._chance.choices(ways, weights)[0])

    async def _play(self, way: str, *, hurry: float) -> None:
        """Plays one call; `hurry` multiplies every pause."""
        chance = self._chance
        stranger = chance.random() < 0.15
        caller = chance.choice(STRANGERS if stranger else self._callers)
        call = await self._pbx.incoming(caller, chance.choice(self._called))
        free = [phone for phone in self._phones if phone not in self._taken] or list(self._phones)
        phones = free if way in ("group", "queue") else free[:1]
        if way == "queue":
            call.queue("support")
        call.ring(phones)
        if way in ("no answer", "busy", "abandoned"):
            await asyncio.sleep(chance.uniform(*RINGS) * hurry)
            {"no answer": call.no_answer, "busy": call.busy, "abandoned": call.abandon}[way]()
        else:
            await self._talk(call, chance.choice(phones), hurry)

    async def _talk(self, call: IncomingCall, phone: str, hurry: float) -> None:
        """Lets one phone answer; it takes no other call from the first ring on."""
        self._taken.add(phone)
        try:
            await asyncio.sleep(self._chance.uniform(*RINGS) * hurry)
            call.answer(phone)
            await asyncio.sleep(self._chance.uniform(*TALKS) * hurry)
        finally:
            self._taken.discard(phone)
        call.hang_up(by_operator=self._chance.random() < 0.5)
