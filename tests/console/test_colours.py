"""Contrast of text and ground, read from the style sheet: AA is 4.5 to 1 for text, 3 to 1 for signs."""

import re
from importlib.resources import files

import pytest

SHEET = (files("webhooks.console") / "static" / "base.css").read_text(encoding="utf-8")

TEXT = [
    *((ink, ground) for ink in ("text", "soft") for ground in ("ground", "surface", "raised", "hover")),
    *((ink, "surface") for ink in ("accent", "wrong", "waiting")),
    *((ink, "raised") for ink in ("accent", "wrong", "waiting")),
    ("text", "accent-soft"),
    ("soft", "accent-soft"),
    ("accent", "accent-soft"),
    ("accent-strong", "accent-soft"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("wrong", "wrong-soft"),
]
# The word beside a dot says the same; a dot still has to be seen.
SIGNS = [(ink, ground) for ink in ("live", "wrong", "outline") for ground in ("surface", "raised")]


def themes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root(\[[^\]]+\])? \{(.*?)\}", SHEET, re.S)
    found = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", body)) for _, body in blocks]
    light, *dark = found
    assert len(dark) == 2, "a theme by choice and one by the system"
    assert dark[0] == dark[1], "both dark themes are the same"
    return {"light": light, "dark": dark[0]}


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable(theme: str) -> None:
    colours = themes()[theme]
    poor = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in TEXT}
    assert {pair: value for pair, value in poor.items() if value < 4.5} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_signs_are_seen(theme: str) -> None:
    colours = themes()[theme]
    poor = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in SIGNS}
    assert {pair: value for pair, value in poor.items() if value < 3} == {}
