"""What a scene is: people who call, ring, answer and hang up, while everything is recorded."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..lab import Lab
from ..leg import Leg
from ..recorder import Recorder

__all__ = ["SCENES", "Scene", "pause", "scene", "talk"]

Work = Callable[[Lab, Recorder], None]


@dataclass(frozen=True)
class Scene:
    """One scene: the work, what people do in it (its docstring), and how it ends."""

    work: Work
    what: str
    outcome: str


SCENES: dict[str, Scene] = {}


def scene(outcome: str) -> Callable[[Work], Work]:
    """Register a function under ``20_<its name>``; its docstring goes into the notes."""

    def register(work: Work) -> Work:
        SCENES[f"20_{work.__name__}"] = Scene(work, " ".join((work.__doc__ or "").split()), outcome)
        return work

    return register


def pause(seconds: float) -> None:
    """Let time pass as it does for people: ringing and talking take a while."""
    time.sleep(seconds)


def talk(leg: Leg, call: Leg, ring: float = 1.0, talking: float = 1.5) -> None:
    """Let a phone ring, answer it, and talk."""
    pause(ring)
    leg.answer()
    call.wait("answered")
    pause(talking)
