"""The scenes that ``tests.lab.record`` records."""

from . import calls, outages, queues, transfers
from .scene import SCENES, Scene

__all__ = ["SCENES", "Scene", "calls", "outages", "queues", "transfers"]
