"""`whocalls import` and `whocalls lookup`: who is in the directory, and who would be shown for a number."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from fastagi.cli.options import ConfigFile, opened, read
from fastagi.config import Config
from fastagi.interfaces import LookupAnswer

__all__ = ["import_", "lookup"]

say = Console(highlight=False, emoji=False).print
SHOWN = 20
"""Rejected rows that are printed; the rest is counted."""


def import_(
    file: Annotated[Path, typer.Argument(help="CSV with at least the columns name and phones.")],
    config: ConfigFile = None,
) -> None:
    """Reads subscribers from a CSV file into the own directory; bad rows are listed, good rows go in."""
    from fastagi.directory.importer import import_csv
    from fastagi.parts import make_numbers, make_ready

    settings = read(config)
    make_ready(settings)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(file.name, total=None)
        report = import_csv(
            file,
            settings.database.url,
            make_numbers(settings),
            progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    say(
        f"{report.read} rows read: {report.added} added, {report.updated} updated, {report.rejected_total} rejected"
    )
    for line, reason in report.rejected[:SHOWN]:
        say(f"  line {line}: {escape(reason)}")
    if report.rejected_total > SHOWN:
        say(f"  … and {report.rejected_total - SHOWN} more")
    for line, remark in report.remarks[:SHOWN]:
        say(f"  line {line}: {escape(remark)}")
    if report.remarks_total > SHOWN:
        say(f"  … and {report.remarks_total - SHOWN} more")
    if report.rejected_total:
        raise typer.Exit(1)


def lookup(
    number: Annotated[str, typer.Argument(help="As the trunk or a person writes it.")],
    config: ConfigFile = None,
) -> None:
    """Shows what would be shown for a number, and why."""
    answer = asyncio.run(_explained(read(config), number))
    table = Table(show_header=False, box=None)
    for key, value in _rows(answer):
        table.add_row(escape(key), escape(value))
    say(table)
    for step in answer.steps:
        say(f"  · {escape(step)}")


async def _explained(config: Config, number: str) -> LookupAnswer:
    from fastagi.parts import make_directories, make_lookup, make_numbers

    async with opened(config) as database:
        lookup = make_lookup(config, make_numbers(config), make_directories(config, database))
        return await lookup.explain(number)


def _rows(answer: LookupAnswer) -> list[tuple[str, str]]:
    rows = [("result", answer.status.value), ("number", answer.number.e164 or answer.number.kind.value)]
    for one in answer.subscribers:
        facts = (one.id, one.login, one.deposit, one.address, one.tariff, one.service_status, one.url)
        rows.append((one.name, " · ".join(fact for fact in facts if fact)))
    if answer.lead:
        rows.append(("lead", answer.lead.name))
    return rows
