"""What /metrics tells: every part's own counters, read when somebody asks. Nothing is counted twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

__all__ = ["Metrics", "Sample"]

Sample = tuple[Literal["counter", "gauge"], str, str, dict[str, str], float]
"""Kind, name without the prefix "whocalls_", help, labels, value."""


class Metrics:
    """Makes the page.

    Args:
        samples: returns the samples of all parts as they are now.
    """

    def __init__(self, samples: Callable[[], Iterable[Sample]]) -> None:
        self._samples = samples
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """Returns the page in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Reads every part (called by prometheus_client)."""
        families: dict[str, Metric] = {}
        for kind, name, text, labels, value in self._samples():
            family = families.get(name)
            if family is None:
                make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
                family = families[name] = make(f"whocalls_{name}", text, labels=tuple(labels))
            family.add_metric(tuple(labels.values()), value)  # type: ignore[attr-defined]
        yield from families.values()
