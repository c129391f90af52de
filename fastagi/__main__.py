"""`python -m fastagi` is the program `whocalls`."""

from fastagi.cli import main

main()
