"""The command line. `main` is the program `whocalls`; each file beside it holds the commands of one matter."""

from fastagi.cli.program import main

__all__ = ["main"]
