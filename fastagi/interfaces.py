"""Every contract between the rooms, in one place. No implementation lives here.

Whoever implements one of these says in its docstring which; whoever needs one takes it as an argument.
Coroutines run on the one asyncio loop of the process; nothing here may block it for over 5 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from fastagi.calls import Call, Lead, LookupStatus, Match, Outcome, Status, Subscriber
from fastagi.changes import Change
from fastagi.events import Event
from fastagi.numbers import Number

__all__ = [
    "Account",
    "Accounts",
    "Bus",
    "CallPage",
    "CallQuery",
    "Directory",
    "Editor",
    "EventRange",
    "Found",
    "Health",
    "Journal",
    "LookupAnswer",
    "NumberLookup",
    "Role",
    "Spool",
    "StatusChange",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a part of the service is. `ok` False makes /healthz answer 503; `detail` says why in words."""

    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Whom a directory knows under a number: subscribers in ranked order, or a lead, and why."""

    subscribers: tuple[Subscriber, ...] = ()
    lead: Lead | None = None
    match: Match


class Directory(Protocol):
    """Where subscribers are looked up."""

    @property
    def name(self) -> str:
        """Its name in the configuration and in `match.directory`."""

    async def find(self, number: Number) -> Found | None:
        """Returns whom it knows under the number, or None.

        Raises:
            DirectoryUnavailable: it cannot answer now.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupAnswer:
    """What a lookup came to. `steps` says in words what was tried, for `whocalls lookup` and /api/lookup."""

    status: LookupStatus
    number: Number
    subscribers: tuple[Subscriber, ...] = ()
    lead: Lead | None = None
    match: Match | None = None
    steps: tuple[str, ...] = ()


class NumberLookup(Protocol):
    """The lookup as pages and the API use it."""

    async def explain(self, raw: str) -> LookupAnswer:
        """Looks a number up and says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQuery:
    """Which calls, newest first. None means: any. `number` matches caller or called by its end digits;
    `operator` is a login or a SIP phone; `until` is exclusive; `cursor` comes from the page before."""

    status: Status | None = None
    outcome: Outcome | None = None
    operator: str | None = None
    number: str | None = None
    id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    recognised: bool | None = None
    sip_phones: tuple[str, ...] | None = None
    """Only calls that these phones answered, that ring there, or that nobody answered (what an operator may see)."""
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """One page of calls. `total` is exact up to 10,000; beyond it `total_exact` is False."""

    items: tuple[Call, ...]
    total: int
    total_exact: bool
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """One entry of a call's status history; `by` is a login, or None for the PBX."""

    at: datetime
    by: str | None
    before: Status | None
    after: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRange:
    """Lowest and highest seq that the events table holds; (0, last given) where it is empty."""

    first: int
    last: int


class Journal(Protocol):
    """All calls, their events and their history. Safe to use from several processes at once."""

    async def write(self, changes: Sequence[Change]) -> Sequence[Event]:
        """Writes changes in order, in one transaction, and returns their events with their seq.

        Raises:
            JournalUnavailable: nothing was written.
        """

    async def call(self, id: str) -> Call | None:
        """Returns one call."""

    async def calls(self, query: CallQuery) -> CallPage:
        """Returns a page of calls; merged ones are left out.

        Raises:
            BadInput: the cursor is not one of ours.
            JournalUnavailable: the database is away.
        """

    async def open_calls(self, pbx: str) -> Sequence[Call]:
        """Returns the calls of a PBX that are still live, oldest first."""

    async def events_after(self, seq: int, limit: int) -> Sequence[Event]:
        """Returns events with a higher seq, lowest first."""

    async def event_range(self) -> EventRange:
        """Returns what the events table holds."""

    async def history(self, id: str) -> Sequence[StatusChange]:
        """Returns who changed the status of a call, oldest first."""


class Spool(Protocol):
    """Where changes wait on local disk while the journal's database is away. Blocks: call it in a thread."""

    def append(self, changes: Sequence[Change]) -> None:
        """Adds changes behind all others; they are on disk when it returns.

        Raises:
            OSError: the disk is full or the file cannot be written.
        """

    def replay(self) -> Iterator[Sequence[Change]]:
        """Yields batches, oldest first; a batch counts as written when the next one is asked for."""

    @property
    def size(self) -> int:
        """Bytes that wait; 0 means nothing waits."""


class Bus(Protocol):
    """Carries encoded events from the call side to every push side. May lose; the events table does not."""

    async def publish(self, messages: Sequence[bytes]) -> None:
        """Sends messages in order.

        Raises:
            BusUnavailable: it cannot now; the caller need not retry.
        """

    def subscribe(
        self, on_message: Callable[[bytes], None], on_connect: Callable[[], None]
    ) -> Callable[[], None]:
        """Delivers every message from now on, on the loop; `on_connect` is called at each (re)connection,
        since messages may have been lost before it. Returns the function that ends it."""

    def health(self) -> Health:
        """Says whether it is connected."""

    async def start(self) -> None:
        """Connects in the background; never raises because the other side is away."""

    async def close(self) -> None:
        """Ends all connections."""


class Role(StrEnum):
    """What a person or a program may do; each may do what the ones before may."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person (or a token's program: then `sip_phones` is empty and login is "token:NAME")."""

    login: str
    name: str
    role: Role
    sip_phones: tuple[str, ...] = ()
    language: str | None = None


class Accounts(Protocol):
    """Operators, their sign-ins and the tokens of programs."""

    async def sign_in(self, login: str, password: str) -> str | None:
        """Returns the secret of a new session, or None where login or password are wrong. A wrong login
        takes as long as a wrong password."""

    async def session(self, secret: str) -> Account | None:
        """Returns whose session it is; None where it ended, expired or never was."""

    async def sign_out(self, secret: str) -> None:
        """Ends a session."""

    async def token(self, secret: str) -> Account | None:
        """Returns whose token it is."""

    async def operators(self) -> Sequence[Account]:
        """Returns all operators by login."""


class Editor(Protocol):
    """How people change calls: through the pipeline, like everybody."""

    async def edit(self, id: str, *, by: str, status: Status | None, note: str | None) -> Call | None:
        """Changes a call and returns it; None where there is none.

        Raises:
            JournalUnavailable: the database is away and nothing was changed.
        """
