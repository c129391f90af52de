"""Records the conversations ``20_…`` of ``tests/captures`` anew, from the Asterisk of the lab.

    python -m tests.lab.record            all of them
    python -m tests.lab.record follow     those with "follow" in their name

Run it only when a capture is wanted that does not exist: the golden tests are held against the recordings.
"""

import sys
from pathlib import Path

from .lab import Lab
from .recorder import Recorder
from .scenes import SCENES, Scene

__all__ = ["main"]

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
IVANOV = {
    "CALLERID(name)": "Иванов Иван (ООО «Ромашка»)",
    "SUBSCRIBER_ID": "4711",
    "SUBSCRIBER_OPERATOR": "101",
    "LOOKUP_STATUS": "FOUND",
}


def main(wanted: str = "") -> None:
    """Record every scene with ``wanted`` in its name."""
    for name, scene in SCENES.items():
        if wanted in name:
            _record(name, scene)
            print("recorded", name)


def _record(name: str, scene: Scene) -> None:
    lab = Lab()
    agi = lab.agi_server(IVANOV)
    try:
        lab.start()
        agi.start()
        tape = Recorder(lab, CAPTURES / name, agi.transcript)
        scene.work(lab, tape)
        tape.finish(scene.what, scene.outcome)
    finally:
        agi.stop()
        lab.stop()


if __name__ == "__main__":
    main(*sys.argv[1:2])
