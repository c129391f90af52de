"""The static files of the console, kept in memory and served under an address that changes with them.

A browser may keep `/static/VERSION/…` for ever, since VERSION is a digest of all files; modules import each
other by relative addresses, so one version never mixes with another. A page of an older version that is still
open gets today's files, marked not to be kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from fastapi import Response

__all__ = ["Assets", "load_assets"]

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Assets:
    """Static files by name, and the digest that names this set of them."""

    by_name: Mapping[str, bytes]
    version: str

    def response(self, version: str, name: str) -> Response:
        """Answers a request for a file; 404 where there is none of that name."""
        body = self.by_name.get(name)
        if body is None:
            return Response("No such file.", 404, media_type="text/plain")
        headers = {"Cache-Control": _FOR_EVER if version == self.version else "no-store"}
        return Response(
            body, headers={**headers, "X-Content-Type-Options": "nosniff"}, media_type=_type(name)
        )


def load_assets() -> Assets:
    """Reads all static files (well under 100 kB); called once, when the site is built."""
    folder = files("webhooks.console") / "static"
    found = {one.name: one.read_bytes() for one in folder.iterdir() if _type(one.name)}
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode() + b"\0" + found[name] + b"\0")
    return Assets(found, digest.hexdigest()[:12])


def _type(name: str) -> str | None:
    return _TYPES.get(name.rpartition(".")[2])
