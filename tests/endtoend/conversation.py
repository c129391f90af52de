"""Calls of a test from both ends: who calls, which phone rings, and how long it took to get there."""

import itertools
from pathlib import Path

from tests.lab.lab import TRUNK_AGI, Lab
from tests.lab.leg import Leg
from tests.product import Product, until

__all__ = [
    "LIMIT",
    "TRUNK_NAME",
    "Conversation",
    "live_rows",
    "row_of",
    "rows_of",
    "write_subscribers",
]

LIMIT = 2.5
"""Seconds within which every call goes on to its phone, whatever happens (the house's first rule)."""
TRUNK_NAME = "As the trunk gave it"
SUBSCRIBERS = range(79165550001, 79165550301)
"""Numbers that `write_subscribers` gives a name; each call takes the next one."""
DIDS = {"101": "one", "102": "102_direct"}


_next_number = itertools.cycle(map(str, SUBSCRIBERS)).__next__


def write_subscribers(file: Path) -> Path:
    """Writes the CSV of all these subscribers."""
    rows = [f"{number},{_name(str(number))},+{number}" for number in SUBSCRIBERS]
    file.write_text("\n".join(["id,name,phones", *rows]), encoding="utf-8")
    return file


class Conversation:
    """A call from outside that rings one phone; its caller is a subscriber.

    Args:
        lab: where.
        phone: "101" or "102".
        did: dials another number than the phone's own.
        trunk: whose caller it is.
    """

    def __init__(
        self, lab: Lab, phone: str = "101", *, did: str | None = None, trunk: str = TRUNK_AGI
    ) -> None:
        self.number = number = _next_number()
        self._lab = lab
        self._phone = lab.phone(phone)
        self._before = len(self._phone.calls)
        self.call = lab.trunk_call(did or DIDS[phone], number, name=TRUNK_NAME, trunk=trunk)

    @property
    def leg(self) -> Leg:
        """The phone's end; waits until it rings."""
        self._phone.wait_for(lambda: self._legs(), f"the call of {self.number}", 20)
        (leg,) = self._legs()
        return leg

    def _legs(self) -> list[Leg]:
        return [leg for leg in self._phone.calls[self._before :] if leg.number == self.number]

    @property
    def delay(self) -> float:
        """Seconds from the caller's INVITE to the phone's."""
        return self.leg.times["new"] - self.call.times["new"]

    @property
    def name(self) -> str:
        """The name of this subscriber."""
        return _name(self.number)

    def in_time(self) -> "Conversation":
        """Asserts that it rang in time."""
        print(f"{self.number} rang after {self.delay:.3f} s")
        assert self.delay <= LIMIT, f"{self.number} reached the phone after {self.delay:.2f} s"
        return self

    def named(self) -> "Conversation":
        """Asserts that it rang in time, under the subscriber's name."""
        return self._rings(self.name)

    def unnamed(self) -> "Conversation":
        """Asserts that it rang in time, under the name the trunk gave it."""
        return self._rings(TRUNK_NAME)

    def _rings(self, name: str) -> "Conversation":
        self.in_time()
        assert self.leg.name == name
        return self

    def answer(self) -> "Conversation":
        """The operator answers, and the two hear each other."""
        self.leg.answer()
        self.call.wait("answered")
        self._lab.asterisk.wait_bridged(2)
        return self

    def hang_up(self) -> None:
        """The caller hangs up."""
        self.leg.wait("ringing")
        self.call.hang_up()
        self.call.wait("ended")
        self.leg.wait("ended")


def _name(number: str) -> str:
    return f"Абонент {number[-3:]}"


def rows_of(product: Product, *conversations: Conversation) -> list[dict]:
    """The rows of these calls in their order; each is there once."""
    return [row_of(product, conversation) for conversation in conversations]


def row_of(product: Product, conversation: Conversation) -> dict:
    """The call's row; there is exactly one. Waits until it is there."""
    rows = until(
        lambda: product.calls(number=conversation.number),
        message=f"no row of {conversation.number} came",
    )
    (row,) = [row for row in rows if row["caller"]["raw"] == conversation.number]
    return row


def live_rows(product: Product) -> set[str]:
    """The callers of all calls that the lists show as live."""
    return {row["caller"]["raw"] for row in product.calls() if row["outcome"] is None}
