"""`/healthz` for whoever watches the service, and `/metrics` for Prometheus.

`/healthz` needs no sign-in: it says whether each part is well. Why it is not is in words that name no person and
no call, but addresses of our network, so those words and `/metrics` are given only to this machine itself and to
every signed-in person or token. A request that came through a proxy
(Forwarded, X-Forwarded-For) counts as from elsewhere, whatever address it seems to have.
"""

from __future__ import annotations

from ipaddress import ip_address

from fastapi import APIRouter, Request, Response

from fastagi.errors import JournalUnavailable
from webhooks.access import current_account, current_account_or_none
from webhooks.api.models import HealthModel, PartModel
from webhooks.parts import parts_of

__all__ = ["router"]


def router() -> APIRouter:
    """Returns the routes."""
    routes = APIRouter(tags=["service"])

    @routes.get(
        "/healthz",
        summary="How each part is",
        response_model_exclude_none=True,
        responses={503: {"model": HealthModel, "description": "A part is not well."}},
    )
    async def health(request: Request, response: Response) -> HealthModel:
        parts = parts_of(request).health()
        ok = all(part.ok for part in parts.values())
        response.status_code = 200 if ok else 503
        trusted = _from_this_machine(request) or await _signed_in(request)
        found = {
            name: PartModel(ok=part.ok, detail=part.detail if trusted else None)
            for name, part in parts.items()
        }
        return HealthModel(ok=ok, parts=found)

    @routes.get("/metrics", summary="Numbers for Prometheus", response_class=Response)
    async def metrics(request: Request) -> Response:
        if not _from_this_machine(request):
            await current_account(request)
        text = parts_of(request).metrics()
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes


async def _signed_in(request: Request) -> bool:
    """Says whether somebody asks whom we know; nobody is known while the database is away."""
    try:
        return await current_account_or_none(request) is not None
    except (JournalUnavailable, TimeoutError):
        return False


def _from_this_machine(request: Request) -> bool:
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers or request.client is None:
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
