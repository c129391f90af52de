"""What has to happen before any test module is imported.

Twisted's reactor is chosen by whoever imports it first, so the asyncio reactor of the product is installed
here, on a loop of its own. Unit tests never run it: they use ``Clock`` and transports in memory.
"""

import asyncio

from twisted.internet import asyncioreactor

_LOOP = asyncio.new_event_loop()
asyncioreactor.install(_LOOP)


def pytest_unconfigure() -> None:
    """Close the loop, so that no warning about it comes after the last test."""
    if not _LOOP.is_running():
        _LOOP.close()
