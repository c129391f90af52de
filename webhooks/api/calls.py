"""`/api/calls`: the journal, page by page or as CSV, one call, its history, and what people change in it."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from fastagi.calls import Call, Outcome, Status
from fastagi.events import CallModel, call_model
from fastagi.interfaces import Account, CallQuery
from fastagi.numbers import Numbers
from webhooks.access import current_account, may_see, sees_all
from webhooks.api.export import MEDIA_TYPE as CSV
from webhooks.api.export import csv_response
from webhooks.api.models import Edit, HistoryModel, PageModel
from webhooks.parts import Parts, parts_of
from webhooks.problems import Problem

__all__ = ["CallFilter", "router"]

Signed = Annotated[Account, Depends(current_account)]

_NO_DIGIT: Final = re.compile(r"[^0-9]+")
_LOST_PLUS: Final = re.compile(r"\d\d:\d\d(:\d\d(\.\d+)?)? \d\d:?\d\d$", re.ASCII)


def _with_plus(value: object) -> object:
    """Says what became of a zone's plus: in an address it stands for a space."""
    if isinstance(value, str) and _LOST_PLUS.search(value):
        raise ValueError("has a space where its zone begins; in an address write + as %2B")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_with_plus)]


class CallFilter(BaseModel):
    """The filters of the list; what is left out does not limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Status | None = None
    outcome: Outcome | None = None
    operator: str | None = Field(None, min_length=1, max_length=64, description="Login or SIP phone.")
    number: str | None = Field(
        None, min_length=1, max_length=64, description="Caller or called number, by its last digits."
    )
    id: str | None = Field(None, min_length=1, max_length=160)
    since: Time | None = Field(
        None, alias="from", description="Begun at or after; with a zone: 2026-11-23T00:00:00Z."
    )
    until: Time | None = Field(None, alias="to", description="Begun before; with a zone.")
    recognised: bool | None = Field(None, description="True: the caller is a subscriber.")
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(None, max_length=500, description="`next` of the page before.")
    format: Literal["json", "csv"] | None = None

    def query(self, account: Account, numbers: Numbers | None) -> CallQuery:
        """Returns the query, limited to what the account may see; `numbers` reads the number as people write it."""
        return CallQuery(
            status=self.status,
            outcome=self.outcome,
            operator=self.operator,
            number=self.number and _searched(self.number, numbers),
            id=self.id,
            since=self.since,
            until=self.until,
            recognised=self.recognised,
            sip_phones=None if sees_all(account) else account.sip_phones,
            limit=self.limit,
            cursor=self.cursor,
        )


def router() -> APIRouter:
    """Returns the routes."""
    routes = APIRouter(prefix="/api/calls", tags=["calls"])

    @routes.get(
        "",
        summary="Calls, newest first",
        response_model=PageModel[CallModel],
        responses={200: {"content": {CSV: {}}, "description": "A page; all pages as CSV where asked for."}},
    )
    async def calls(
        request: Request,
        account: Signed,
        chosen: Annotated[CallFilter, Query()],
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        parts = parts_of(request)
        journal = parts.journal
        query = chosen.query(account, parts.settings.numbers)
        if chosen.format == "csv" or (chosen.format is None and _wants_csv(accept)):
            return await csv_response(journal, query)
        page = await journal.calls(query)
        items = [call_model(call) for call in page.items]
        model = PageModel[CallModel](
            items=items, total=page.total, total_exact=page.total_exact, next=page.next
        )
        return Response(model.model_dump_json(), media_type="application/json")

    @routes.get("/{id}", summary="One call")
    async def call(request: Request, account: Signed, id: str) -> CallModel:
        return call_model(await _find(parts_of(request), account, id))

    @routes.patch("/{id}", summary="Change status or note")
    async def edit(request: Request, account: Signed, id: str, change: Edit) -> CallModel:
        parts = parts_of(request)
        await _find(parts, account, id)
        status = Status(change.status) if change.status else None
        call = await parts.editor.edit(id, by=account.login, status=status, note=change.note)
        if call is None:
            raise _no_such_call()
        return call_model(call)

    @routes.get("/{id}/history", summary="Who changed its status")
    async def history(request: Request, account: Signed, id: str) -> PageModel[HistoryModel]:
        parts = parts_of(request)
        await _find(parts, account, id)
        items = [HistoryModel.model_validate(one) for one in await parts.journal.history(id)]
        return PageModel[HistoryModel](items=items, total=len(items), total_exact=True, next=None)

    return routes


def _searched(number: str, numbers: Numbers | None) -> str:
    """Returns the end to look for: "8 (903) 555-01-99" is kept as +79035550199, of which it is no end."""
    e164 = numbers.parse(number).e164 if numbers else None
    if e164 is None or e164.endswith(_NO_DIGIT.sub("", number)):
        return number.strip()
    return e164


def _wants_csv(accept: str) -> bool:
    """Says whether CSV is asked for by name; a browser's `*/*` is not."""
    return any(part.partition(";")[0].strip().lower() == CSV for part in accept.split(","))


async def _find(parts: Parts, account: Account, id: str) -> Call:
    call = await parts.journal.call(id) if len(id) <= 160 else None
    if call is None or not may_see(account, call):
        raise _no_such_call()
    return call


def _no_such_call() -> Problem:
    return Problem(404, "id: there is no such call among those you may see.")
