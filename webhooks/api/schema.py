"""What the routes do not say about themselves in `/api/openapi.json`: who may ask, and how errors look.

Sign-in and problem documents are the same everywhere, so they are told here once, by rule: a new route gets them
without asking for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI

from webhooks.access import COOKIE
from webhooks.problems import MEDIA_TYPE, FieldError, ProblemModel

__all__ = ["Site"]

_OPEN: Final = frozenset({("post", "/api/session"), ("delete", "/api/session"), ("get", "/healthz")})
"""Operations that need no sign-in and so never answer 401 for the want of one."""

_LOCAL: Final = frozenset({("get", "/healthz"), ("get", "/metrics")})
"""Operations that this machine itself may ask without signing in, and others with it."""

_NO_DATABASE: Final = frozenset({("get", "/healthz")})

_MORE: Final = {("post", "/api/session"): (401, 413, 415, 422, 429)}

_SCHEMES: Final = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "A person's session: POST /api/session sets the cookie.",
    },
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A program's token, made with `whocalls token create`.",
    },
}

_REF: Final = "#/components/schemas/{model}"


class Site(FastAPI):
    """FastAPI that tells the whole of the API."""

    def openapi(self) -> dict[str, Any]:
        """Returns the schema; it is made once."""
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema


def _completed(schema: dict[str, Any]) -> dict[str, Any]:
    components = schema.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    models = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        models.pop(name, None)
    for model in (ProblemModel, FieldError):
        form = model.model_json_schema(ref_template=_REF)
        form.pop("$defs", None)
        models[model.__name__] = form
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            _complete(operation, method, path)
    return schema


def _complete(operation: dict[str, Any], method: str, path: str) -> None:
    signed: list[dict[str, list[str]]] = [{name: []} for name in _SCHEMES]
    if (method, path) in _LOCAL:
        operation["security"] = [*signed, {}]
    elif (method, path) not in _OPEN:
        operation["security"] = signed
    answers = operation.setdefault("responses", {})
    validated = answers.pop("422", None) is not None
    for status in sorted(set(_errors(method, path, validated))):
        answers[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model=ProblemModel.__name__)}}},
        }


def _errors(method: str, path: str, validated: bool) -> Iterator[int]:
    """Yields the statuses of the errors that an operation answers."""
    yield from _MORE.get((method, path), ())
    if (method, path) not in _OPEN:
        yield 401
    if method not in ("get", "head"):
        yield 403  # a page of another site asks
    if "{id}" in path:
        yield 404
    if validated:
        yield 422
    if (method, path) not in _NO_DATABASE:
        yield 503
