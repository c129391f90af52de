"""The push side, whole, over fakes: for tests that ask it by ASGI or over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from fastapi import FastAPI

from fastagi.calls import Call, EventType
from fastagi.events import Event, encode
from fastagi.interfaces import Health, Role
from tests.webhooks.fakes import FakeAccounts, FakeBus, FakeEditor, FakeJournal, FakeLookup
from webhooks.access import COOKIE
from webhooks.feed import Slices
from webhooks.hub import Hub
from webhooks.sequencer import Sequencer
from webhooks.server import PushServer
from webhooks.site import SiteSettings, create_site
from webhooks.subscription import Subscription

__all__ = ["World", "until"]


@dataclass
class World:
    """Everything, joined up."""

    settings: SiteSettings = field(default_factory=SiteSettings)
    journal: FakeJournal = field(default_factory=FakeJournal)
    bus: FakeBus = field(default_factory=FakeBus)
    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    parts: dict[str, Health] = field(default_factory=lambda: {"journal": Health(ok=True, detail="up")})
    hub: Hub = field(default_factory=lambda: Hub(Slices()))
    site: FastAPI = field(init=False)
    operator: str = field(init=False)
    supervisor: str = field(init=False)
    token: str = field(init=False)

    def __post_init__(self) -> None:
        self.operator = self.accounts.add("olena", Role.OPERATOR, "101")
        self.supervisor = self.accounts.add("boss", Role.SUPERVISOR, "100")
        self.token = self.accounts.add_token("crm", Role.SUPERVISOR)
        self.site = create_site(
            journal=self.journal,
            accounts=self.accounts,
            editor=FakeEditor(self.journal, self.bus),
            lookup=FakeLookup(),
            hub=self.hub,
            health=lambda: self.parts,
            metrics=lambda: b"whocalls_up 1\n",
            settings=self.settings,
        )

    def happen(self, kind: EventType, call: Call) -> Event:
        """Something happens to a call: it is written, then published."""
        new = self.journal.write(kind, call)
        self.bus.deliver(encode(new))
        return new

    def client(self, session: str | None = None, **options: object) -> httpx.AsyncClient:
        """Return a client that asks the app without sockets."""
        cookies = {COOKIE: session} if session else {}
        transport = httpx.ASGITransport(self.site, **options)
        return httpx.AsyncClient(transport=transport, base_url="http://calls.example", cookies=cookies)

    @asynccontextmanager
    async def subscribed(self, hold: float = 0.02, poll: float = 60) -> AsyncIterator[Subscription]:
        """Feed the hub."""
        subscription = Subscription(
            bus=self.bus,
            journal=self.journal,
            hub=self.hub,
            sequencer=Sequencer(hold=hold),
            poll=poll,
        )
        await subscription.start()
        try:
            yield subscription
        finally:
            await subscription.close()

    @asynccontextmanager
    async def serving(self, poll: float = 60) -> AsyncIterator[PushServer]:
        """Serve on a free port."""
        server = PushServer(self.site, "127.0.0.1", 0)
        async with self.subscribed(poll=poll):
            await server.start()
            try:
                yield server
            finally:
                await server.stop()


async def until(condition: object, what: str = "what was expected", seconds: float = 10) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
