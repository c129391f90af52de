"""Which counters of which part /metrics shows, and under what names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fastagi.agi.service import AgiService
from fastagi.ami.service import AmiService
from fastagi.ami.tracker import Tracker
from fastagi.interfaces import Health
from fastagi.journal.own import SqlJournal
from fastagi.lookup import Lookup
from fastagi.looplag import LoopLag
from fastagi.metrics import Sample
from fastagi.pipeline import Pipeline
from fastagi.writer import Writer
from webhooks.hub import Hub
from webhooks.subscription import Subscription

__all__ = ["of_agi", "of_ami", "of_health", "of_journal", "of_loop", "of_lookup", "of_push", "of_writer"]


def of_health(parts: Mapping[str, Health]) -> Iterable[Sample]:
    """Whether each part is well."""
    for name, part in parts.items():
        yield "gauge", "up", "1 where a part is well.", {"part": name}, float(part.ok)


def of_loop(lag: LoopLag) -> Iterable[Sample]:
    """How late the loop is."""
    yield "gauge", "loop_lag_seconds", "The event loop's worst delay in the last minute.", {}, lag.worst


def of_lookup(lookup: Lookup) -> Iterable[Sample]:
    """Lookups that run on."""
    yield "gauge", "lookups_late", "Lookups that run on past their deadline.", {}, lookup.late


def of_writer(writer: Writer) -> Iterable[Sample]:
    """What the journal takes."""
    yield "gauge", "journal_waiting", "Changes that wait for the journal.", {}, writer.depth
    yield "gauge", "journal_lag_seconds", "How long the oldest of them has waited.", {}, writer.lag()
    yield "gauge", "spool_bytes", "Bytes that wait in the spool.", {}, writer.spool_size
    yield "counter", "changes_written", "Changes written to the journal.", {}, writer.written
    yield "counter", "changes_spooled", "Changes that had to wait in the spool.", {}, writer.spooled
    yield "counter", "events_published", "Events given to the bus.", {}, writer.published
    yield "counter", "events_unpublished", "Events the bus could not take.", {}, writer.unpublished


def of_journal(journal: SqlJournal, pipeline: Pipeline) -> Iterable[Sample]:
    """What was not taken."""
    text = "Changes that the database refused; they are in rejected.jsonl."
    yield "counter", "changes_rejected", text, {}, journal.rejections
    yield "counter", "agi_unknown_pbx", "AGI requests of a pbx not configured.", {}, pipeline.unknown_pbx


def of_agi(agi: AgiService) -> Iterable[Sample]:
    """What the FastAGI server saw."""
    counters = agi.factory.counters
    yield "gauge", "agi_open_connections", "FastAGI connections now.", {}, agi.factory.open_connections
    for name, value in (
        ("connections", counters.connections),
        ("requests", counters.requests),
        ("answered", counters.answered),
        ("hung_up", counters.hung_up),
        ("denied", counters.denied),
        ("failed", counters.failed),
        ("timed_out", counters.timeouts),
    ):
        yield "counter", "agi_sessions", "FastAGI sessions by what became of them.", {"what": name}, value
    for reason, value in counters.refused.items():
        yield "counter", "agi_refused", "FastAGI sessions closed, by reason.", {"reason": reason}, value


def of_ami(services: Mapping[str, AmiService], trackers: Mapping[str, Tracker]) -> Iterable[Sample]:
    """What each PBX said."""
    for name, service in services.items():
        label = {"pbx": name}
        counters = service.counters
        yield "counter", "ami_events", "AMI events handed on.", label, counters.events
        yield "counter", "ami_dropped", "AMI messages not believed.", label, counters.dropped
        yield "counter", "ami_reconnects", "AMI sign-ins after the first.", label, counters.reconnects
        yield "counter", "ami_ignored", "AMI events about channels not known.", label, trackers[name].ignored
        yield "gauge", "calls_live", "Calls that go on.", label, trackers[name].calls
        yield "gauge", "channels_live", "Channels that live.", label, trackers[name].channels


def of_push(hub: Hub, subscription: Subscription) -> Iterable[Sample]:
    """What the push side passed on."""
    yield "gauge", "push_clients", "Streams of live events.", {}, hub.clients
    yield "counter", "push_events", "Events passed on to the streams.", {}, hub.published
    yield "counter", "push_refused", "Messages on the bus that were no events.", {}, subscription.refused
    yield "counter", "push_dropped", "Clients dropped because they were too slow.", {}, hub.dropped
    yield "counter", "push_repaired", "Events the bus lost and the table had.", {}, subscription.repaired
    yield "counter", "push_resets", "Times every client was told to read again.", {}, subscription.resets
