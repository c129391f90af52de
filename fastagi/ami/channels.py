"""What the name of an Asterisk channel and the values beside it tell. Pure; knows no call.

A channel is called TECHNOLOGY/ENDPOINT-NUMBER ("PJSIP/101-00000063"); a Local one comes in two halves,
"Local/101@from-queue-00000000;1" and ";2", which hear each other (FACTS.md B6).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

__all__ = ["Naming", "dialled_number", "known", "local_pair"]

UNKNOWN: Final = "<unknown>"
"""How AMI writes a value that is not there."""

# Channels that Asterisk makes for itself: conferences, recordings, paging, masquerades, text messages. They
# are nobody's call, and the one for text messages never ends.
_OWN: Final = frozenset(
    {"Announcer", "CBAnn", "CBRec", "Message", "MulticastRTP", "Recorder", "Snoop", "Surrogate", "UnicastRTP"}
)
# The extensions where Asterisk puts a channel for which nobody dialled a number.
_NOT_DIALLED: Final = frozenset({"", "s", "h", "i", "t", "T"})


def known(value: str) -> str:
    """Returns a value, "" where Asterisk says it does not know it."""
    return "" if value == UNKNOWN else value


def dialled_number(exten: str) -> str | None:
    """Returns the number behind an extension; None where the extension is none that a person dials."""
    return None if exten in _NOT_DIALLED else exten


def local_pair(name: str) -> str:
    """Returns what both halves of a Local channel have in common."""
    return name[:-2] if name.endswith((";1", ";2")) else name


class Naming:
    """How channels are named on one PBX.

    Args:
        trunk_contexts: the contexts of the trunks, that is of the world outside.
        operator_pattern: regular expression whose first group (all of it, where it has none) is the SIP phone
            in a channel's name; a channel it does not match is no operator's. None: what stands between "/"
            and the last "-".
    """

    def __init__(self, trunk_contexts: Collection[str], operator_pattern: str | None) -> None:
        self._trunk_contexts = frozenset(trunk_contexts)
        self._pattern = None if operator_pattern is None else re.compile(operator_pattern)

    def is_trunk(self, context: str) -> bool:
        """Says whether a channel that belongs in this context leads outside."""
        return context in self._trunk_contexts

    def is_local(self, name: str) -> bool:
        """Says whether it is half a Local channel, which only links others."""
        return name.startswith("Local/")

    def is_own(self, name: str) -> bool:
        """Says whether Asterisk made the channel for a purpose of its own."""
        return name.partition("/")[0] in _OWN

    def endpoint(self, name: str) -> str:
        """Returns what the channel belongs to, technology and all: "PJSIP/101"."""
        return name.rpartition("-")[0] or name

    def phone(self, name: str) -> str | None:
        """Returns the SIP phone of a device channel; None where it is no operator's."""
        if self._pattern is None:
            return self.endpoint(name).partition("/")[2] or None
        found = self._pattern.search(name)
        return (found[min(1, self._pattern.groups)] or None) if found else None
