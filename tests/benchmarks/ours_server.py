"""Our FastAGI server and own directory with recorders behind: what an AGI call itself costs."""

import sys
from datetime import UTC, datetime

from fastagi import loop


class RecordingWriter:
    """Takes changes and keeps none."""

    def __init__(self) -> None:
        self.changes = 0

    def put(self, change) -> None:
        self.changes += 1


def main() -> None:
    loop.install()
    from twisted.internet import reactor

    from fastagi.agi.protocol import AgiFactory
    from fastagi.agi.service import AgiService
    from fastagi.bridge import now_or_deferred
    from fastagi.config import Config
    from fastagi.parts import make_database, make_directories, make_lookup, make_numbers
    from fastagi.pipeline import Pbx, Pipeline

    config = Config.model_validate(
        {"database": {"url": f"sqlite:///{sys.argv[1]}"}, "agi": {"listen": "tcp:0:interface=127.0.0.1"}}
    )
    database = make_database(config)
    numbers = make_numbers(config)
    pipeline = Pipeline(
        pbxs={"main": Pbx(name="main")},
        lookup=make_lookup(config, numbers, make_directories(config, database)),
        numbers=numbers,
        writer=RecordingWriter(),
        clock=lambda: datetime.now(UTC),
        lines={},
        extra={},
        prefix="",
    )
    factory = AgiFactory(
        lambda request, peer: now_or_deferred(pipeline.ask(request, peer)),
        clock=reactor,
        allow=config.agi.allow,
    )
    service = AgiService(config.agi.listen, factory, reactor)

    async def start() -> None:
        database.open()
        service.startService()
        print(service.port, flush=True)

    loop.run(start, database.close)


main()
