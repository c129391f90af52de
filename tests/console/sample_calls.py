"""Calls for tests and screenshots, in the form of DESIGN.md section 6 (all names and numbers are invented)."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

__all__ = ["call", "changed", "ended", "moment", "sample_day", "subscriber"]

Call = dict[str, Any]

_numbers = count(1)

OPERATORS = {
    "101": ("olena", "Olena Koval"),
    "102": ("ivan", "Ivan Petrov"),
    "103": ("maria", "Maria Sokolova"),
}


def moment(seconds_ago: float = 0) -> str:
    """A time as the API writes it."""
    when = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def subscriber(id: str = "4711", name: str = "Иванов Иван", **more: Any) -> dict[str, Any]:
    """A subscriber with everything known."""
    return {
        "id": id,
        "login": f"user{id}",
        "name": name,
        "company": None,
        "deposit": "120.00",
        "currency": "RUB",
        "address": "Москва, Садовая 1, кв. 2",
        "tariff": "Home 100",
        "service": "Internet",
        "service_status": "enabled",
        "language": "ru",
        "url": f"https://billing.example/?uid={id}",
        **more,
    }


def call(number: str | None = "+79161234567", *, ago: float = 2, who: Any = None, **more: Any) -> Call:
    """An incoming call that began `ago` seconds ago and rings at 101."""
    known = subscriber() if who is None else who
    return {
        "id": f"main:{1795423013 + next(_numbers)}.1",
        "version": 1,
        "pbx": "main",
        "direction": "incoming",
        "status": "ringing",
        "outcome": None,
        "caller": {"raw": number or "anonymous", "e164": number, "name": known["name"] if known else None},
        "called": "+74951230001",
        "called_name": "Support",
        "queue": None,
        "waiting_seconds": None,
        "subscriber": known or None,
        "candidates": [],
        "lead": None,
        "match": {"rule": "e164", "directory": "own", "stale": False} if known else None,
        "ringing": ["101"],
        "operator": None,
        "started_at": moment(ago),
        "answered_at": None,
        "ended_at": None,
        "talk_seconds": None,
        "hangup_cause": None,
        "note": "",
        "edited_by": None,
        "merged_into": None,
        "recording": None,
        **more,
    }


def changed(before: Call, **changes: Any) -> Call:
    """The next version of a call."""
    return {**copy.deepcopy(before), "version": before["version"] + 1, **changes}


def answered(before: Call, phone: str, *, ago: float = 0) -> Call:
    """The call once this phone answered it."""
    login, name = OPERATORS.get(phone, (None, None))
    who = {"sip_phone": phone, "login": login, "name": name}
    return changed(before, status="in_processing", operator=who, answered_at=moment(ago), ringing=[])


def ended(before: Call, outcome: str = "answered", *, talk: int | None = 90) -> Call:
    """The call once it ended."""
    over = before["operator"] is not None
    status = "processed" if over else "not_processed"
    talked = talk or None if over else None
    return changed(before, status=status, outcome=outcome, ended_at=moment(), ringing=[], talk_seconds=talked)


def sample_day() -> list[Call]:
    """A day of a small call centre, newest first; the calls that ring or are talked are in it."""
    rows = [_row(*one) for one in _DAY]
    return sorted(rows, key=lambda one: one["started_at"], reverse=True)


def _row(ago: float, number: str, name: str, id: str, end: str, phone: str, talk: int, line: str) -> Call:
    who = subscriber(id, name) if id else {}
    if id.startswith("L"):
        who = {}
    made = call(number or None, ago=ago, who=who, called_name=line)
    if id.startswith("L"):
        url = f"https://billing.example/?lead={id[1:]}"
        made["lead"] = {
            "id": id[1:],
            "name": name,
            "phone": number,
            "address": "Київ, вул. Лісова 4",
            "url": url,
        }
    if line == "Sales":
        made["queue"] = "sales"
    if end == "outgoing":
        made.update(direction="outgoing", called=number, called_name=None, queue=None)
    if end == "ringing":
        return {**made, "ringing": ["102"]}
    if phone:
        made = answered(made, phone, ago=max(ago - 9, 0))
    if end == "talking":
        return made
    made = ended(made, "answered" if end == "outgoing" else end, talk=talk)
    return {**made, "ended_at": moment(max(ago - talk - 9, 0)), "waiting_seconds": 9}


_DAY: list[tuple[float, str, str, str, str, str, int, str]] = [
    (6, "+79265550117", "Орлова Светлана", "5230", "ringing", "", 0, "Support"),
    (64, "+380671234567", "Шевченко Оксана Петрівна", "1187", "talking", "103", 0, "Support"),
    (152, "+79161112233", "", "", "talking", "102", 0, "Sales"),
    (431, "+79037654321", "Кузнецов Пётр Алексеевич", "904", "answered", "101", 214, "Support"),
    (640, "+79151230405", "ООО «Ромашка»", "77", "abandoned", "", 0, "Support"),
    (905, "+380501112233", "Мельник Тарас", "L18", "answered", "102", 341, "Sales"),
    (1333, "+79269998877", "Смирнова Анна", "3315", "answered", "103", 95, "Support"),
    (1812, "", "", "", "no_answer", "", 0, "Support"),
    (2240, "+79163332211", "Васильев Дмитрий", "2048", "outgoing", "101", 61, ""),
    (2871, "+442071838750", "", "", "answered", "101", 47, "Sales"),
    (3420, "+79161234567", "Иванов Иван", "4711", "answered", "102", 132, "Support"),
    (4127, "+380932223344", "Бондаренко Ірина", "640", "busy", "", 0, "Support"),
    (5093, "+79857770011", "Новикова Елена Сергеевна", "5102", "answered", "103", 388, "Support"),
    (6401, "+79154443322", "Фёдоров Максим", "1760", "answered", "101", 76, "Support"),
    (7811, "+79261119900", "Морозов Андрей", "2291", "no_answer", "", 0, "Support"),
    (9122, "+380677778899", "Ткаченко Юрій", "3004", "answered", "102", 166, "Support"),
    (10533, "+79031237890", "", "", "not_observed", "102", 0, "Sales"),
    (12001, "+79167654321", "Павлова Ольга", "415", "answered", "101", 259, "Support"),
    (13877, "+79252223311", "Соколов Артём", "4980", "answered", "103", 118, "Support"),
    (86400, "+79165550001", "Лебедева Марина", "3777", "answered", "102", 73, "Support"),
    (90120, "+380661237654", "Кравченко Андрій", "2150", "answered", "101", 204, "Sales"),
    (172900, "+79168887766", "Козлов Сергей", "88", "abandoned", "", 0, "Support"),
    (175300, "+79269876543", "Егорова Наталья", "1904", "answered", "103", 145, "Support"),
]
