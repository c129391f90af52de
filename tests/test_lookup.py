"""The lookup: what each kind of number comes to, and that no directory can make a caller wait."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from fastagi.calls import Lead, LookupStatus, Match, Subscriber
from fastagi.eager import Done, first_step
from fastagi.errors import DirectoryUnavailable
from fastagi.interfaces import Found, LookupAnswer
from fastagi.lookup import LATE, Lookup
from fastagi.numbers import Kind, Number, Numbers
from tests.timeless import run

IVANOV = Subscriber(id="4711", name="Иванов Иван")
PETROV = Subscriber(id="4712", name="Петров Пётр")
LEAD = Lead(id="7", name="Мария")
MATCH = Match(rule="e164", directory="own")
NUMBERS = Numbers("RU", r"^\d{2,4}$", skip=["^8800"])


class FakeDirectory:
    """Answers with what it was given: a value, an error, or whatever a coroutine comes to."""

    def __init__(
        self, answer: Found | Exception | Callable[[], Awaitable[Found | None]] | None, name: str = "own"
    ) -> None:
        self.answer = answer
        self.name = name
        self.asked: list[Number] = []

    async def find(self, number: Number) -> Found | None:
        self.asked.append(number)
        if isinstance(self.answer, Exception):
            raise self.answer
        if callable(self.answer):
            return await self.answer()
        return self.answer


def found(*subscribers: Subscriber, lead: Lead | None = None, match: Match = MATCH) -> Found:
    return Found(subscribers=subscribers, lead=lead, match=match)


def lookup(*directories: FakeDirectory, **options) -> Lookup:
    return Lookup(NUMBERS, directories, deadline=options.pop("deadline", 0.3), **options)


def at_once(subject: Lookup, raw: str, presentation: int = 0) -> LookupAnswer:
    """The answer of a lookup that must not wait: no loop runs here, so a task or timer would fail."""
    step = first_step(subject.find(raw, presentation))
    assert isinstance(step, Done)
    return step.value


def slow(seconds: float, answer: Found | None = None) -> FakeDirectory:
    async def wait() -> Found | None:
        await asyncio.sleep(seconds)
        return answer

    return FakeDirectory(wait)


# -- without waiting --------------------------------------------------------------------------------------


def test_one_subscriber_is_found() -> None:
    directory = FakeDirectory(found(IVANOV))
    answer = at_once(lookup(directory), "8 (916) 123-45-67")
    number = Number("8 (916) 123-45-67", Kind.E164, "+79161234567", "RU")
    assert answer == LookupAnswer(
        status=LookupStatus.FOUND, number=number, subscribers=(IVANOV,), match=MATCH, steps=()
    )
    assert directory.asked == [number]


def test_several_subscribers_keep_their_rank() -> None:
    answer = at_once(lookup(FakeDirectory(found(PETROV, IVANOV))), "+79161234567")
    assert (answer.status, answer.subscribers) == (LookupStatus.MULTIPLE, (PETROV, IVANOV))


def test_at_most_twenty_candidates_are_given() -> None:
    crowd = tuple(dataclasses.replace(IVANOV, id=str(i)) for i in range(25))
    assert at_once(lookup(FakeDirectory(found(*crowd))), "+79161234567").subscribers == crowd[:20]


def test_a_lead() -> None:
    answer = at_once(lookup(FakeDirectory(found(lead=LEAD))), "+79161234567")
    assert (answer.status, answer.lead, answer.subscribers) == (LookupStatus.LEAD, LEAD, ())


@pytest.mark.parametrize("nothing", [None, found()])
def test_nobody(nothing: Found | None) -> None:
    answer = at_once(lookup(FakeDirectory(nothing)), "+79161234567")
    assert (answer.status, answer.match) == (LookupStatus.UNKNOWN, None)
    assert answer.number.e164 == "+79161234567"


def test_without_directories_everybody_is_unknown() -> None:
    assert at_once(lookup(), "+79161234567").status is LookupStatus.UNKNOWN


def test_the_first_directory_that_knows_the_number_wins() -> None:
    directories = [FakeDirectory(None), FakeDirectory(found(IVANOV)), FakeDirectory(found(PETROV))]
    assert at_once(lookup(*directories), "+79161234567").subscribers == (IVANOV,)
    assert [len(one.asked) for one in directories] == [1, 1, 0]


@pytest.mark.parametrize(
    ("raw", "presentation", "status"),
    [
        ("88001234567", 0, LookupStatus.SKIPPED),
        ("88001234567", 32, LookupStatus.SKIPPED),
        ("anonymous", 0, LookupStatus.WITHHELD),
        ("", 67, LookupStatus.WITHHELD),
        ("+79161234567", 32, LookupStatus.WITHHELD),
        ("alice", 0, LookupStatus.UNKNOWN),
    ],
)
def test_no_directory_is_asked(raw: str, presentation: int, status: LookupStatus) -> None:
    directory = FakeDirectory(found(IVANOV))
    assert at_once(lookup(directory), raw, presentation).status is status
    assert directory.asked == []


def test_a_withheld_number_is_looked_up_where_a_setting_says_so() -> None:
    subject = lookup(FakeDirectory(found(IVANOV)), lookup_withheld=True)
    answer = at_once(subject, "+79161234567", 32)
    assert (answer.status, answer.number.e164) == (LookupStatus.FOUND, "+79161234567")
    assert at_once(subject, "anonymous", 32).status is LookupStatus.WITHHELD


def test_an_extension_is_unknown_unless_a_directory_says() -> None:
    directory = FakeDirectory(None)
    answer = at_once(lookup(directory), "101")
    assert (answer.status, answer.number.kind, answer.number.value) == (
        LookupStatus.UNKNOWN,
        Kind.INTERNAL,
        "101",
    )
    directory.answer = found(IVANOV, match=Match(rule="internal", directory="own"))
    assert at_once(lookup(directory), "101").status is LookupStatus.FOUND


# -- directories that fail --------------------------------------------------------------------------------


def test_a_directory_that_is_away_gives_an_error_and_one_line_in_so_many_seconds() -> None:
    now = [100.0]
    directory = FakeDirectory(DirectoryUnavailable("own", "database is locked"))
    subject = lookup(directory, log_every=10.0, clock=lambda: now[0])
    with capture_logs() as lines:
        for _ in range(5):
            assert at_once(subject, "+79161234567").status is LookupStatus.ERROR
        now[0] += 10.0
        at_once(subject, "+79161234567")
    assert [(line["event"], line["passed_over"], line["exc_info"]) for line in lines] == [
        ("directory 'own' is unavailable: database is locked", 0, None),
        ("directory 'own' is unavailable: database is locked", 4, None),
    ]


def test_any_other_failure_is_logged_with_its_traceback() -> None:
    failure = ZeroDivisionError("a bug")
    with capture_logs() as lines:
        assert at_once(lookup(FakeDirectory(failure)), "+79161234567").status is LookupStatus.ERROR
    assert [(line["log_level"], line["directory"], line["exc_info"]) for line in lines] == [
        ("error", "own", failure)
    ]


def test_the_next_directory_is_asked_where_one_fails() -> None:
    with capture_logs():
        away = FakeDirectory(DirectoryUnavailable("billing", "away"), "billing")
        answer = at_once(lookup(away, FakeDirectory(found(IVANOV))), "+79161234567")
        assert answer.status is LookupStatus.FOUND
        assert at_once(lookup(away, FakeDirectory(None)), "+79161234567").status is LookupStatus.ERROR


# -- the deadline -----------------------------------------------------------------------------------------


def test_a_slow_directory_within_the_deadline() -> None:
    late: list[LookupAnswer] = []

    async def main() -> LookupAnswer:
        return await lookup(slow(0.2, found(IVANOV))).find("+79161234567", 0, late.append)

    assert run(main()).status is LookupStatus.FOUND
    assert late == []


def test_past_the_deadline_the_answer_is_timeout_and_what_comes_later_is_handed_over() -> None:
    late: list[LookupAnswer] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        subject = lookup(slow(2.0, found(IVANOV)))
        answer = await subject.find("+79161234567", 0, late.append)
        assert loop.time() - began == pytest.approx(0.3)
        assert (answer.status, answer.number.e164) == (LookupStatus.TIMEOUT, "+79161234567")
        assert (late, subject.late) == ([], 1)
        await asyncio.sleep(2.0)
        assert (subject.late, loop.time() - began) == (0, pytest.approx(2.3))

    run(main())
    assert [(one.status, one.subscribers) for one in late] == [(LookupStatus.FOUND, (IVANOV,))]


def test_a_late_failure_is_handed_over_too() -> None:
    late: list[LookupAnswer] = []

    async def fail() -> Found | None:
        await asyncio.sleep(1.0)
        raise DirectoryUnavailable("own", "away")

    async def main() -> None:
        answer = await lookup(FakeDirectory(fail)).find("+79161234567", 0, late.append)
        assert answer.status is LookupStatus.TIMEOUT
        await asyncio.sleep(1.0)

    with capture_logs():
        run(main())
    assert [one.status for one in late] == [LookupStatus.ERROR]


def test_a_late_answer_that_nobody_wants_is_dropped() -> None:
    async def main() -> None:
        subject = lookup(slow(1.0, found(IVANOV)))
        await subject.find("+79161234567")
        await asyncio.sleep(1.0)
        assert subject.late == 0

    run(main())


def test_a_directory_that_never_answers_is_given_up() -> None:
    late: list[LookupAnswer] = []

    async def main() -> None:
        subject = lookup(slow(1e9), give_up=5.0)
        await subject.find("+79161234567", 0, late.append)
        await asyncio.sleep(4.9)
        assert subject.late == 1
        await asyncio.sleep(0.2)
        assert subject.late == 0

    run(main())
    assert late == []


def test_who_hangs_up_while_it_runs_is_still_journalled() -> None:
    late: list[LookupAnswer] = []

    async def main() -> None:
        asking = asyncio.ensure_future(lookup(slow(0.2, found(IVANOV))).find("+79161234567", 0, late.append))
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert late == []
        await asyncio.sleep(0.2)

    run(main())
    assert [one.status for one in late] == [LookupStatus.FOUND]


def test_with_too_many_late_ones_no_directory_is_asked() -> None:
    async def main() -> None:
        directory = slow(1e9)
        subject = lookup(directory, give_up=60.0)
        await asyncio.gather(*(subject.find("+79161234567") for _ in range(LATE)))
        assert subject.late == len(directory.asked) == LATE
        assert (await subject.find("+79161234567")).status is LookupStatus.ERROR
        assert len(directory.asked) == LATE
        assert "too many" in (await subject.explain("+79161234567")).steps[-1]
        await subject.close()
        assert subject.late == 0

    with capture_logs() as lines:
        run(main())
    assert [line["event"] for line in lines] == ["too many lookups wait for slow directories"]


# -- in words ---------------------------------------------------------------------------------------------


def explained(raw: str, *directories: FakeDirectory, **options) -> LookupAnswer:
    return run(lookup(*directories, **options).explain(raw))


@pytest.mark.parametrize(
    ("raw", "finding", "status", "steps"),
    [
        (
            "89161234567",
            found(IVANOV),
            LookupStatus.FOUND,
            (
                '"89161234567" is +7 916 123-45-67 (RU)',
                "directory own: Иванов Иван (4711) by rule e164",
            ),
        ),
        (
            "89161234567",
            found(PETROV, IVANOV, match=Match(rule="e164", directory="own", stale=True)),
            LookupStatus.MULTIPLE,
            (
                '"89161234567" is +7 916 123-45-67 (RU)',
                (
                    "directory own: Петров Пётр (4712) and 1 more by rule e164,"
                    " from an older copy because the source is away"
                ),
            ),
        ),
        (
            "89161234567",
            found(lead=LEAD),
            LookupStatus.LEAD,
            ('"89161234567" is +7 916 123-45-67 (RU)', "directory own: lead Мария (7) by rule e164"),
        ),
        (
            "+870301234567",
            None,
            LookupStatus.UNKNOWN,
            ('"+870301234567" is +870 301 234 567 (001)', "directory own: nobody has this number"),
        ),
        (
            "101",
            None,
            LookupStatus.UNKNOWN,
            (
                r'"101" is the internal extension 101 (pattern ^\d{2,4}$)',
                "directory own: nobody has this number",
            ),
        ),
        (
            "88001234567",
            None,
            LookupStatus.SKIPPED,
            (
                '"88001234567" is +7 800 123-45-67 (RU)',
                "a pattern of [numbers] skip matches it: no directory was asked",
            ),
        ),
        (
            "anonymous",
            None,
            LookupStatus.WITHHELD,
            ('"anonymous" says that the number is withheld or was not sent', "no directory was asked"),
        ),
        (
            "12",
            DirectoryUnavailable("own", "away"),
            LookupStatus.ERROR,
            (
                r'"12" is the internal extension 12 (pattern ^\d{2,4}$)',
                "directory own: directory 'own' is unavailable: away",
            ),
        ),
        (
            "+7 12",
            None,
            LookupStatus.UNKNOWN,
            (
                (
                    '"+7 12" is neither a telephone number (default country RU)'
                    r" nor an internal extension (pattern ^\d{2,4}$)"
                ),
                "no directory was asked",
            ),
        ),
        (
            "89161234567",
            KeyError("a bug"),
            LookupStatus.ERROR,
            ('"89161234567" is +7 916 123-45-67 (RU)', "directory own: failed; the log says why"),
        ),
    ],
)
def test_every_step_is_told(
    raw: str, finding: Found | Exception | None, status: LookupStatus, steps: tuple[str, ...]
) -> None:
    with capture_logs():
        answer = explained(raw, FakeDirectory(finding))
    assert (answer.status, answer.steps) == (status, steps)


def test_an_explanation_waits_longer_than_a_call_and_says_so() -> None:
    answer = explained("89161234567", slow(2.0, found(IVANOV)))
    assert (answer.status, answer.subscribers) == (LookupStatus.FOUND, (IVANOV,))
    assert answer.steps[-1].startswith("that took 2.00 s: a call is answered TIMEOUT after 0.3 s")


def test_an_explanation_ends_too() -> None:
    answer = explained("89161234567", slow(1e9), give_up=5.0)
    assert answer.status is LookupStatus.TIMEOUT
    assert answer.steps[-2] == "no answer within 5 s"
