"""Coroutine tests of this folder run on asyncio, by anyio's plugin."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
