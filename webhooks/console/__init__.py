"""The console: what operators look at. Pages are server-rendered; static ES modules make them live.

It reads and changes nothing by itself: its pages fetch /api/… with the session cookie, like any client.
"""

from webhooks.console.pages import ConsoleSettings, router

__all__ = ["ConsoleSettings", "router"]
