"""A reader of Server-Sent Events over a real socket, strict about the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from webhooks.access import COOKIE

__all__ = ["EventReader", "reading", "request_head"]


class EventReader:
    """Reads blocks; `id` moves as a browser's does."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()
        self.id: str | None = None
        self.comments: list[str] = []

    async def block(self, seconds: float = 10) -> dict[str, str]:
        """Return the next block of lines; comments are put aside. Raises EOFError at the end."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(seconds):
            async for line in self._lines:
                if line.startswith(":"):
                    self.comments.append(line[1:].strip())
                elif line:
                    name, _, value = line.partition(": ")
                    assert name not in fields, f"{name} came twice in a block"
                    fields[name] = value
                elif fields:
                    self.id = fields.get("id", self.id)
                    return fields
        raise EOFError

    async def event(self) -> tuple[str, dict]:
        """Return type and JSON of the next event."""
        while True:
            block = await self.block()
            if "data" in block:
                data = json.loads(block["data"])
                assert block["event"] == data["type"]
                assert block.get("id") == (None if data["seq"] is None else str(data["seq"]))
                return block["event"], data

    async def seqs(self, count: int) -> list[int]:
        """Return the seqs of the next events."""
        return [(await self.event())[1]["seq"] for _ in range(count)]


@asynccontextmanager
async def reading(
    port: int,
    path: str = "/api/events",
    *,
    session: str | None = None,
    token: str | None = None,
    last: str | None = None,
) -> AsyncIterator[EventReader]:
    """Open a stream."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if last is not None:
        headers["Last-Event-ID"] = last
    cookies = {COOKIE: session} if session else {}
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", cookies=cookies, timeout=10) as client,
        client.stream("GET", path, headers=headers) as response,
    ):
        yield EventReader(response)


def request_head(path: str, port: int, **headers: str) -> bytes:
    """Return a request's head, for clients that speak HTTP by hand."""
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()
