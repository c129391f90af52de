"""The real push side (site, access, streams) for browsers, over a journal in memory which tests write.

It runs in a thread with a loop of its own and can be stopped and started again on the same port, with what its
journal holds: to a browser this is the product, less telephony and database.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI

from fastagi.calls import Call as CallValue
from fastagi.errors import JournalUnavailable
from fastagi.events import Event, decode
from fastagi.interfaces import Account, CallPage, CallQuery, EventRange, Role, StatusChange
from tests.lab.ports import free_port
from webhooks.access import current_account_or_none, may_see
from webhooks.console import ConsoleSettings, router
from webhooks.hub import Hub
from webhooks.server import PushServer
from webhooks.site import SiteSettings, create_site

__all__ = ["PASSWORD", "StandIn", "operator"]

PASSWORD = "secret"

Call = dict[str, Any]
"""A call in the form of DESIGN.md section 6."""


class StandIn:
    """A back end for browsers.

    Args:
        accounts: who can sign in; everybody's password is PASSWORD.
        language: the configured language of the console.
    """

    def __init__(self, *accounts: Account, language: str = "en") -> None:
        self.journal = MemoryJournal()
        self.accounts = MemoryAccounts(accounts)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._language = language
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._hub: Hub | None = None
        self._server: PushServer | None = None

    # -- life ---------------------------------------------------------------------------------------------

    def start(self) -> StandIn:
        """Starts and returns when it answers."""
        if not self._thread.is_alive():
            self._thread.start()
        self._run(self._start())
        return self

    async def _start(self) -> None:
        self._hub = Hub()
        events = self.journal.events
        self._hub.begin(len(events), events[-100:])
        self._server = PushServer(self.site(), "127.0.0.1", self.port)
        await self._server.start()

    def site(self) -> FastAPI:
        """Returns the site, for requests without a server."""
        return create_site(
            journal=self.journal,
            accounts=self.accounts,
            editor=None,  # type: ignore[arg-type]  # the console changes nothing yet
            lookup=None,  # type: ignore[arg-type]  # nor looks numbers up
            hub=self._hub or Hub(),
            health=dict,
            metrics=bytes,
            settings=SiteSettings(heartbeat=1),
            console_router=router(ConsoleSettings(language=self._language), current_account_or_none),
        )

    def stop(self) -> None:
        """Stops; streams that are open break off."""
        if self._server:
            self._run(self._server.stop())
        self._server = self._hub = None

    def close(self) -> None:
        """Stops for good."""
        self.stop()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(20)
        self._loop.close()

    # -- what tests do ------------------------------------------------------------------------------------

    def put(self, call: Call) -> None:
        """Puts a call into the journal without an event."""
        value = _event(None, "call.updated", call).call
        self.journal.rows[value.id] = value

    def send(self, kind: str, call: Call, *, ago: float = 0) -> None:
        """Journals a call and its event of `ago` seconds ago, and sends the event to open streams."""
        self._run(self._send(kind, call, ago))

    async def _send(self, kind: str, call: Call, ago: float) -> None:
        event = _event(len(self.journal.events) + 1, kind, call, ago)
        self.journal.rows[event.call.id] = event.call
        self.journal.events.append(event)
        if self._hub:
            self._hub.publish(event)

    def reset(self) -> None:
        """Tells all browsers to read everything again."""
        self._run(self._reset())

    async def _reset(self) -> None:
        assert self._hub
        self._hub.reset(len(self.journal.events))

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return self._hub.clients if self._hub else 0

    def _run(self, task: Any) -> Any:
        waiting: Awaitable[Any] = task
        return asyncio.run_coroutine_threadsafe(_limited(waiting), self._loop).result(30)


class MemoryJournal:
    """The part of `Journal` that the push side reads."""

    def __init__(self) -> None:
        self.rows: dict[str, CallValue] = {}
        self.events: list[Event] = []
        self.away = False
        self.asked: list[CallQuery] = []

    async def calls(self, query: CallQuery) -> CallPage:
        """Returns a page of calls; the cursor is the number of calls before it."""
        self._check()
        self.asked.append(query)
        found = sorted(self.rows.values(), key=lambda one: (one.started_at, one.id), reverse=True)
        found = [one for one in found if one.merged_into is None and _meets(one, query)]
        begin = int(query.cursor or 0)
        end = begin + query.limit
        more = str(end) if end < len(found) else None
        return CallPage(items=tuple(found[begin:end]), total=len(found), total_exact=True, next=more)

    async def call(self, id: str) -> CallValue | None:
        """Returns one call."""
        self._check()
        return self.rows.get(id)

    async def events_after(self, seq: int, limit: int) -> Sequence[Event]:
        """Returns events with a higher seq."""
        return self.events[seq : seq + limit]

    async def event_range(self) -> EventRange:
        """Returns what there is."""
        return EventRange(first=1 if self.events else 0, last=len(self.events))

    async def history(self, id: str) -> Sequence[StatusChange]:
        """Returns nothing: nobody edits."""
        return ()

    def _check(self) -> None:
        if self.away:
            raise JournalUnavailable("the database is away")


class MemoryAccounts:
    """Accounts whose session secret is their login."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.by_login = {one.login: one for one in accounts}
        self.away = False
        self.looked_up = 0

    async def sign_in(self, login: str, password: str) -> str | None:
        """Signs in who knows PASSWORD."""
        return login if login in self.by_login and password == PASSWORD else None

    async def session(self, secret: str) -> Account | None:
        """Returns whose session it is; streams ask at each heartbeat."""
        self.looked_up += 1
        if self.away:
            raise JournalUnavailable("the database is away")
        return self.by_login.get(secret)

    async def sign_out(self, secret: str) -> None:
        """Does nothing: the cookie goes."""

    async def token(self, secret: str) -> Account | None:
        """Knows no tokens."""
        return None

    async def operators(self) -> Sequence[Account]:
        """Returns all accounts."""
        return tuple(self.by_login.values())


def operator(login: str, name: str, *phones: str, **more: Any) -> Account:
    """Returns the account of an operator."""
    return Account(login=login, name=name, sip_phones=phones, **{"role": Role.OPERATOR, **more})


def _event(seq: int | None, kind: str, call: Call, ago: float = 0) -> Event:
    at = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
    body = {"v": 1, "seq": seq, "type": kind, "at": at, "call": call}
    return decode(json.dumps(body).encode())


def _meets(call: CallValue, query: CallQuery) -> bool:
    numbers = [call.caller.e164 or call.caller.raw, call.called or ""]
    phones = query.sip_phones
    return (
        (phones is None or may_see(operator("", "", *phones), call))
        and query.status in (None, call.status)
        and (query.number is None or any(one.endswith(query.number) for one in numbers))
    )


async def _limited(task: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(task, 25)
