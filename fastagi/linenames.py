"""The names of lines: a called number as a person wrote it in [lines], and as calls carry it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fastagi.errors import BadInput
from fastagi.numbers import Numbers

__all__ = ["readable_lines"]


def readable_lines(lines: Mapping[str, str], numbers: Numbers) -> dict[str, str]:
    """Returns the lines by called number, each read as the numbers of calls are.

    What is no number of a country ("sales", an extension) stays as it is written; so it comes from the trunk too.

    Args:
        lines: number as written to the name shown for it.
        numbers: reads the numbers.

    Raises:
        BadInput: a key that no call can have, or two keys that are one number.
    """
    read: dict[str, str] = {}
    written: dict[str, str] = {}
    for key, name in lines.items():
        number = numbers.parse(key).e164
        if number is None and (not key.strip() or key.startswith("+")):
            raise BadInput(key, "is no telephone number; write it as +380441230001 or as the trunk sends it")
        value = number or key
        if value in read:
            raise BadInput(key, f"is the same number as {written[value]!r}; leave one of them out")
        read[value], written[value] = name, key
    return read
