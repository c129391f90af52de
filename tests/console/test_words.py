"""Every text in every language, and none that nobody uses."""

import csv
import re
from importlib.resources import files

import pytest
from babel import Locale

from webhooks.console.words import LANGUAGES, choose_language, load_words

WORDS = load_words()
SOURCES = {
    one.name: one.read_text(encoding="utf-8")
    for folder in ("static", "templates")
    for one in (files("webhooks.console") / folder).iterdir()
    if one.name.endswith((".js", ".html"))
}

# Texts that are the same in English, and why.
SAME = {
    "person.sip_phone",  # SIP is no word of a language
    "column.id",
    "card.id",
}


def _demo_states() -> set[str]:
    """The states of service that the demo's subscribers have."""
    with files("fastagi").joinpath("demo_subscribers.csv").open(encoding="utf-8", newline="") as text:
        return {row["service_status"] for row in csv.DictReader(text)} - {""}


# Keys put together from a value of the contract or a state: each of these must be there.
BUILT = {
    *(f"theme.{one}" for one in ("system", "light", "dark")),
    *(f"column.{one}" for one in ["subscriber", "id", "phone", "status", "line", "operator", "talk", "date"]),
    *(f"status.{one}" for one in ("ringing", "in_processing", "processed", "not_processed")),
    *(f"outcome.{one}" for one in ("no_answer", "busy", "abandoned", "failed", "not_observed")),
    *(f"connection.{one}" for one in ("connecting", "live", "reconnecting")),
    *(f"card.{one}" for one in ("ringing", "mine", "taken", "elsewhere", "ended", "missed")),
    *(f"service.{one}" for one in {"enabled", "disabled", "not_active", "hold", *_demo_states()}),
}


def test_every_language_has_the_same_keys() -> None:
    for code in LANGUAGES:
        assert WORDS[code].keys() == WORDS["en"].keys(), code


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_text_is_empty_and_counted_texts_have_all_plural_forms(code: str) -> None:
    forms = {*Locale.parse(code).plural_form.tags, "other"}
    for key, text in WORDS[code].items():
        assert text, key
        if isinstance(text, dict):
            assert text.keys() == forms, key
            assert all("{count}" in form for form in text.values()), key


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_no_text_is_left_in_english_or_in_letters_of_another_language(code: str) -> None:
    foreign = {"ru": "іїєґ", "uk": "ыэёъ"}[code]
    for key, text in WORDS[code].items():
        assert key in SAME or text != WORDS["en"][key], key
        assert not set(str(text).lower()) & set(foreign), key


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_text_has_the_same_places_for_values_in_every_language(code: str) -> None:
    places = re.compile(r"\{(\w+)\}")
    for key, text in WORDS[code].items():
        assert set(places.findall(str(text))) == set(places.findall(str(WORDS["en"][key]))), key


def test_every_key_that_is_used_exists_and_every_key_is_used() -> None:
    # say("key"), and keys chosen by a condition; in templates a key may end in a dot and a value.
    literal = re.compile(r"""say\(\s*["']([\w.]+\w)["']|["']((?:calls|search|card)\.\w+)["']""")
    used = {key for text in SOURCES.values() for found in literal.findall(text) for key in found if key}
    assert used | BUILT == set(WORDS["en"])


@pytest.mark.parametrize(
    ("chosen", "own", "accepted", "language"),
    [
        ("uk", "ru", "en", "uk"),
        (None, "ru", "uk", "ru"),
        (None, None, "uk-UA,uk;q=0.9,en;q=0.8", "uk"),
        (None, None, "de-DE,ru;q=0.4,en;q=0.6", "en"),
        (None, None, "de", "ru"),
        (None, None, "", "ru"),
        (None, None, "en;q=0, uk;q=nonsense, *", "ru"),
        ("xx", "yy", "uk", "uk"),
        (None, None, "," * 100_000 + "uk", "ru"),
    ],
)
def test_the_language_is_chosen_by_the_person_then_the_browser_then_the_configuration(
    chosen: str | None, own: str | None, accepted: str, language: str
) -> None:
    assert choose_language(chosen=chosen, own=own, accepted=accepted, default="ru") == language


def test_a_configured_language_that_we_do_not_have_becomes_english() -> None:
    assert choose_language(chosen=None, own=None, accepted="", default="de") == "en"
