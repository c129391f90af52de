"""The words of the console in every language, and the choice of a language.

One JSON file per language, key to text. A text that counts something is an object with one text for each
plural category of the language (CLDR: English one, other; Russian and Ukrainian one, few, many, other); the
browser picks the category by Intl.PluralRules. Templates and scripts read the same files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

__all__ = ["LANGUAGES", "Text", "Words", "choose_language", "load_words"]

Text = str | dict[str, str]
Words = Mapping[str, Text]

LANGUAGES: Final = {"en": "English", "ru": "Русский", "uk": "Українська"}
"""Language code to its own name, in the order in which they are offered."""

_HEADER_LIMIT: Final = 500
"""Characters of Accept-Language that are looked at; browsers send under 100."""


def load_words() -> Mapping[str, Words]:
    """Reads the texts of all languages; called once, when the site is built."""
    folder = files("webhooks.console") / "translations"
    return {code: json.loads((folder / f"{code}.json").read_text(encoding="utf-8")) for code in LANGUAGES}


def choose_language(*, chosen: str | None, own: str | None, accepted: str, default: str) -> str:
    """Returns the language of a page.

    Args:
        chosen: what the person chose in this browser; wins where we have it.
        own: the language of the person's account.
        accepted: the browser's Accept-Language header.
        default: the language of the configuration.
    """
    wanted = [chosen, own, *_accepted(accepted), default]
    return next((code for code in wanted if code in LANGUAGES), "en")


def _accepted(header: str) -> list[str]:
    """Returns the languages of an Accept-Language header, the dearest first; a broken weight counts as 0."""
    weighed = []
    for part in header[:_HEADER_LIMIT].split(","):
        tag, _, weight = part.strip().partition(";q=")
        weighed.append((_weight(weight), tag.strip().split("-")[0].lower()))
    return [tag for weight, tag in sorted(weighed, key=lambda one: -one[0]) if weight > 0]


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
