"""`/api/operators`: who answers calls, and on which SIP phones. An operator sees only themselves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from fastagi.interfaces import Account
from webhooks.access import current_account, sees_all
from webhooks.api.models import AccountModel, PageModel
from webhooks.parts import parts_of

__all__ = ["router"]


def router() -> APIRouter:
    """Returns the route."""
    routes = APIRouter(tags=["operators"])

    @routes.get("/api/operators", summary="Operators by login")
    async def operators(
        request: Request, account: Annotated[Account, Depends(current_account)]
    ) -> PageModel[AccountModel]:
        everybody = await parts_of(request).accounts.operators()
        seen = [one for one in everybody if sees_all(account) or one.login == account.login]
        items = [AccountModel.model_validate(one) for one in seen]
        return PageModel[AccountModel](items=items, total=len(items), total_exact=True, next=None)

    return routes
