"""`/api/session`: signing in and out, and who am I."""

from __future__ import annotations

import math
import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from fastagi.interfaces import Account
from webhooks.access import COOKIE, credential_of, current_account
from webhooks.api.models import AccountModel, SignIn
from webhooks.parts import Parts, parts_of
from webhooks.problems import Problem

__all__ = ["router"]

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

_BODY = {
    "required": True,
    "content": {media: {"schema": SignIn.model_json_schema()} for media in ("application/json", _FORMS[0])},
}


def router() -> APIRouter:
    """Returns the routes."""
    routes = APIRouter(tags=["session"])

    @routes.post("/api/session", summary="Sign in", openapi_extra={"requestBody": _BODY})
    async def sign_in(request: Request, response: Response) -> AccountModel:
        wanted = await _read(request)
        parts = parts_of(request)
        secret = await _try(parts, wanted, request.client.host if request.client else "")
        account = await parts.accounts.session(secret)
        if account is None:
            raise Problem(401, "The session ended as it began; sign in again.")
        await _forget_old(request, parts)
        response.set_cookie(
            COOKIE, secret, path="/", httponly=True, samesite="lax", secure=parts.settings.secure_cookies
        )
        return AccountModel.model_validate(account)

    @routes.get("/api/session", summary="Who am I")
    async def who(account: Annotated[Account, Depends(current_account)]) -> AccountModel:
        return AccountModel.model_validate(account)

    @routes.delete("/api/session", summary="Sign out", status_code=204)
    async def sign_out(request: Request, response: Response) -> None:
        parts = parts_of(request)
        await _forget_old(request, parts)
        response.delete_cookie(
            COOKIE, path="/", httponly=True, samesite="lax", secure=parts.settings.secure_cookies
        )

    return routes


async def _read(request: Request) -> SignIn:
    """Reads login and password from JSON or a form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            return SignIn.model_validate_json(await request.body())
        except ValidationError as error:
            raise _invalid(error) from None
    if kind not in _FORMS:
        raise Problem(415, f"Content-Type: must be application/json or {_FORMS[0]}.")
    async with request.form(max_files=0, max_fields=10) as form:
        try:
            return SignIn.model_validate(dict(form))
        except ValidationError as error:
            raise _invalid(error) from None


def _invalid(error: ValidationError) -> RequestValidationError:
    return RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()])


async def _try(parts: Parts, wanted: SignIn, address: str) -> str:
    """Returns the secret of the new session.

    Raises:
        Problem: 401 wrong, 429 too many wrong attempts.
    """
    key = (wanted.login.lower(), address)
    wait = parts.attempts.begin(key, time.monotonic())
    if wait > 0:
        seconds = math.ceil(wait)
        detail = f"login: too many wrong attempts; try again in {seconds} s."
        raise Problem(429, detail, headers={"Retry-After": str(seconds)})
    try:
        secret = await parts.accounts.sign_in(wanted.login, wanted.password)
    except Exception:
        parts.attempts.abandoned(key)
        raise
    if secret is None:
        raise Problem(401, "login or password: wrong.")
    parts.attempts.succeeded(key)
    return secret


async def _forget_old(request: Request, parts: Parts) -> None:
    """Ends the session that came along, so that a browser leaves none behind."""
    credential = credential_of(request)
    if credential is not None and not credential.program:
        await parts.accounts.sign_out(credential.secret)
