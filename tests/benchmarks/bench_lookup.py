"""What a lookup costs among 1 thousand, 100 thousand and 1 million subscribers (SQLite, on the loop).

    python -m tests.benchmarks.bench_lookup [--folder FOLDER] [--rounds 21]

CPU per lookup in microseconds: the median of interleaved rounds, and its ratio to the smallest database. The
databases are made in FOLDER and kept there, so that a second run begins at once.

    directory   one indexed statement and the subscriber made of its row
    lookup      raw number to answer, as a call has it: read the number (never seen before), ask the directory
    again       the same with numbers seen before
    nobody      a number that is nobody's: a second statement asks for a lead
    on a thread the same lookup where the database is not asked on the loop (as PostgreSQL and MariaDB are)
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from fastagi.calls import LookupStatus
from fastagi.database import Database
from fastagi.directory.own import OwnDirectory
from fastagi.eager import Done, first_step
from fastagi.lookup import Lookup
from fastagi.numbers import Numbers
from tests.benchmarks.subscribers import make, name_of, phone_of

SIZES = (1_000, 100_000, 1_000_000)
LOOKUPS = 1_000


class OnThread(Database):
    """The same file, asked the way a networked database is."""

    def keyed(self) -> Connection | None:
        return None


class Subject:
    """One database and everything that looks up in it."""

    def __init__(self, size: int, folder: Path) -> None:
        file = folder / f"subscribers-{size}.db"
        if not file.exists():
            make(size, file)
        self.size = size
        self.kept, self.threaded = Database(f"sqlite:///{file}"), OnThread(f"sqlite:///{file}")
        self.kept.open()
        self.threaded.open()

    def round(self, rng: random.Random) -> dict[str, float]:
        """CPU microseconds per lookup of each kind, everybody found for whom they are."""
        chosen = rng.sample(range(self.size), LOOKUPS)
        raws = [phone_of(i).removeprefix("+") for i in chosen]
        nobody = [phone_of(rng.randrange(2_000_000, 3_000_000)) for _ in chosen]
        directory, lookup = self._lookup(self.kept)
        parsed = [Numbers("RU", r"^\d{2,4}$").parse(raw) for raw in raws]
        costs = {
            "directory": _cost([lambda n=n: directory.find(n) for n in parsed]),
            "lookup": _cost([lambda raw=raw: lookup.find(raw) for raw in raws]),
            "again": _cost([lambda raw=raw: lookup.find(raw) for raw in raws]),
        }
        lookup_nobody = self._lookup(self.kept)[1]
        costs["nobody"] = _cost([lambda raw=raw: lookup_nobody.find(raw) for raw in nobody])
        for i, raw in zip(chosen, raws, strict=True):
            step = first_step(lookup.find(raw))
            assert isinstance(step, Done) and step.value.subscribers[0].name == name_of(i), (i, raw)
        return costs

    async def threads(self, rng: random.Random) -> float:
        """The same on a thread, one lookup at a time."""
        lookup = self._lookup(self.threaded)[1]
        raws = [phone_of(i).removeprefix("+") for i in rng.sample(range(self.size), LOOKUPS)]
        began = time.process_time()
        for raw in raws:
            assert (await lookup.find(raw)).status is LookupStatus.FOUND
        return (time.process_time() - began) / LOOKUPS * 1e6

    def _lookup(self, database: Database) -> tuple[OwnDirectory, Lookup]:
        url = "https://billing.example/?uid={id}"
        directory = OwnDirectory(database, "own", subscriber_url=url, currency="RUB")
        return directory, Lookup(Numbers("RU", r"^\d{2,4}$"), [directory], deadline=5.0)

    async def close(self) -> None:
        """Closes both."""
        await self.kept.close()
        await self.threaded.close()


def _cost(asked: list[Callable[[], Coroutine[Any, Any, object]]]) -> float:
    began = time.process_time()
    for ask in asked:
        step = first_step(ask())
        assert isinstance(step, Done), "a lookup in SQLite must not wait"
    return (time.process_time() - began) / len(asked) * 1e6


async def main(folder: Path, rounds: int) -> None:
    """Measures and prints."""
    subjects = [Subject(size, folder) for size in SIZES]
    rng = random.Random(20261123)
    costs: dict[tuple[str, int], list[float]] = {}
    for turn in range(rounds + 1):
        for subject in subjects:
            measured = subject.round(rng) | {"on a thread": await subject.threads(rng)}
            for kind, cost in measured.items() if turn else ():  # the first round only warms up
                costs.setdefault((kind, subject.size), []).append(cost)
    for subject in subjects:
        await subject.close()
    print(f"{'µs CPU per lookup':18}" + "".join(f"{size:>12,}{'ratio':>7}" for size in SIZES))
    for kind in dict.fromkeys(kind for kind, _ in costs):
        medians = [statistics.median(costs[kind, size]) for size in SIZES]
        print(f"{kind:18}" + "".join(f"{one:12.1f}{one / medians[0]:7.2f}" for one in medians))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a lookup costs in small and large directories.")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()) / "whocalls-benchmarks",
        help="kept databases",
    )
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(arguments.folder, arguments.rounds))
