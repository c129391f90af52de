"""Neighbours of the push side that behave: journal with its events table, bus that can lose, people, editor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from fastagi.calls import Call, EventType, LookupStatus, Match, Operator, Status, Subscriber
from fastagi.errors import BadInput, JournalUnavailable
from fastagi.events import Event, encode
from fastagi.interfaces import (
    Account,
    CallPage,
    CallQuery,
    EventRange,
    Health,
    LookupAnswer,
    Role,
    StatusChange,
)
from fastagi.numbers import Kind, Number
from webhooks.access import may_see

__all__ = [
    "NOON",
    "FakeAccounts",
    "FakeBus",
    "FakeEditor",
    "FakeJournal",
    "FakeLookup",
    "answered_by",
    "event",
    "make_call",
]

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def make_call(number: int, **fields: object) -> Call:
    """Return a call that came `number` seconds after noon."""
    values = {
        "id": f"main:{number}.1",
        "pbx": "main",
        "version": 1,
        "started_at": NOON + timedelta(seconds=number),
    }
    return Call(**{**values, **fields})


def event(seq: int | None, kind: EventType = EventType.STARTED, call: Call | None = None) -> Event:
    """Return an event; without a call it is about one of its own."""
    return Event(seq=seq, type=kind, at=NOON, call=call or make_call(seq or 0))


class FakeJournal:
    """Calls and events in memory. `away` makes it unavailable; `forget_events` is what the cleaning does; the rows of
    `undecodable` are left out, as the real one leaves out those of a newer version."""

    def __init__(self) -> None:
        self.rows: dict[str, Call] = {}
        self.changes: dict[str, list[StatusChange]] = {}
        self.events: list[Event] = []
        self.last = 0
        self.away = False
        self.undecodable: set[int] = set()
        self.reads = 0

    def write(self, kind: EventType, call: Call) -> Event:
        """Write a call and its event in one transaction."""
        self._here()
        self.last += 1
        self.rows[call.id] = call
        new = Event(seq=self.last, type=kind, at=NOON, call=call)
        self.events.append(new)
        return new

    def forget_events(self, up_to: int) -> None:
        """Clean the table."""
        self.events = [one for one in self.events if (one.seq or 0) > up_to]

    async def call(self, id: str) -> Call | None:
        self._here()
        return self.rows.get(id)

    async def calls(self, query: CallQuery) -> CallPage:
        self._here()
        found = [one for one in self.rows.values() if one.merged_into is None and _matches(one, query)]
        found.sort(key=lambda one: (one.started_at, one.id), reverse=True)
        start = 0
        if query.cursor is not None:
            if not query.cursor.isdigit():
                raise BadInput("cursor", "is not one of ours")
            start = int(query.cursor)
        page = found[start : start + query.limit]
        more = start + query.limit < len(found)
        return CallPage(
            items=tuple(page),
            total=len(found),
            total_exact=True,
            next=str(start + query.limit) if more else None,
        )

    async def open_calls(self, pbx: str) -> Sequence[Call]:
        self._here()
        return [one for one in self.rows.values() if one.pbx == pbx and one.ended_at is None]

    async def events_after(self, seq: int, limit: int) -> Sequence[Event]:
        self._here()
        self.reads += 1
        rows = [one for one in self.events if (one.seq or 0) > seq][:limit]
        return [one for one in rows if one.seq not in self.undecodable]

    async def event_range(self) -> EventRange:
        self._here()
        first = self.events[0].seq or 0 if self.events else 0
        return EventRange(first=first, last=self.last)

    async def history(self, id: str) -> Sequence[StatusChange]:
        self._here()
        return self.changes.get(id, [])

    def _here(self) -> None:
        if self.away:
            raise JournalUnavailable("the database is away")


def _matches(call: Call, query: CallQuery) -> bool:
    operator = call.operator
    phone, login = (operator.sip_phone, operator.login) if operator else (None, None)
    return (
        query.status in (None, call.status)
        and query.outcome in (None, call.outcome)
        and query.operator in (None, phone, login)
        and query.id in (None, call.id)
        and (query.number is None or (call.caller.e164 or "").endswith(query.number))
        and (query.since is None or call.started_at >= query.since)
        and (query.until is None or call.started_at < query.until)
        and (query.recognised is None or query.recognised == (call.subscriber is not None))
        and (query.sip_phones is None or may_see(_operator(query.sip_phones), call))
    )


def _operator(phones: tuple[str, ...]) -> Account:
    return Account(login="", name="", role=Role.OPERATOR, sip_phones=phones)


class FakeBus:
    """Delivers at once, unless told to lose; `connect` is a reconnection."""

    def __init__(self) -> None:
        self.losing = False
        self._subscribers: list[tuple[Callable[[bytes], None], Callable[[], None]]] = []

    @property
    def subscribers(self) -> int:
        return len(self._subscribers)

    async def publish(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            self.deliver(message)

    def deliver(self, message: bytes) -> None:
        if not self.losing:
            for on_message, _ in self._subscribers:
                on_message(message)

    def connect(self) -> None:
        for _, on_connect in self._subscribers:
            on_connect()

    def subscribe(
        self, on_message: Callable[[bytes], None], on_connect: Callable[[], None]
    ) -> Callable[[], None]:
        both = (on_message, on_connect)
        self._subscribers.append(both)
        return lambda: self._subscribers.remove(both)

    def health(self) -> Health:
        return Health(ok=not self.losing, detail="in memory")

    async def start(self) -> None:
        return None

    async def close(self) -> None:
        return None


@dataclass
class FakeAccounts:
    """People by login with a password each, sessions and tokens by secret."""

    people: dict[str, Account] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, Account] = field(default_factory=dict)
    away: bool = False
    tried: int = 0
    looks: int = 0

    def add(self, login: str, role: Role, *phones: str, password: str = "secret") -> str:
        """Add a person and return the secret of a session of theirs."""
        self.people[login] = Account(login=login, name=login.title(), role=role, sip_phones=phones)
        self.passwords[login] = password
        return self._begin(login)

    def add_token(self, name: str, role: Role) -> str:
        """Add a program and return its token."""
        self.tokens[f"token-of-{name}"] = Account(login=f"token:{name}", name=name, role=role)
        return f"token-of-{name}"

    async def sign_in(self, login: str, password: str) -> str | None:
        self._here()
        self.tried += 1
        return self._begin(login) if self.passwords.get(login) == password else None

    async def session(self, secret: str) -> Account | None:
        self._here()
        return self.people.get(self.sessions.get(secret, ""))

    async def sign_out(self, secret: str) -> None:
        self._here()
        self.sessions.pop(secret, None)

    async def token(self, secret: str) -> Account | None:
        self._here()
        self.looks += 1
        return self.tokens.get(secret)

    async def operators(self) -> Sequence[Account]:
        self._here()
        return [self.people[login] for login in sorted(self.people)]

    def _begin(self, login: str) -> str:
        secret = f"session-{len(self.sessions)}-of-{login}"
        self.sessions[secret] = login
        return secret

    def _here(self) -> None:
        if self.away:
            raise JournalUnavailable("the database is away")


class FakeEditor:
    """Writes edits into the fake journal and tells the bus, as the pipeline does."""

    def __init__(self, journal: FakeJournal, bus: FakeBus) -> None:
        self._journal = journal
        self._bus = bus

    async def edit(self, id: str, *, by: str, status: Status | None, note: str | None) -> Call | None:
        call = await self._journal.call(id)
        if call is None:
            return None
        before = call.status
        call = replace(
            call,
            version=call.version + 1,
            status=status or call.status,
            note=call.note if note is None else note,
            edited_by=by,
        )
        if status is not None:
            change = StatusChange(at=NOON, by=by, before=before, after=status)
            self._journal.changes.setdefault(id, []).append(change)
        self._bus.deliver(encode(self._journal.write(EventType.UPDATED, call)))
        return call


class FakeLookup:
    """Knows two people under +79161234567, and nobody else."""

    async def explain(self, raw: str) -> LookupAnswer:
        number = Number(raw, Kind.E164, raw) if raw.startswith("+") else Number(raw, Kind.INVALID, "")
        if raw != "+79161234567":
            return LookupAnswer(
                status=LookupStatus.UNKNOWN, number=number, steps=("own: nobody under this number",)
            )
        return LookupAnswer(
            status=LookupStatus.MULTIPLE,
            number=number,
            subscribers=(Subscriber(id="1", name="Иванов"), Subscriber(id="2", name="Иванова")),
            match=Match(rule="e164", directory="own"),
            steps=("own: two people under this number",),
        )


def answered_by(call: Call, phone: str, login: str | None = None) -> Call:
    """Return the call as it is once this phone has answered."""
    return replace(
        call,
        version=call.version + 1,
        status=Status.IN_PROCESSING,
        ringing=(),
        operator=Operator(sip_phone=phone, login=login),
        answered_at=call.started_at,
    )
