"""The full `whocalls serve` on a directory: journal, events, bus and push behind. Prints its AGI port."""

import sys
import tempfile
from pathlib import Path

from fastagi import loop


def main() -> None:
    loop.install()
    from twisted.internet import reactor

    from fastagi.app import Application
    from fastagi.config import Config
    from fastagi.logs import configure_logs

    configure_logs(quiet=True)
    with tempfile.TemporaryDirectory() as folder:
        config = Config.model_validate(
            {
                "database": {"url": f"sqlite:///{sys.argv[1]}", "spool": str(Path(folder) / "spool")},
                "agi": {"listen": "tcp:0:interface=127.0.0.1"},
                "push": {"listen": "127.0.0.1:0"},
            }
        )
        application = Application(config, reactor)

        async def start() -> None:
            await application.start()
            print(application.calls.agi.port, flush=True)

        loop.run(start, application.stop)


main()
