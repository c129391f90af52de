"""What the two live streams, Server-Sent Events and WebSocket, have in common: who may open one, and for what.

Filters: `types` is a comma-separated list of event types; `operator` is a login or a SIP phone, and leaves the
events of calls that ring, rang or were answered there; `after` is the seq of the last event known. They come on
top of what the account's role may see. `reset` passes every filter.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.requests import HTTPConnection

from fastagi.calls import EventType
from fastagi.interfaces import Account, Accounts
from webhooks.access import credential_of, current_account, sees_all
from webhooks.feed import Feed, Outlet
from webhooks.frames import RESET, Scope
from webhooks.parts import parts_of
from webhooks.problems import fields_problem

__all__ = ["HIGHEST_SEQ", "Selection", "open_feed", "selection_of"]

HIGHEST_SEQ: Final = 2**63 - 1
"""The events table numbers with 64 bits."""

_TYPES: Final = frozenset(kind.value for kind in EventType)

_MOST_FOR_PEOPLE: Final = 1000
"""Events replayed to a browser: reading the list again is cheaper than replaying more. Programs get all."""


class Selection(BaseModel):
    """What a client asks for in the address of a stream."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    types: str | None = Field(None, max_length=200, description="Event types, separated by commas.")
    operator: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="Login or SIP phone: only calls that ring or talk there.",
    )
    after: int | None = Field(
        None,
        ge=0,
        le=HIGHEST_SEQ,
        description="The seq of the last event known: the ones after it come first.",
    )

    @field_validator("types")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and not _split(value) <= _TYPES | {RESET}:
            raise ValueError(f"must be some of {', '.join(sorted(_TYPES))}, separated by commas")
        return value

    async def scope(self, account: Account, accounts: Accounts) -> Scope:
        """Returns what this account gets of it."""
        return Scope(
            phones=None if sees_all(account) else frozenset(account.sip_phones),
            wanted=await self._wanted(accounts),
            kinds=None if self.types is None else _split(self.types),
        )

    async def _wanted(self, accounts: Accounts) -> frozenset[str] | None:
        if self.operator is None:
            return None
        phones = [one.sip_phones for one in await accounts.operators() if one.login == self.operator]
        return frozenset((self.operator, *(phone for some in phones for phone in some)))


def selection_of(parameters: Mapping[str, str]) -> Selection:
    """Reads a selection from the address.

    Raises:
        Problem: 422, naming the parameter.
    """
    try:
        return Selection.model_validate(dict(parameters))
    except ValidationError as error:
        found = [{**one, "loc": ("query", *one["loc"])} for one in error.errors()]
        raise fields_problem(found) from None


async def open_feed(
    connection: HTTPConnection, selection: Selection, after: int | None, outlet: Outlet
) -> Feed:
    """Returns the feed of whoever asks.

    Args:
        connection: the request or WebSocket.
        selection: what is asked for.
        after: the seq of the last event known; -1 stands for an id that is none of ours.
        outlet: where to write.

    Raises:
        Problem: 401, nobody is signed in.
    """
    account = await current_account(connection)
    parts = parts_of(connection)
    credential = credential_of(connection)
    assert credential is not None

    async def scope_now() -> Scope | None:
        found = await credential.account(parts.accounts)
        return await selection.scope(found, parts.accounts) if found else None

    return Feed(
        hub=parts.hub,
        journal=parts.journal,
        outlet=outlet,
        scope=await selection.scope(account, parts.accounts),
        scope_now=scope_now,
        after=after,
        most=sys.maxsize if credential.program else _MOST_FOR_PEOPLE,
        turn=parts.replays,
        heartbeat=parts.settings.heartbeat,
    )


def _split(types: str) -> frozenset[str]:
    return frozenset(kind.strip() for kind in types.split(","))
