"""The channel variables that carry a lookup's answer into the dialplan (DESIGN.md section 6). Pure.

All of them are set by every answer, empty where nothing is known, so that a dialplan can test them. Only
CALLERID(name) is left alone where nobody was found: a miss never destroys the name the trunk gave.
LOOKUP_STATUS comes last: once it is set, all is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from fastagi.calls import Lead, LookupStatus, Subscriber
from fastagi.errors import BadInput

__all__ = [
    "CALLER_NAME",
    "E164",
    "LEAD_ID",
    "NAMES",
    "STATUS",
    "SUBSCRIBER_VARIABLES",
    "check_extra",
    "variables_for",
]

STATUS: Final = "LOOKUP_STATUS"
CALLER_NAME: Final = "CALLERID(name)"
E164: Final = "CALLER_E164"
LEAD_ID: Final = "LEAD_ID"

SUBSCRIBER_VARIABLES: Final[Mapping[str, str]] = {
    "SUBSCRIBER_ID": "id",
    "SUBSCRIBER_NAME": "name",
    "SUBSCRIBER_LOGIN": "login",
    "SUBSCRIBER_DEPOSIT": "deposit",
    "SUBSCRIBER_ADDRESS": "address",
    "SUBSCRIBER_TARIFF": "tariff",
    "SUBSCRIBER_SERVICE_STATUS": "service_status",
    "SUBSCRIBER_LANGUAGE": "language",
    "SUBSCRIBER_URL": "url",
    "SUBSCRIBER_OPERATOR": "operator",
}
"""Variable to field of the subscriber."""

NAMES: Final = (*SUBSCRIBER_VARIABLES, LEAD_ID, E164, STATUS)
"""Every variable that each answer sets, in the order of the command."""

_MATCHED: Final = (LookupStatus.FOUND, LookupStatus.MULTIPLE)
_FIELDS: Final = frozenset(field.name for field in fields(Subscriber))
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
NO_EXTRA: Final[Mapping[str, str]] = {}


def variables_for(
    status: LookupStatus,
    subscriber: Subscriber | None = None,
    lead: Lead | None = None,
    e164: str | None = None,
    *,
    extra: Mapping[str, str] = NO_EXTRA,
    prefix: str = "",
) -> list[tuple[str, str]]:
    """Returns names and values, not yet cleaned, in the order they are to be set.

    Args:
        status: what the lookup came to.
        subscriber: the first candidate; believed only with FOUND and MULTIPLE.
        lead: believed only with LEAD.
        e164: the caller's number.
        extra: more variables, each with the subscriber's field it carries (see `check_extra`).
        prefix: "", "_" or "__": how far the channels that this one dials inherit the variables.
    """
    if status not in _MATCHED:
        subscriber = None
    if status is not LookupStatus.LEAD:
        lead = None
    # Asterisk strips a caller's name anyway; one of blanks only is none.
    name = (subscriber.name if subscriber else lead.name if lead else "").strip()
    pairs = [(CALLER_NAME, name)] if name else []
    pairs += _of_subscriber(SUBSCRIBER_VARIABLES, subscriber, prefix)
    if extra:
        pairs += _of_subscriber(extra, subscriber, prefix)
    pairs.append((prefix + LEAD_ID, lead.id if lead else ""))
    pairs.append((prefix + E164, e164 or ""))
    pairs.append((prefix + STATUS, status.value))
    return pairs


def _of_subscriber(
    names: Mapping[str, str], subscriber: Subscriber | None, prefix: str
) -> list[tuple[str, str]]:
    if subscriber is None:
        return [(prefix + name, "") for name in names]
    return [(prefix + name, getattr(subscriber, field) or "") for name, field in names.items()]


def check_extra(extra: Mapping[str, str], prefix: str = "") -> None:
    """Checks what a person configured.

    Raises:
        BadInput: a name no variable can have, or one of ours; a field no subscriber has; a wrong prefix.
    """
    if prefix not in ("", "_", "__"):
        raise BadInput("variable prefix", f"{prefix!r} is not one of '', '_' (one hop) and '__' (all hops)")
    for name, field in extra.items():
        if not _NAME.match(name) or name in NAMES:
            raise BadInput(name, "a further variable needs a name of its own: letters, digits and '_'")
        if field not in _FIELDS:
            known = ", ".join(sorted(_FIELDS))
            raise BadInput(name, f"a subscriber has no field {field!r}; there are {known}")
