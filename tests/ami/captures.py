"""The recorded conversations with a real Asterisk, as bytes."""

from pathlib import Path

__all__ = ["CAPTURES", "read"]

_FOLDER = Path(__file__).resolve().parent.parent / "captures"
CAPTURES = sorted(str(path.relative_to(_FOLDER)) for path in _FOLDER.glob("*/ami*.txt"))
"""Every recording of an AMI client, as FOLDER/FILE."""


def read(name: str) -> bytes:
    """Return a recording, banner first."""
    return (_FOLDER / name).read_bytes()
