"""Changes and calls that the tests of the journal are made of."""

from datetime import UTC, datetime, timedelta

from fastagi.calls import (
    Caller,
    Direction,
    EventType,
    Lead,
    LookupStatus,
    Match,
    Outcome,
    Status,
    Subscriber,
)
from fastagi.changes import Edited, LookedUp, Observed

__all__ = ["CALLER", "IVANOV", "LEAD", "NOW", "PETROVA", "edited", "ended", "looked_up", "observed"]

NOW = datetime(2026, 11, 23, 8, 36, 53, 120_000, tzinfo=UTC)
CALLER = Caller(raw="8 (916) 123-45-67", e164="+79161234567", name="Иванов Иван")
IVANOV = Subscriber(
    id="4711",
    login="ivanov",
    name="Иванов Иван",
    deposit="-12.50",
    currency="RUB",
    address="Москва, Садовая 1, кв. 2",
    tariff="Home 100",
    service="Internet",
    service_status="enabled",
    language="ru",
    url="https://billing.example/?uid=4711",
    operator="102",
)
PETROVA = Subscriber(id="4712", name="Петрова Анна", company='ООО "Ромашка"')
LEAD = Lead(id="7", name="Сидоров", phone="+7 916 765-43-21")


def looked_up(number: int = 1, **fields) -> LookedUp:
    """A lookup that found two subscribers; fields replace what differs."""
    values = {
        "id": f"main:{number}.0",
        "pbx": "main",
        "at": NOW + timedelta(seconds=number),
        "lookup": LookupStatus.MULTIPLE,
        "caller": CALLER,
        "called": "+74951230001",
        "called_name": "Support",
        "subscriber": IVANOV,
        "candidates": (IVANOV, PETROVA),
        "match": Match(rule="e164", directory="own"),
    }
    return LookedUp(**{**values, **fields})


def observed(number: int = 1, **fields) -> Observed:
    """A call that rings at two phones."""
    values = {
        "id": f"main:{number}.0",
        "pbx": "main",
        "at": NOW + timedelta(seconds=number + 1),
        "type": EventType.RINGING,
        "direction": Direction.INCOMING,
        "status": Status.RINGING,
        "started_at": NOW + timedelta(seconds=number),
        "caller": Caller(raw="79161234567", name="79161234567"),
        "called": "+74951230001",
        "queue": "support",
        "waiting_seconds": 1,
        "ringing": ("101", "102"),
    }
    return Observed(**{**values, **fields})


def ended(number: int = 1, **fields) -> Observed:
    """An answered call that ended."""
    begun = NOW + timedelta(seconds=number)
    values = {
        "type": EventType.ENDED,
        "status": Status.PROCESSED,
        "outcome": Outcome.ANSWERED,
        "ringing": (),
        "operator": "102",
        "answered_at": begun + timedelta(seconds=7, milliseconds=190),
        "ended_at": begun + timedelta(seconds=139),
        "talk_seconds": 132,
        "hangup_cause": 16,
    }
    return observed(number, **{**values, **fields})


def edited(number: int = 1, **fields) -> Edited:
    """A person's edit."""
    values = {"id": f"main:{number}.0", "pbx": "main", "at": NOW + timedelta(minutes=5), "by": "olena"}
    return Edited(**{**values, **fields})
