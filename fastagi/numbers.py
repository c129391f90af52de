"""Raw numbers, as trunks and people write them, to one form. Pure (phonenumbers).

The rules and the withheld forms are in FACTS.md B5.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Kind", "Number"]


class Kind(StrEnum):
    """What sort of number it is."""

    E164 = "e164"
    INTERNAL = "internal"
    WITHHELD = "withheld"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Number:
    """A number: `raw` as it came, `value` in its one form.

    `value` is "+79161234567" for E164, the extension's digits for INTERNAL, "" for the others.
    """

    raw: str
    kind: Kind
    value: str
    region: str | None = None

    @property
    def e164(self) -> str | None:
        """The number in E.164, or None where it has none."""
        return self.value if self.kind is Kind.E164 else None
