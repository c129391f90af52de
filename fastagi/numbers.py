"""Raw numbers, as trunks and people write them, to one form. Pure (phonenumbers).

The forms that trunks send, and how they say "withheld", are in FACTS.md B5. A caller writes the raw number, so
everything here is bounded, and none of it raises. Two rules come before being helpful:

* one number is never read as another's: where digits can be read in two ways the order in `_readings` decides,
  always alike; words may follow a valid number, but none may stand before it, and no second number after it;
* what was read once reads the same again: ``parse(parse(x).value).value == parse(x).value``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from urllib.parse import unquote

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, PhoneNumberFormat

__all__ = ["Kind", "Number", "Numbers", "spaced"]


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


RAW_LIMIT = 255
"""Longest raw number looked at, in characters; SIP cuts at 79 bytes (FACTS.md B5)."""
DIGITS_LIMIT = 25
"""Most digits: 15 of E.164, an access code and a trunk's prefix, with room to spare."""
PATTERN_LIMIT = 24
"""Longest text that a pattern to skip sees, enough for "+380 (44) 123-45-67": a bad pattern takes twice as long for
each character more."""
EXTENSION_LIMIT = 16
"""Longest internal extension, for the same reason."""
CACHE_SIZE = 16_384
"""Numbers remembered (about 6 MB): it takes 6 to 30 µs to read one, 0.2 µs to remember it."""
SECOND_NUMBER = 7
"""This many digits after the number are another number, and nobody can say which one is meant."""
FOREIGN_DIGITS = 10
"""Fewest digits read as a foreign number without its plus: a national one that lacks a digit is shorter."""
CLOSED_PLAN = 3
"""A country whose numbers have at most so many lengths has a closed plan: there the length tells."""

# "asterisk" is what an Asterisk without any caller number writes into From.
_WITHHELD_WORDS = frozenset(
    (
        "anonymous",
        "asterisk",
        "blocked",
        "hidden",
        "private",
        "restricted",
        "unavailable",
        "unknown",
        "withheld",
    )
)
_PROHIBITED_OR_UNAVAILABLE = 0x60  # bits of agi_callingpres: 32 to 35 prohibited, 64 to 67 unavailable

_WORD = re.compile(r"[^\W\d_]+")
_BRACKETED = re.compile(r"<([^<>]*)>")
_SCHEME = re.compile(r"(tel|sips?):", re.IGNORECASE)
_CONTEXT = re.compile(r";phone-context=(\+[0-9().-]+)", re.IGNORECASE)
_PARAMETER = re.compile(r";[A-Za-z]")
# The last part takes whatever is left, so the expression never has to backtrack.
_SHAPE = re.compile(r"[ \t().-]*(?P<plus>\+*)(?P<body>[ \t0-9().\-/]*)(?P<tail>.*)", re.DOTALL)
_E164 = re.compile(r"\+[0-9]{1,15}")
_FULL_WIDTH = str.maketrans("＋（）．；＠＜＞：−", "+().;@<>:-")


@dataclass(frozen=True, slots=True)
class _Shape:
    """The parts of a written number: international or not, its digits, and whether anything follows."""

    plus: bool
    digits: str
    tail: bool


class Numbers:
    """Reads raw numbers.

    Args:
        region: the default country, as in "RU".
        internal: regular expression; digits that match it are an internal extension.
        prefixes: what a trunk or PBX puts before every number, taken off first.
        skip: regular expressions over the raw number; those are never looked up.
    """

    def __init__(
        self, region: str, internal: str, prefixes: Sequence[str] = (), skip: Sequence[str] = ()
    ) -> None:
        self.region = region
        self.internal = internal
        self._internal = re.compile(internal)
        self.prefixes = tuple(prefixes)
        self._skip = tuple(re.compile(one) for one in skip)
        self._plan = _plan(region)
        self._remembered = lru_cache(CACHE_SIZE)(self._read)

    def parse(self, raw: str | None, *, presentation: int = 0) -> Number:
        """Reads a number; never raises.

        Args:
            raw: as it came.
            presentation: agi_callingpres; a number that came with presentation prohibited is WITHHELD.
        """
        if raw is None:
            return Number("", Kind.WITHHELD, "")
        if len(raw) > RAW_LIMIT:
            return Number(raw, Kind.INVALID, "")
        number = self._remembered(raw)
        if presentation & _PROHIBITED_OR_UNAVAILABLE:
            return replace(number, kind=Kind.WITHHELD, value="", region=None)
        return number

    def skip(self, raw: str) -> bool:
        """Says whether the administrator wants this raw number left alone."""
        if not self._skip:
            return False
        text = raw.strip()
        return len(text) <= PATTERN_LIMIT and any(one.search(text) for one in self._skip)

    def _read(self, raw: str) -> Number:
        text = _user(_plain(raw))
        if _is_withheld(text):
            return Number(raw, Kind.WITHHELD, "")
        spellings = [*self._without_prefix(text), text]
        for spelling in (text, *spellings):
            if self._is_internal(spelling):
                return Number(raw, Kind.INTERNAL, spelling)
        shapes = [_shape(spelling) for spelling in spellings]
        common = self._plan.common_number(shapes[0]) if shapes[0] else None
        if common is not None:
            return Number(raw, Kind.E164, common, self.region)
        found = self._best(shapes)
        if found is None:
            return Number(raw, Kind.INVALID, "")
        value = phonenumbers.format_number(found, PhoneNumberFormat.E164)
        return Number(raw, Kind.E164, value, phonenumbers.region_code_for_number(found))

    def _without_prefix(self, text: str) -> list[str]:
        return [text[len(one) :].strip() for one in self.prefixes if one and text.startswith(one)]

    def _is_internal(self, text: str) -> bool:
        return len(text) <= EXTENSION_LIMIT and text.isdigit() and bool(self._internal.search(text))

    def _best(self, shapes: list[_Shape | None]) -> PhoneNumber | None:
        """Returns the first valid reading, else the first possible one with nothing behind it."""
        possible: PhoneNumber | None = None
        for shape in shapes:
            for reading in self._readings(shape) if shape else ():
                if phonenumbers.is_valid_number(reading):
                    return reading
                if possible is None and shape and not shape.tail and _is_possible(reading):
                    possible = reading
        return possible

    def _readings(self, shape: _Shape) -> Iterator[PhoneNumber]:
        """Yields what the digits can mean, the likeliest first.

        A national reading that fits the country's plan ends the search, so that a Moscow number of an unknown
        exchange does not become somebody in Denmark.
        """
        digits, plan = shape.digits, self._plan
        if shape.plus:
            yield from _parsed("+" + digits) or _valid(_parsed(digits, self.region))  # "+8 (916) 123-45-67"
            return
        if digits.startswith("00"):  # understood in every country, also where it is not the access code
            yield from _parsed("+" + digits[2:])
        if plan.prefix and digits.startswith(plan.code):
            yield from _valid(_parsed("+" + digits))
        home = _parsed(digits, self.region)
        if any(plan.fits(one, digits) for one in home):
            yield from home
            return
        if len(digits) >= FOREIGN_DIGITS:
            yield from _valid(_parsed("+" + digits))
        yield from home


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is needed of a country's numbering plan.

    `prefix` is dialled before national numbers, `access` before international ones. `dialled` is the expression
    for what may stand before a national number, `common` matches an ordinary number without any of that; both are
    None where the country rewrites its numbers or shares its code with a larger one.
    """

    code: str
    prefix: str
    closed: bool
    access: re.Pattern[str]
    dialled: re.Pattern[str] | None
    common: re.Pattern[str] | None

    def common_number(self, shape: _Shape) -> str | None:
        """Reads an ordinary number of this country as `_readings` does, in a fifth of the time."""
        if self.common is None or self.dialled is None:
            return None
        front, digits = self.code, shape.digits
        if not digits.startswith(front):
            dialled = self.dialled.match(digits)
            if shape.plus or self.access.match(digits) or not dialled or dialled[0] != self.prefix:
                return None
            front = self.prefix
        national = digits[len(front) :]
        return f"+{self.code}{national}" if self.common.fullmatch(national) else None

    def fits(self, number: PhoneNumber, digits: str) -> bool:
        """Says whether the digits, as written, are a number of this country by the plan.

        Where numbers have any length (Germany, Austria) only the national prefix tells.
        """
        return (
            str(number.country_code) == self.code
            and (self.closed or digits.startswith(self.prefix))
            and _is_possible(number)
        )


def _plan(region: str) -> _Plan:
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or metadata.general_desc is None:
        raise ValueError(f"no such region: {region!r}")
    prefix = metadata.national_prefix or ""
    main = phonenumbers.region_code_for_country_code(metadata.country_code or 0) == region
    plain = prefix and main and not metadata.national_prefix_transform_rule
    return _Plan(
        code=str(metadata.country_code),
        prefix=prefix,
        closed=not prefix or len(metadata.general_desc.possible_length) <= CLOSED_PLAN,
        access=re.compile(f"00|{metadata.international_prefix or '00'}"),
        dialled=re.compile(metadata.national_prefix_for_parsing or prefix) if plain else None,
        common=_common(metadata) if plain else None,
    )


def _common(metadata: PhoneMetadata) -> re.Pattern[str]:
    general, *kinds = (
        kind.national_number_pattern or "$."  # matches nothing
        for kind in (metadata.general_desc, metadata.mobile, metadata.fixed_line)
        if kind
    )
    dialled = metadata.national_prefix_for_parsing or metadata.national_prefix
    return re.compile(f"(?!{dialled})(?=(?:{general})$)(?:{'|'.join(kinds)})")


def _is_possible(number: PhoneNumber) -> bool:
    """Says whether the plan of its country leaves room for it, also where nobody has such a number yet.

    A valid number needs a range that is given out; new ranges come before their entry in the metadata.
    """
    main = PhoneMetadata.metadata_for_region(
        phonenumbers.region_code_for_country_code(number.country_code or 0)
    )
    pattern = main.general_desc.national_number_pattern if main and main.general_desc else None
    digits = phonenumbers.national_significant_number(number)
    return pattern is not None and re.fullmatch(pattern, digits) is not None


def _parsed(text: str, region: str | None = None) -> list[PhoneNumber]:
    """Returns the one number that phonenumbers sees, or none."""
    try:
        return [phonenumbers.parse(text, region)]
    except NumberParseException:
        return []


def _valid(numbers: list[PhoneNumber]) -> list[PhoneNumber]:
    return [one for one in numbers if phonenumbers.is_valid_number(one)]


def _user(raw: str) -> str:
    """Takes the number out of a SIP or tel URI, a name-and-address or angle brackets."""
    text = _plain(raw)
    if bracketed := _BRACKETED.search(text):
        text = bracketed[1].strip()
    scheme = _SCHEME.match(text)
    user, at, _ = text.partition("@")
    if scheme is None:
        return user
    if scheme[1].lower() != "tel" and not at:
        return ""  # a host without a user: no number was sent
    user = _plain(unquote(user[scheme.end() :]))
    context = _CONTEXT.search(user)
    return context[1] + user if context and not user.startswith("+") else user


def _plain(text: str) -> str:
    """Writes every script's digits, plus, blanks and dashes as ASCII, and drops invisible characters."""
    if not text.isascii():
        text = "".join(map(_plain_character, text.translate(_FULL_WIDTH)))
    return text.strip(" \t\"'")


def _plain_character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return {"Cf": "", "Zs": " ", "Pd": "-"}.get(category, character)


def _is_withheld(text: str) -> bool:
    if not text.strip("<>"):
        return True
    words = _WORD.findall(text.casefold())
    return not _WITHHELD_WORDS.isdisjoint(words) and not any(map(str.isdigit, text))


def _shape(text: str) -> _Shape | None:
    """Returns the parts of a written number, or None where it is none or more than one."""
    match = _SHAPE.match(text)
    assert match is not None, "every part may be empty"
    digits = "".join(filter(str.isdigit, match["body"]))
    tail = match["tail"]
    if not 0 < len(digits) <= DIGITS_LIMIT:
        return None
    if not _PARAMETER.match(tail) and sum(map(str.isdigit, tail)) >= SECOND_NUMBER:
        return None
    return _Shape(bool(match["plus"]), digits, bool(tail.strip()))


@lru_cache(CACHE_SIZE)
def spaced(value: str) -> str:
    """Returns a number as people read it ("+7 916 123-45-67"); what is no E.164 is left as it is."""
    if not _E164.fullmatch(value):
        return value
    number = _parsed(value)
    return phonenumbers.format_number(number[0], PhoneNumberFormat.INTERNATIONAL) if number else value
