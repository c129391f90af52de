"""The scenes that ``tests.lab.record`` records."""

from . import calls, commanded, outages, queues, transfers
from .scene import SCENES, Scene

__all__ = ["SCENES", "Scene", "calls", "commanded", "outages", "queues", "transfers"]
