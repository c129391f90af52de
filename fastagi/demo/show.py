"""Sets the demo up, runs it and says where to look."""

from __future__ import annotations

import asyncio
import csv
import secrets
import socket
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from rich.markup import escape

from fastagi.accounts import SqlAccounts
from fastagi.app import Application
from fastagi.cli.options import opened
from fastagi.config import Config, DatabaseConfig, PushConfig, load
from fastagi.demo.traffic import Traffic
from fastagi.directory.importer import import_csv
from fastagi.errors import BadInput
from fastagi.interfaces import Role
from fastagi.parts import make_numbers, make_ready
from fastagi.simulator.manager import SimulatedManager
from fastagi.simulator.pbx import SimulatedPbx

__all__ = ["Show"]

PASSWORD = "demo-demo"  # noqa: S105 (printed on the screen; the demo listens on loopback)
PEOPLE = (
    ("olena", "Олена Коваль", Role.OPERATOR, "101", "uk"),
    ("ivan", "Иван Смирнов", Role.OPERATOR, "102", "ru"),
    ("grace", "Grace Hill", Role.SUPERVISOR, "103", "en"),
)
LINES = {"+74951230001": "Support", "+74951230002": "Sales"}


class Show:
    """The demo.

    Args:
        folder: for database and spool.
        config: configuration with a real PBX; None simulates one.
        port: of the console; a free one is taken where it is in use.
        reactor: Twisted's.
        say: prints a line for the person who started it.
    """

    def __init__(
        self, folder: Path, config: Path | None, *, port: int, reactor: Any, say: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._file = config
        self._port = port
        self._reactor = reactor
        self._say = say
        self._manager: SimulatedManager | None = None
        self._application: Application | None = None
        self._traffic: Traffic | None = None

    async def start(self) -> None:
        """Starts everything."""
        config = await self._real() if self._file else await self._simulated()
        await asyncio.to_thread(make_ready, config)
        numbers = await self._fill(config)
        self._application = Application(config, self._reactor)
        await self._application.start()
        if self._manager is not None:
            await self._call(config, numbers)
        self._tell(config)

    async def stop(self) -> None:
        """Stops everything."""
        for part in (self._traffic, self._application, self._manager):
            if part is not None:
                await part.stop()

    async def _real(self) -> Config:
        """The configuration given, with a database of the demo's own: nothing of yours is touched."""
        return load(self._file).model_copy(update=self._own_places())

    async def _simulated(self) -> Config:
        secret = secrets.token_hex(8)
        self._manager = SimulatedManager("whocalls", secret)
        ami = await self._manager.start()
        pbx = {"name": "main", "port": ami, "username": "whocalls", "secret": secret}
        return Config.model_validate(
            {
                "agi": {"listen": f"tcp:{_free_port(4573)}:interface=127.0.0.1"},
                "pbx": [pbx],
                "console": {"subscriber_url": "https://billing.example/?uid={id}", "currency": "RUB"},
                "lines": LINES,
            }
        ).model_copy(update=self._own_places())

    def _own_places(self) -> dict[str, object]:
        database = DatabaseConfig(
            url=f"sqlite:///{self._folder / 'whocalls.db'}", spool=self._folder / "spool"
        )
        return {"database": database, "push": PushConfig(listen=f"127.0.0.1:{_free_port(self._port)}")}

    async def _fill(self, config: Config) -> list[str]:
        """Brings in the sample subscribers and people; returns the subscribers' numbers."""
        with as_file(files("fastagi") / "demo_subscribers.csv") as file:
            await asyncio.to_thread(import_csv, file, config.database.url, make_numbers(config))
            with file.open(encoding="utf-8") as lines:
                phones = [row["phones"].split(";")[0] for row in csv.DictReader(lines)]
        async with opened(config) as database:
            accounts = SqlAccounts(database)
            for login, name, role, phone, language in PEOPLE:
                try:
                    await accounts.add_operator(
                        login,
                        name=name,
                        role=role,
                        sip_phones=[phone],
                        password=PASSWORD,
                        language=language,
                    )
                except BadInput:
                    continue  # the folder was kept from an earlier demo
        return ["".join(filter(str.isdigit, phone)) for phone in phones]

    async def _call(self, config: Config, numbers: list[str]) -> None:
        assert self._application is not None
        assert self._application.calls is not None
        assert self._manager is not None
        pbx = SimulatedPbx(
            self._manager,
            agi_port=self._application.calls.agi.port,
            name=config.pbx[0].name,
            phones={phone: name for _, name, _, phone, _ in PEOPLE},
        )
        called = [number.lstrip("+") for number in LINES]
        phones = [phone for _, _, _, phone, _ in PEOPLE]
        self._traffic = Traffic(pbx, callers=numbers, called=called, phones=phones)
        self._traffic.start()

    def _tell(self, config: Config) -> None:
        if not config.push.listen.endswith(f":{self._port}"):
            self._say(f"\n  port {self._port} is taken; this demo has another one")
        self._say(f"\n  whocalls is ready:  [bold]http://{escape(config.push.listen)}/[/bold]")
        self._say("\n  sign in as")
        for login, name, role, phone, _ in PEOPLE:
            self._say(
                f"    [bold]{login}[/bold] / [bold]{PASSWORD}[/bold]   {name}, {role}, SIP phone {phone}"
            )
        if self._manager is not None:
            self._say(
                "\n  A simulated PBX rings SIP phone 101 every few seconds: olena sees the caller's card."
            )
        self._say("  Ctrl-C ends it.\n")


def _free_port(wanted: int) -> int:
    """Returns the wanted port, or a free one where it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            # As a server does: what a former run left in the kernel does not count as taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise BadInput("port", f"neither {wanted} nor any other port of 127.0.0.1 is free")
