"""The composition root: constructs all, then wires. Nothing else knows everybody.

Core      what both roles have: database, journal, accounts, bus, lookup, writer, pipeline
CallSide  FastAGI server and AMI clients (--role calls)
PushSide  console, API and live events (--role push)
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any

import structlog
from twisted.internet.endpoints import HostnameEndpoint

from fastagi.accounts import SqlAccounts
from fastagi.agi.protocol import AgiFactory, Refusal
from fastagi.agi.service import AgiService
from fastagi.ami.service import AmiService
from fastagi.ami.sign_in import Account
from fastagi.ami.tracker import Tracker
from fastagi.bridge import as_future, now_or_deferred
from fastagi.config import Config, PbxConfig
from fastagi.errors import ConfigError, DatabaseUnavailable
from fastagi.following import Following
from fastagi.interfaces import Health
from fastagi.journal.own import SqlJournal
from fastagi.journal.spool import FileSpool, NoSpool
from fastagi.linenames import readable_lines
from fastagi.looplag import LoopLag
from fastagi.metrics import Metrics, Sample
from fastagi.parts import (
    make_bus,
    make_database,
    make_directories,
    make_lookup,
    make_numbers,
    make_ready,
    make_spool_folder,
)
from fastagi.periodic import Periodic
from fastagi.pipeline import Pbx, Pipeline
from fastagi.samples import of_agi, of_ami, of_health, of_journal, of_lookup, of_loop, of_push, of_writer
from fastagi.unobserved import EVERY, Unobserved
from fastagi.writer import Writer
from webhooks import console
from webhooks.access import current_account_or_none
from webhooks.feed import Slices
from webhooks.hub import Hub
from webhooks.server import PushServer
from webhooks.site import SiteSettings, create_site
from webhooks.subscription import Subscription

__all__ = ["Application", "CallSide", "Core", "PushSide"]

PRUNE_EVERY = 600.0
"""Seconds between two clean-ups of events older than a day."""
DATABASE_LIMIT = 2.0
"""Seconds the start waits for the database, each time it needs it; calls must not wait longer for one."""

log = structlog.get_logger("whocalls")


def now() -> datetime:
    """The time now, UTC."""
    return datetime.now(UTC)


class Core:
    """What both roles have.

    Args:
        config: the whole configuration.
        pbxs: every PBX of this process by name; the call side fills it.
        calls: whether this process takes calls.
    """

    def __init__(self, config: Config, pbxs: Mapping[str, Pbx], *, calls: bool) -> None:
        folder = make_spool_folder(config)
        self.database = make_database(config)
        self.journal = SqlJournal(self.database, rejected=folder / "rejected.jsonl")
        self.accounts = SqlAccounts(self.database)
        self.bus = make_bus(config)
        self.numbers = make_numbers(config)
        self.lookup = make_lookup(config, self.numbers, make_directories(config, self.database))
        # The push side takes no calls; what waits in the folder is the call side's to bring back.
        self.spool = FileSpool(folder) if calls else None
        self.writer = Writer(self.journal, self.bus, self.spool or NoSpool(), now)
        self.pipeline = Pipeline(
            pbxs=pbxs,
            lookup=self.lookup,
            numbers=self.numbers,
            writer=self.writer,
            clock=now,
            lines=readable_lines(config.lines, self.numbers),
            extra=config.agi.variables,
            prefix=config.agi.inherit,
        )
        self.lag = LoopLag()
        self._pruning = Periodic("prune events", PRUNE_EVERY, lambda: self.journal.prune(now()))

    async def start(self) -> None:
        """Opens the database and begins to write; a database that is away stops nothing."""
        self.database.open()
        await self.bus.start()
        self.writer.start()
        self.lag.start()
        self._pruning.start()

    async def stop(self) -> None:
        """Writes what waits and closes everything."""
        await self._pruning.stop()
        await self.lag.stop()
        await self.pipeline.stop()
        await self.lookup.close()
        await self.writer.stop()
        if self.spool is not None:
            self.spool.close()
        await self.bus.close()
        await self.accounts.close()
        await self.database.close()

    def health(self) -> dict[str, Health]:
        """How each part is."""
        return {
            "database": self.database.health(),
            "journal": self.writer.health(),
            "bus": self.bus.health(),
            "loop": self.lag.health(),
        }


class CallSide:
    """FastAGI server and AMI clients."""

    def __init__(self, config: Config, reactor: Any, core: Core, pbxs: dict[str, Pbx]) -> None:
        self._core = core
        self.trackers: dict[str, Tracker] = {}
        self.ami: dict[str, AmiService] = {}
        self._followings: dict[str, Following] = {}
        for pbx in config.pbx:
            pbxs[pbx.name] = self._follow(pbx, reactor) if pbx.username else Pbx(name=pbx.name)
        factory = AgiFactory(
            lambda request, peer: now_or_deferred(core.pipeline.ask(request, peer)),
            clock=reactor,
            allow=config.agi.allow,
            max_connections=config.agi.max_connections,
            on_refused=self._refused,
        )
        self.agi = AgiService(config.agi.listen, factory, reactor)
        unobserved = Unobserved(pbxs, core.journal, core.pipeline, now)
        self._settling = Periodic("settle unobserved calls", EVERY, unobserved.settle_all)

    def _follow(self, pbx: PbxConfig, reactor: Any) -> Pbx:
        tracker = Tracker(pbx.name, trunk_contexts=pbx.trunk_contexts, operator_pattern=pbx.operator_pattern)
        following = Following(tracker, partial(self._core.pipeline.observed, pbx.name), now)
        account = Account(
            pbx=pbx.name, host=pbx.host, port=pbx.port, username=pbx.username or "", secret=pbx.secret
        )
        endpoint = HostnameEndpoint(reactor, pbx.host, pbx.port)
        service = AmiService(account, following, endpoint=endpoint, clock=reactor, now=now)
        self.trackers[pbx.name] = tracker
        self.ami[pbx.name] = service
        self._followings[pbx.name] = following
        return Pbx(
            name=pbx.name,
            lookup_by_ami=pbx.lookup == "ami",
            tracking=tracker,
            followed=lambda: service.followed,
        )

    def _refused(self, refusal: Refusal) -> None:
        facts = refusal.facts
        self._core.pipeline.refused(facts.pbx, facts.uniqueid, hostile=refusal.hostile)

    async def start(self) -> None:
        """Listens for Asterisk and follows it."""
        await as_future(self.agi.listen())
        self.agi.startService()
        await asyncio.gather(*map(self._start_following, self._followings))
        self._settling.start()

    async def _start_following(self, name: str) -> None:
        remembering = self._followings[name].remember(self._core.journal, name)
        try:
            await asyncio.wait_for(remembering, DATABASE_LIMIT)
        except (DatabaseUnavailable, TimeoutError) as error:
            log.warning("open calls could not be read; they are settled later", pbx=name, error=str(error))
        self.ami[name].startService()

    async def stop(self) -> None:
        """Takes no more calls, lets those in hand end."""
        await self._settling.stop()
        await as_future(self.agi.stopService())
        for service in self.ami.values():
            await as_future(service.stopService())

    def health(self) -> dict[str, Health]:
        """How each part is."""
        return {"agi": self.agi.health()} | {
            f"ami.{name}": service.health() for name, service in self.ami.items()
        }


class PushSide:
    """Console, API and live events."""

    def __init__(self, config: Config, core: Core, application: Application) -> None:
        self.hub = Hub(announce=Slices())
        self.subscription = Subscription(bus=core.bus, journal=core.journal, hub=self.hub)
        settings = SiteSettings(
            language=config.console.language,
            currency=config.console.currency,
            secure_cookies=config.push.secure_cookies,
            version=version("whocalls"),
            numbers=core.numbers,
        )
        site = create_site(
            journal=core.journal,
            accounts=core.accounts,
            editor=core.pipeline,
            lookup=core.lookup,
            hub=self.hub,
            health=application.health,
            metrics=application.metrics.text,
            settings=settings,
            console_router=console.router(
                console.ConsoleSettings(language=config.console.language), current_account_or_none
            ),
        )
        self.server = PushServer(site, config.push.host, config.push.port)

    async def start(self) -> None:
        """Subscribes, then listens."""
        await self.subscription.start()
        await self.server.start()

    async def stop(self) -> None:
        """Ends every stream and closes the port."""
        await self.server.stop()
        await self.subscription.close()

    def health(self) -> dict[str, Health]:
        """How each part is."""
        return {"events": self.subscription.health()}


class Application:
    """The service in one process.

    Args:
        config: the whole configuration.
        reactor: Twisted's, on the asyncio loop that runs.
        calls: run the call side.
        push: run the push side.

    Raises:
        ConfigError: the roles are split but the bus does not reach beyond this process.
    """

    def __init__(self, config: Config, reactor: Any, *, calls: bool = True, push: bool = True) -> None:
        if not (calls and push) and config.bus.url.startswith("memory://"):
            raise ConfigError("configuration", "bus.url", "split roles meet over Redis: redis://HOST:6379/0")
        pbxs: dict[str, Pbx] = {}
        self._config = config
        self.core = Core(config, pbxs, calls=calls)
        self.calls = CallSide(config, reactor, self.core, pbxs) if calls else None
        self.metrics = Metrics(self._samples)
        self.push = PushSide(config, self.core, self) if push else None

    async def start(self) -> None:
        """Starts everything; calls first."""
        await self._make_ready()
        await self.core.start()
        if self.calls:
            await self.calls.start()
        if self.push:
            await self.push.start()
        log.info("whocalls is ready", **{name: part.detail for name, part in self.health().items()})

    async def _make_ready(self) -> None:
        """Upgrades an SQLite file, without which nothing works; looks at another database for a moment only."""
        making = asyncio.to_thread(make_ready, self._config)
        if self._config.database.url.startswith("sqlite"):
            await making
            return
        try:
            await asyncio.wait_for(making, DATABASE_LIMIT)
        except (DatabaseUnavailable, TimeoutError) as error:
            log.error("the database is away: calls are answered and spooled", error=str(error))

    async def stop(self) -> None:
        """Stops in the reverse order."""
        if self.push:
            await self.push.stop()
        if self.calls:
            await self.calls.stop()
        await self.core.stop()

    def _samples(self) -> Iterator[Sample]:
        yield from of_health(self.health())
        yield from of_loop(self.core.lag)
        yield from of_lookup(self.core.lookup)
        yield from of_writer(self.core.writer)
        yield from of_journal(self.core.journal, self.core.pipeline)
        if self.calls:
            yield from of_agi(self.calls.agi)
            yield from of_ami(self.calls.ami, self.calls.trackers)
        if self.push:
            yield from of_push(self.push.hub, self.push.subscription)

    def health(self) -> Mapping[str, Health]:
        """How each part is."""
        parts: dict[str, Health] = self.core.health()
        for side in (self.calls, self.push):
            if side is not None:
                parts |= side.health()
        return parts
