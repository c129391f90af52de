"""Who is calling: from a raw number to an answer, within the deadline, whatever the directories do.

The caller never waits for us. A directory that answers at once costs neither a task nor a timer; past the
deadline the answer is TIMEOUT, the directory goes on, and its late answer is handed to whoever asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from fastagi.calls import LookupStatus
from fastagi.eager import Done, first_step
from fastagi.errors import DirectoryUnavailable
from fastagi.interfaces import Directory, Found, LookupAnswer
from fastagi.numbers import Kind, Number, Numbers, spaced

__all__ = ["Lookup"]

CANDIDATES = 20
"""Most subscribers in one answer."""
LATE = 1_000
"""Most lookups that run on past their deadline; beyond it the directories are not asked."""

log = structlog.get_logger("whocalls.lookup")

_UNASKED = {
    LookupStatus.SKIPPED: "a pattern of [numbers] skip matches it: no directory was asked",
    LookupStatus.WITHHELD: "no directory was asked",
    LookupStatus.UNKNOWN: "no directory was asked",
    LookupStatus.ERROR: "too many lookups wait for slow directories: no directory was asked",
}

OnLate = Callable[[LookupAnswer], None]


class Lookup:
    """Looks callers up (interfaces.NumberLookup, and what the pipeline asks).

    Args:
        numbers: reads raw numbers.
        directories: asked in this order; the first that knows the number wins.
        deadline: seconds until the answer is TIMEOUT.
        lookup_withheld: look up a number that came with presentation prohibited.
        give_up: seconds until a directory that still has no answer is abandoned.
        log_every: seconds between two log lines about the same failing directory.
        clock: monotonic seconds, for `log_every`.
    """

    def __init__(
        self,
        numbers: Numbers,
        directories: Sequence[Directory],
        *,
        deadline: float,
        lookup_withheld: bool = False,
        give_up: float = 10.0,
        log_every: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._numbers = numbers
        self._directories = tuple(directories)
        self._deadline = deadline
        self._lookup_withheld = lookup_withheld
        self._give_up = give_up
        self._complaints = _Complaints(log_every, clock)
        self._late: set[asyncio.Task[LookupAnswer]] = set()

    @property
    def late(self) -> int:
        """How many lookups run on past their deadline."""
        return len(self._late)

    async def find(self, raw: str, presentation: int = 0, on_late: OnLate | None = None) -> LookupAnswer:
        """Looks a caller up; never raises and never takes longer than the deadline.

        Args:
            raw: the number as it came.
            presentation: agi_callingpres.
            on_late: gets the answer that came after the deadline, or after the one who asked was cancelled.
        """
        number = self._numbers.parse(raw, presentation=0 if self._lookup_withheld else presentation)
        status = self._unasked(number)
        if status is not None:
            return LookupAnswer(status=status, number=number)
        step = first_step(self._ask(number, None))
        if isinstance(step, Done):
            return step.value
        task = asyncio.get_running_loop().create_task(step)
        try:
            done, _ = await asyncio.wait((task,), timeout=self._deadline)
        except asyncio.CancelledError:
            self._let_run(task, on_late)
            raise
        if done:
            return task.result()
        self._let_run(task, on_late)
        return LookupAnswer(status=LookupStatus.TIMEOUT, number=number)

    async def explain(self, raw: str) -> LookupAnswer:
        """Looks a number up and says in words what was done; waits for a slow directory until it is given up."""
        number = self._numbers.parse(raw)
        steps = [self._reading(number)]
        status = self._unasked(number)
        if status is not None:
            return LookupAnswer(status=status, number=number, steps=(*steps, _UNASKED[status]))
        began = asyncio.get_running_loop().time()
        try:
            answer = await asyncio.wait_for(self._ask(number, steps), self._give_up)
        except TimeoutError:
            steps.append(f"no answer within {self._give_up:g} s")
            answer = LookupAnswer(status=LookupStatus.TIMEOUT, number=number)
        took = asyncio.get_running_loop().time() - began
        if took > self._deadline:
            steps.append(
                f"that took {took:.2f} s: a call is answered TIMEOUT after {self._deadline:g} s,"
                " and what is found later reaches only journal and browser"
            )
        return LookupAnswer(
            status=answer.status,
            number=number,
            subscribers=answer.subscribers,
            lead=answer.lead,
            match=answer.match,
            steps=tuple(steps),
        )

    async def close(self) -> None:
        """Ends the lookups that run on."""
        late = tuple(self._late)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _unasked(self, number: Number) -> LookupStatus | None:
        """Returns the status of a number that no directory is asked about."""
        if self._numbers.skip(number.raw):
            return LookupStatus.SKIPPED
        if number.kind is Kind.WITHHELD:
            return LookupStatus.WITHHELD
        if number.kind is Kind.INVALID:
            return LookupStatus.UNKNOWN
        if len(self._late) >= LATE:
            self._complaints.tell("", "too many lookups wait for slow directories", late=len(self._late))
            return LookupStatus.ERROR
        return None

    async def _ask(self, number: Number, steps: list[str] | None) -> LookupAnswer:
        """Asks the directories in order; one that fails is passed over, and the answer ERROR if none knows."""
        status = LookupStatus.UNKNOWN
        for directory in self._directories:
            failure = "failed; the log says why"
            found = None
            try:
                found = await directory.find(number)
            except DirectoryUnavailable as error:
                status, failure = LookupStatus.ERROR, str(error)
                self._complaints.tell(directory.name, str(error))
            except Exception as error:
                status = LookupStatus.ERROR
                self._complaints.tell(
                    directory.name, "a directory failed", directory=directory.name, error=error
                )
            else:
                failure = ""
            if steps is not None:
                steps.append(f"directory {directory.name}: {failure or _finding(found)}")
            if found is not None and (found.subscribers or found.lead):
                return _answer(number, found)
        return LookupAnswer(status=status, number=number)

    def _let_run(self, task: asyncio.Task[LookupAnswer], on_late: OnLate | None) -> None:
        """Keeps a lookup that nobody waits for any more until it ends or is given up."""
        self._late.add(task)
        timer = task.get_loop().call_later(self._give_up, task.cancel)

        def ended(_: asyncio.Task[LookupAnswer]) -> None:
            timer.cancel()
            self._late.discard(task)
            if not task.cancelled() and on_late is not None:
                on_late(task.result())

        task.add_done_callback(ended)

    def _reading(self, number: Number) -> str:
        raw = f'"{number.raw}"'
        match number.kind:
            case Kind.E164:
                return f"{raw} is {spaced(number.value)} ({number.region or 'no country'})"
            case Kind.INTERNAL:
                return f"{raw} is the internal extension {number.value} (pattern {self._numbers.internal})"
            case Kind.WITHHELD:
                return f"{raw} says that the number is withheld or was not sent"
            case _:
                return (
                    f"{raw} is neither a telephone number (default country {self._numbers.region})"
                    f" nor an internal extension (pattern {self._numbers.internal})"
                )


def _answer(number: Number, found: Found) -> LookupAnswer:
    subscribers = found.subscribers[:CANDIDATES]
    if not subscribers:
        status = LookupStatus.LEAD
    else:
        status = LookupStatus.FOUND if len(subscribers) == 1 else LookupStatus.MULTIPLE
    return LookupAnswer(
        status=status, number=number, subscribers=subscribers, lead=found.lead, match=found.match
    )


def _finding(found: Found | None) -> str:
    if found is None or not (found.subscribers or found.lead):
        return "nobody has this number"
    stale = ", from an older copy because the source is away" if found.match.stale else ""
    if not found.subscribers:
        assert found.lead is not None
        return f"lead {found.lead.name} ({found.lead.id}) by rule {found.match.rule}{stale}"
    first = found.subscribers[0]
    others = f" and {len(found.subscribers) - 1} more" if len(found.subscribers) > 1 else ""
    return f"{first.name} ({first.id}){others} by rule {found.match.rule}{stale}"


class _Complaints:
    """Logs about one thing once in so many seconds, with how often it was passed over meanwhile."""

    def __init__(self, every: float, clock: Callable[[], float]) -> None:
        self._every = every
        self._clock = clock
        self._next: dict[str, float] = {}
        self._passed_over: dict[str, int] = {}

    def tell(self, about: str, words: str, *, error: Exception | None = None, **facts: object) -> None:
        """Logs it, with the traceback of `error`, unless it was logged just now."""
        now = self._clock()
        if now < self._next.get(about, now):
            self._passed_over[about] = self._passed_over.get(about, 0) + 1
            return
        self._next[about] = now + self._every
        log.error(words, **facts, exc_info=error, passed_over=self._passed_over.pop(about, 0))
