"""Money as directories hold it, to the decimal string that everybody else speaks in. Pure."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["money"]

_USUAL = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{2}")
# Thousands may be parted by blanks or apostrophes; a comma before the end is a decimal point.
_WRITTEN = re.compile(r"[+-]?[0-9]{1,15}([.,][0-9]{0,8})?")
_BETWEEN = str.maketrans("", "", " \u00a0\u202f'’")


def money(text: str) -> str | None:
    """Returns an amount with at least two decimals ("-12.50"), or None where the text is none.

    Args:
        text: "-12.5", "1 200", "12,50", "+3"; no currency and no exponent.
    """
    if _USUAL.fullmatch(text) and text != "-0.00":
        return text
    plain = text.strip().replace("\u2212", "-").translate(_BETWEEN)
    if not _WRITTEN.fullmatch(plain):
        return None
    amount = Decimal(plain.replace(",", ".")).normalize()
    exponent = amount.as_tuple().exponent
    decimals = max(2, -exponent if isinstance(exponent, int) else 2)
    return f"{amount if amount else abs(amount):.{decimals}f}"
