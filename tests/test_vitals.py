"""What tells how the service is: loop lag, periodic work, metrics and logs."""

import asyncio
import time

import structlog

from fastagi.interfaces import Health
from fastagi.logs import CarefulLogger, configure_logs
from fastagi.looplag import LoopLag
from fastagi.metrics import Metrics
from fastagi.periodic import Periodic
from fastagi.samples import of_health, of_loop


async def until(what) -> None:
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0.01)


def test_a_loop_that_stands_still_is_seen():
    async def main() -> LoopLag:
        lag = LoopLag()
        lag.start()
        await asyncio.sleep(0)
        time.sleep(0.35)  # the fault itself: something blocks the loop
        await until(lambda: lag.worst > 0.1)
        await lag.stop()
        return lag

    lag = asyncio.run(main())
    assert lag.worst > 0.1
    assert "ms late" in lag.health().detail


def test_work_that_fails_is_done_again():
    turns = []

    async def work() -> None:
        turns.append(1)
        raise RuntimeError("once more")

    async def main() -> None:
        periodic = Periodic("test", 0.001, work)
        periodic.start()
        await until(lambda: len(turns) >= 3)
        await periodic.stop()

    asyncio.run(main())
    assert len(turns) >= 3


def test_metrics_are_prometheus_text():
    lag = LoopLag()

    def samples():
        yield from of_health({"bus": Health(ok=True, detail=""), "agi": Health(ok=False, detail="")})
        yield from of_loop(lag)
        yield "counter", "calls", "Calls.", {"pbx": "main"}, 3

    text = Metrics(samples).text().decode()
    assert 'whocalls_up{part="bus"} 1.0' in text
    assert 'whocalls_up{part="agi"} 0.0' in text
    assert 'whocalls_calls_total{pbx="main"} 3.0' in text
    assert "# TYPE whocalls_loop_lag_seconds gauge" in text


def test_a_caller_cannot_forge_a_log_line(capsys):
    try:
        configure_logs()
        structlog.get_logger("test").warning("refused", reason="7\nlevel=info forged \x1b[31m Жук")
        (line,) = capsys.readouterr().err.splitlines()
        assert "\\n" in line and "\\x1b" in line and "Жук" in line
    finally:
        structlog.reset_defaults()


def test_a_full_disk_under_the_log_stops_nothing():
    class Full:
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

        flush = write

    CarefulLogger(Full()).error("lost, and nobody falls over it")
