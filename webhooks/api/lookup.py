"""`/api/lookup?number=`: what would be shown for a number, and why. Nothing is written."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request

from fastagi.events import LeadModel, MatchModel, SubscriberModel
from fastagi.interfaces import LookupAnswer
from webhooks.access import current_account
from webhooks.api.models import LookupModel, NumberModel
from webhooks.parts import parts_of

__all__ = ["router"]

_PATIENCE: Final = 5.0
"""Seconds a lookup may take here, where no caller waits."""


def router() -> APIRouter:
    """Returns the route."""
    routes = APIRouter(tags=["lookup"], dependencies=[Depends(current_account)])

    @routes.get("/api/lookup", summary="Who would it be")
    async def lookup(
        request: Request, number: Annotated[str, Query(min_length=1, max_length=120)]
    ) -> LookupModel:
        async with asyncio.timeout(_PATIENCE):
            answer = await parts_of(request).lookup.explain(number)
        return _model(answer)

    return routes


def _model(answer: LookupAnswer) -> LookupModel:
    people = [SubscriberModel.model_validate(one) for one in answer.subscribers]
    number = answer.number
    return LookupModel(
        status=answer.status,
        caller=NumberModel(raw=number.raw, e164=number.e164, kind=number.kind.value),
        subscriber=people[0] if people else None,
        candidates=people if len(people) > 1 else [],
        lead=LeadModel.model_validate(answer.lead) if answer.lead else None,
        match=MatchModel.model_validate(answer.match) if answer.match else None,
        steps=list(answer.steps),
    )
