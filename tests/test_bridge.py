"""Deferreds and coroutines pass results, errors and cancelling to each other."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from fastagi.bridge import as_deferred, as_future, eager
from fastagi.eager import Done


async def at_once(value: int) -> int:
    return value


async def fails(error: BaseException) -> None:
    raise error


class LoopTestCase(SynchronousTestCase):
    """A test with a loop that runs only when told."""

    def setUp(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)
        self.complaints: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(context))

    def run_all(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, 10))


class WithoutALoopTests(SynchronousTestCase):
    """What never waits needs no loop, and makes no task."""

    def test_a_finished_coroutine_gives_its_result(self) -> None:
        self.assertEqual(eager(at_once(7)), Done(7))
        self.assertEqual(self.successResultOf(as_deferred(at_once(7))), 7)

    def test_an_error_comes_out(self) -> None:
        self.assertRaises(KeyError, eager, fails(KeyError("x")))
        self.failureResultOf(as_deferred(fails(KeyError("x"))), KeyError)
        self.failureResultOf(as_deferred(fails(asyncio.CancelledError())), defer.CancelledError)

    def test_a_deferred_that_has_fired_is_not_waited_for(self) -> None:
        self.assertEqual(self.successResultOf(as_deferred(as_future(defer.succeed(7)))), 7)
        self.failureResultOf(as_deferred(as_future(defer.fail(KeyError("x")))), KeyError)

    def test_one_that_has_to_wait_says_that_no_loop_runs(self) -> None:
        ended = []

        async def waits() -> None:
            try:
                await asyncio.sleep(0)
            finally:
                ended.append(True)

        self.failureResultOf(as_deferred(waits()), RuntimeError)
        self.assertEqual(ended, [True])


class AsDeferredTests(LoopTestCase):
    """`as_deferred` of a coroutine that waits."""

    def test_it_fires_with_the_result(self) -> None:
        async def main() -> None:
            future = asyncio.get_running_loop().create_future()
            steps = []

            async def waits() -> str:
                steps.append("first")
                one = await future
                await asyncio.sleep(0)
                return one + "!"

            deferred = as_deferred(waits())
            self.assertEqual(steps, ["first"])
            self.assertNoResult(deferred)
            future.set_result("one")
            self.assertEqual(await as_future(deferred), "one!")

        self.run_all(main())

    def test_it_fires_with_the_error(self) -> None:
        async def waits() -> None:
            await asyncio.sleep(0)
            raise KeyError("late")

        async def main() -> None:
            with self.assertRaises(KeyError) as caught:
                await as_future(as_deferred(waits()))
            self.assertIn("late", str(caught.exception))

        self.run_all(main())

    def test_a_task_cancelled_from_its_own_side_is_cancelled_for_twisted(self) -> None:
        async def waits() -> None:
            await asyncio.sleep(0)
            raise asyncio.CancelledError

        async def main() -> None:
            with self.assertRaises(defer.CancelledError):
                await as_future(as_deferred(waits()))

        self.run_all(main())

    def test_cancelling_it_cancels_the_coroutine(self) -> None:
        ended = []

        async def waits() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        async def main() -> None:
            deferred = as_deferred(waits())
            deferred.cancel()
            self.failureResultOf(deferred, defer.CancelledError)
            while not ended:
                await asyncio.sleep(0)

        self.run_all(main())
        self.assertEqual(self.complaints, [])

    def test_an_error_after_cancelling_is_not_lost(self) -> None:
        async def waits() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                raise KeyError("while it cleaned up")

        async def main() -> None:
            deferred = as_deferred(waits())
            deferred.cancel()
            self.failureResultOf(deferred, defer.CancelledError)
            while not self.complaints:
                await asyncio.sleep(0)

        self.run_all(main())
        self.assertIsInstance(self.complaints[0]["exception"], KeyError)

    def test_a_task_that_nobody_holds_is_kept(self) -> None:
        done = []

        async def waits() -> None:
            await asyncio.sleep(0.001)
            done.append(True)

        async def main() -> None:
            as_deferred(waits())
            gc.collect()
            while not done:
                await asyncio.sleep(0.001)

        self.run_all(main())


class AsFutureTests(LoopTestCase):
    """`as_future` of a Deferred that has not fired."""

    def test_it_waits_for_result_or_error(self) -> None:
        async def main() -> None:
            good: Deferred[int] = Deferred()
            bad: Deferred[int] = Deferred()
            loop = asyncio.get_running_loop()
            loop.call_soon(good.callback, 7)
            self.assertEqual(await as_future(good), 7)
            loop.call_soon(bad.errback, KeyError("x"))
            with self.assertRaises(KeyError):
                await as_future(bad)

        self.run_all(main())

    def test_cancelling_the_coroutine_cancels_the_deferred(self) -> None:
        cancelled = []

        async def main() -> None:
            deferred: Deferred[int] = Deferred(cancelled.append)
            task = asyncio.ensure_future(as_future(deferred))
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertEqual(cancelled, [deferred])

        self.run_all(main())
        self.assertEqual(self.complaints, [])

    def test_a_deferred_that_fires_in_the_moment_of_cancelling_does_no_harm(self) -> None:
        async def main() -> None:
            deferred: Deferred[int] = Deferred()
            task = asyncio.ensure_future(as_future(deferred))
            await asyncio.sleep(0)
            task.cancel()
            deferred.callback(7)
            with self.assertRaises(asyncio.CancelledError):
                await task

        self.run_all(main())
        self.assertEqual(self.complaints, [])
