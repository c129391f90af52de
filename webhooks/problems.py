"""Errors as people and programs get them: RFC 9457 problem documents, everywhere.

Every answer of 400 or above is `application/problem+json` with `type`, `title`, `status` and a `detail` that
names the field or thing that is wrong. What a client sent is never repeated in it: a number or a name is an
attacker's input.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from fastagi.errors import BadInput, JournalUnavailable, LookupServiceError

__all__ = [
    "MEDIA_TYPE",
    "FieldError",
    "Problem",
    "ProblemModel",
    "fields_problem",
    "install",
    "problem_response",
]

MEDIA_TYPE: Final = "application/problem+json"

_RETRY_AFTER: Final = {"Retry-After": "5"}
"""Seconds after which a client may try again when a part of ours is away; the push side polls as often."""


class FieldError(BaseModel):
    """A field that is wrong."""

    where: str = Field(alias="in", description="The part of the request: body, query, path or header.")
    field: str
    reason: str


class ProblemModel(BaseModel):
    """The form of every error answer (RFC 9457)."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description='Always "about:blank": the status says what kind of error it is.')
    title: str = Field(description="The words of the status.")
    status: int
    detail: str = Field(description="What is wrong and what would be right, naming the field.")
    errors: list[FieldError] = Field(default=[], description="With 422: each field that is wrong.")


class Problem(HTTPException):
    """An error answer.

    It is an HTTPException, so that FastAPI lets it pass where it would wrap others (reading a body).

    Args:
        status: HTTP status, 400 to 599.
        detail: what is wrong and what would be right, naming the field.
        headers: more response headers.
        extra: more members of the document.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.extra = dict(extra or {})


def problem_response(problem: HTTPException) -> Response:
    """Returns the problem document."""
    status = problem.status_code
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": str(problem.detail),
        **getattr(problem, "extra", {}),
    }
    # Starlette answers a mistake of ours outside of all middleware, so what matters is said here as well.
    headers = {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **(problem.headers or {}),
    }
    body = json.dumps(document, ensure_ascii=False).encode()
    return Response(body, status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Makes the app answer every error with a problem document."""
    # Starlette types handlers by Exception; each of ours is registered for exactly what it takes.
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(BadInput, _bad_input)
    app.add_exception_handler(JournalUnavailable, _away)
    app.add_exception_handler(LookupServiceError, _away)
    app.add_exception_handler(TimeoutError, _away)
    app.add_exception_handler(Exception, _bug)


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        return problem_response(error)
    return problem_response(Problem(error.status_code, _words(error), headers=error.headers))


def _words(error: HTTPException) -> str:
    """Says more than the bare phrase of a status where Starlette says no more."""
    match error.status_code:
        case 404:
            return "There is nothing at this address; /api/docs lists what there is."
        case 405:
            allowed = (error.headers or {}).get("Allow", "")
            return f"This address does not take this method; it takes {allowed or 'another one'}."
        case _:
            return str(error.detail)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem_response(fields_problem(error.errors()))


def fields_problem(found: Sequence[Mapping[str, Any]]) -> Problem:
    """Returns a 422 that names the fields; `found` is pydantic's list, each `loc` beginning with the place."""
    errors = [_field_error(one) for one in found[:20]]
    detail = "; ".join(f"{one['field']}: {one['reason']}" for one in errors)
    return Problem(422, detail, extra={"errors": errors})


def _field_error(error: Mapping[str, Any]) -> dict[str, str]:
    where, *names = error["loc"]
    field = ".".join(str(name) for name in names)
    if error["type"] == "json_invalid":
        return {"in": str(where), "field": "body", "reason": "is not valid JSON"}
    if error["type"] == "extra_forbidden":
        return {"in": str(where), "field": _known(names), "reason": "there is no such field"}
    if error.get("input") == "":
        return {
            "in": str(where),
            "field": field or str(where),
            "reason": "is empty; give a value or leave it out",
        }
    return {"in": str(where), "field": field or str(where), "reason": _reason(str(error["msg"]))}


def _known(names: Sequence[object]) -> str:
    """A field we do not know has a client's name: it is shortened and loses what is not printable."""
    name = ".".join(str(name) for name in names)
    return "".join(sign for sign in name[:64] if sign.isprintable())


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Input ")


async def _bad_input(_request: Request, error: Exception) -> Response:
    return problem_response(Problem(422, str(error)))


async def _away(_request: Request, error: Exception) -> Response:
    detail = str(error) or "This took too long."
    return problem_response(Problem(503, detail, headers=_RETRY_AFTER))


async def _bug(_request: Request, _error: Exception) -> Response:
    """Answers; Starlette raises the error again, and the server logs it with its traceback."""
    return problem_response(Problem(500, "This is a mistake of ours; it has been logged."))
