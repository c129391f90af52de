"""`/api/docs`: the API for people to read, drawn from `/api/openapi.json`.

The page has no script: the usual OpenAPI browsers are loaded from foreign servers and need inline scripts, which
our Content-Security-Policy refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from webhooks import access, sse, websocket

__all__ = ["router"]

_TEXTS: Final = (
    ("Sign-in, tokens and roles", access.__doc__),
    ("Live events over Server-Sent Events", sse.__doc__),
    ("Live events over WebSocket", websocket.__doc__),
)


def router() -> APIRouter:
    """Returns the routes."""
    routes = APIRouter(include_in_schema=False)
    environment = Environment(
        loader=PackageLoader("webhooks.api", "."), autoescape=True, undefined=StrictUndefined
    )
    style = (files("webhooks.api") / "docs.css").read_bytes()

    @routes.get("/api/docs")
    async def docs(request: Request) -> Response:
        schema = request.app.openapi()
        page = environment.get_template("docs.html").render(
            title=schema["info"]["title"],
            version=schema["info"]["version"],
            operations=list(_operations(schema)),
            texts=[(title, (text or "").split("\n\n")) for title, text in _TEXTS],
        )
        return HTMLResponse(page)

    @routes.get("/api/docs.css")
    async def css() -> Response:
        return Response(style, media_type="text/css", headers={"Cache-Control": "max-age=3600"})

    return routes


def _operations(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield {
                "method": method.upper(),
                "path": path,
                "summary": operation.get("summary", ""),
                "parameters": [_parameter(schema, one) for one in operation.get("parameters", ())],
                "errors": [status for status in operation["responses"] if status >= "400"],
                "body": _body(schema, operation.get("requestBody")),
            }


def _parameter(schema: Mapping[str, Any], parameter: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": parameter["name"],
        "where": parameter["in"] + (", required" if parameter.get("required") else ""),
        "about": parameter.get("description", ""),
        "allowed": _values(schema, parameter["schema"]),
    }


def _body(schema: Mapping[str, Any], body: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """Returns the fields of a JSON body by their names, each with the values it may have (empty: any)."""
    if body is None:
        return {}
    model = _followed(schema, body["content"]["application/json"]["schema"])
    return {name: _values(schema, form) for name, form in model.get("properties", {}).items()}


def _values(schema: Mapping[str, Any], form: Mapping[str, Any]) -> list[str]:
    """Returns the values that a schema allows where it lists them; an empty list where it does not."""
    form = _followed(schema, form)
    found = [str(form["const"])] if "const" in form else [str(one) for one in form.get("enum", ())]
    for choice in form.get("anyOf", ()):
        found += _values(schema, choice)
    return found


def _followed(schema: Mapping[str, Any], form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns what a reference points at; anything else as it is."""
    if "$ref" not in form:
        return form
    found: Mapping[str, Any] = schema["components"]["schemas"][form["$ref"].rpartition("/")[2]]
    return found
