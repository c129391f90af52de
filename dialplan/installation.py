"""Copies the files into Asterisk's configuration folder, and says what a person has to add by hand.

The administrator's own files (extensions.conf, manager.conf) are read and never written.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from dialplan.texts import GLOBALS, MANAGER, SUBROUTINE, Settings, files, render, secret_in
from fastagi.errors import BadInput

__all__ = ["Action", "Installation", "Step", "advice", "install"]

_INCLUDES: Final = ("#include", "#tryinclude")
_MODE: Final = 0o640
"""The manager file holds a secret; Asterisk reads its files as their owner."""


class Action(StrEnum):
    """What is done with a file."""

    WRITE = "write"
    REPLACE = "replace"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Step:
    """One file, and what is done with it. `backup` is where the former one goes."""

    path: Path
    action: Action
    backup: Path | None = None

    def __str__(self) -> str:
        saved = f" (the former one is {self.backup.name})" if self.backup else ""
        return f"{self.action.value:8} {self.path}{saved}"


@dataclass(frozen=True, slots=True)
class Installation:
    """What was done, or would be; and the settings that now hold (the secret may be one that was there)."""

    steps: tuple[Step, ...]
    settings: Settings


def install(
    folder: Path, settings: Settings, *, keep_secret: bool = True, dry_run: bool = False
) -> Installation:
    """Copies the files into a folder.

    The globals file is the administrator's: one that is there stays. The others are replaced where they
    differ, after a copy of the former one was put beside it.

    Args:
        folder: Asterisk's configuration folder, usually /etc/asterisk.
        settings: for this PBX.
        keep_secret: go on with the secret of a manager file that is there.
        dry_run: change nothing, only say what would be done.

    Raises:
        BadInput: the folder is missing or cannot be written; what was not written yet is not there.
    """
    if not folder.is_dir():
        raise BadInput(str(folder), "there is no such folder; name Asterisk's own with --folder")
    try:
        former = _read(folder / MANAGER)
        if keep_secret and (secret := secret_in(former or "")):
            settings = replace(settings, secret=secret)
        steps = tuple(_step(folder / name, render(name, settings)) for name in files())
        if not dry_run:
            for step in steps:
                _carry_out(step, render(step.path.name, settings))
    except OSError as error:
        reason = f"{error.strerror or error}: {error.filename}; run it as root or as Asterisk's user"
        raise BadInput(str(folder), reason) from None
    return Installation(steps, settings)


def advice(folder: Path) -> str:
    """Returns what is still to be added by hand, and how Asterisk takes it in."""
    is_freepbx = (folder / "extensions_additional.conf").exists()
    extensions = "extensions_custom.conf" if is_freepbx else "extensions.conf"
    wanted = (
        ("globals_custom.conf" if is_freepbx else "extensions.conf, below [globals]", GLOBALS),
        (extensions, SUBROUTINE),
        ("manager_custom.conf" if is_freepbx else "manager.conf", MANAGER),
    )
    lines = [
        f"  {where:34} #include {name}" for where, name in wanted if not _is_included(folder, where, name)
    ]
    todo = ["Add these lines:", *lines] if lines else ["The three files are included already."]
    example = "extensions_freepbx.conf" if is_freepbx else "extensions_example.conf"
    return "\n".join(
        [
            *todo,
            f"Call the subroutine where calls come in, in {folder / extensions}:",
            "  same => n,Gosub(whocalls,s,1)",
            f"  (whocalls dialplan show examples/{example} has a whole context)",
            "Then let Asterisk take it in:",
            "  asterisk -rx 'dialplan reload'",
            "  asterisk -rx 'manager reload'",
        ]
    )


def _is_included(folder: Path, where: str, name: str) -> bool:
    text = _read(folder / where.partition(",")[0]) or ""
    lines = (line.split(";")[0].split() for line in text.splitlines())
    return any(len(words) == 2 and words[0] in _INCLUDES and words[1].strip('"<>') == name for words in lines)


def _step(path: Path, text: str) -> Step:
    former = _read(path)
    if former is None:
        return Step(path, Action.WRITE)
    if former == text or path.name == GLOBALS:
        return Step(path, Action.KEEP)
    return Step(path, Action.REPLACE, _free_name(path))


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.bak{number or ''}") for number in range(1000))
    return next(name for name in names if not name.exists())


def _carry_out(step: Step, text: str) -> None:
    if step.action is Action.KEEP:
        return
    if step.backup is not None:
        _write(step.backup, step.path.read_text(encoding="utf-8", errors="surrogateescape"))
    _write(step.path, text)


def _write(path: Path, text: str) -> None:
    """Writes a file whole or not at all, readable for the folder's owner and group (Asterisk) only."""
    half = path.with_name(f"{path.name}.new")
    try:
        half.touch(_MODE)
        half.chmod(_MODE)
        owner = path.parent.stat()
        if os.geteuid() == 0:
            os.chown(half, owner.st_uid, owner.st_gid)
        half.write_text(text, encoding="utf-8", errors="surrogateescape")
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
