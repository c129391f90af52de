"""The recorded AGI dialogues, and environments made for a test."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["KEYS", "Dialogue", "environment", "recorded"]

CAPTURES = Path(__file__).parents[1] / "captures"

KEYS = {
    "agi_network": "yes",
    "agi_network_script": "lookup?pbx=main",
    "agi_request": "agi://127.0.0.1:4573/lookup?pbx=main",
    "agi_channel": "PJSIP/trunk-00000062",
    "agi_language": "en",
    "agi_type": "PJSIP",
    "agi_uniqueid": "1795423013.178",
    "agi_version": "22.10.1",
    "agi_callerid": "79161234567",
    "agi_calleridname": "unknown",
    "agi_callingpres": "0",
    "agi_callingani2": "0",
    "agi_callington": "0",
    "agi_callingtns": "0",
    "agi_dnid": "74951230001",
    "agi_rdnis": "unknown",
    "agi_context": "whocalls",
    "agi_extension": "s",
    "agi_priority": "6",
    "agi_enhanced": "0.0",
    "agi_accountcode": "",
    "agi_threadid": "140379369133760",
}
"""What Asterisk 22 sends, in its order."""


def environment(
    changes: Mapping[str, str] | None = None, *, args: tuple[str, ...] = ("1795423013.170",)
) -> bytes:
    """Returns an environment with some values changed, as Asterisk would write it: line ends in a value go out."""
    values = KEYS | dict(changes or {}) | {f"agi_arg_{n}": arg for n, arg in enumerate(args, 1)}
    lines = "".join(f"{key}: {value}\n" for key, value in values.items())
    return lines.encode("utf-8", "surrogateescape") + b"\n"


@dataclass
class Dialogue:
    """One connection of a capture: `environment` up to the empty line; then what each side said, in order."""

    name: str
    environment: bytes = b""
    turns: list[tuple[str, bytes]] = field(default_factory=list)


def recorded() -> Iterator[Dialogue]:
    """Yields every AGI connection of every capture."""
    for file in sorted(CAPTURES.glob("*/agi.txt")):
        dialogue = Dialogue(file.parent.name)
        for line in file.read_bytes().split(b"\n"):
            if line.startswith(b"# connection"):
                if dialogue.environment:
                    yield dialogue
                dialogue = Dialogue(file.parent.name)
            elif line[:2] in (b"< ", b"> "):
                _add(dialogue, line[:1].decode(), line[2:] + b"\n")
        if dialogue.environment:
            yield dialogue


def _add(dialogue: Dialogue, side: str, line: bytes) -> None:
    if dialogue.environment.endswith(b"\n\n"):
        dialogue.turns.append((side, line))
    else:
        dialogue.environment += line
