"""The first step of a coroutine: no task where it finishes, nothing lost where it has to wait."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from fastagi.eager import Done, first_step


def _rest(step: Any) -> Coroutine[Any, Any, Any]:
    assert not isinstance(step, Done)
    return step


async def _at_once(value: int) -> int:
    return value


def test_one_that_never_waits_is_done_without_a_loop() -> None:
    assert first_step(_at_once(7)) == Done(7)


def test_an_error_of_the_first_step_is_raised_there() -> None:
    async def fails() -> None:
        raise KeyError("first")

    with pytest.raises(KeyError, match="first"):
        first_step(fails())


@pytest.mark.parametrize("run", ["task", "await"])
def test_one_that_waits_goes_on_where_it_stopped(run: str) -> None:
    seen: list[str] = []

    async def waits(future: asyncio.Future[int]) -> int:
        seen.append("first")
        value = await future
        await asyncio.sleep(0)
        seen.append("last")
        return value + 1

    async def main() -> int:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        rest = _rest(first_step(waits(future)))
        assert seen == ["first"]
        loop.call_soon(future.set_result, 41)
        return await (loop.create_task(rest) if run == "task" else rest)

    assert asyncio.run(main()) == 42
    assert seen == ["first", "last"]


@pytest.mark.parametrize("run", ["task", "await"])
def test_an_error_of_what_it_waits_for_reaches_it(run: str) -> None:
    async def waits(future: asyncio.Future[int]) -> str:
        try:
            await future
        except OSError as error:
            await asyncio.sleep(0)
            return f"caught {error}"
        return "nothing raised"

    async def main() -> str:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        rest = _rest(first_step(waits(future)))
        future.set_exception(OSError("away"))
        return await (loop.create_task(rest) if run == "task" else rest)

    assert asyncio.run(main()) == "caught away"


def test_a_task_cancelled_before_it_began_still_cleans_up() -> None:
    seen: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(_rest(first_step(waits())))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == ["cancelled"]


def test_an_awaited_rest_is_cancelled_with_who_awaits_it() -> None:
    seen: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def outer() -> None:
        await _rest(first_step(waits()))

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(outer())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == ["cancelled"]


def test_closing_the_rest_closes_the_coroutine() -> None:
    seen: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            seen.append("closed")

    _rest(first_step(waits())).close()
    assert seen == ["closed"]


def test_a_rest_can_be_thrown_into_by_type() -> None:
    async def waits() -> str:
        try:
            await asyncio.sleep(0)
        except LookupError:
            return "caught"
        return "nothing raised"

    with pytest.raises(StopIteration) as finished:
        _rest(first_step(waits())).throw(LookupError)
    assert finished.value.value == "caught"
