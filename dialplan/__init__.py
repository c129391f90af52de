"""What Asterisk needs to ask whocalls: the subroutine, its settings and the manager account."""

from dialplan.installation import Installation, Step, advice, install
from dialplan.texts import GLOBALS, MANAGER, SUBROUTINE, Settings, examples, files, new_secret, render

__all__ = [
    "GLOBALS",
    "MANAGER",
    "SUBROUTINE",
    "Installation",
    "Settings",
    "Step",
    "advice",
    "examples",
    "files",
    "install",
    "new_secret",
    "render",
]
