"""The same import in a child process: progress, report and errors come back as they are."""

import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fastagi.directory import import_child
from fastagi.directory.import_child import import_in_child
from fastagi.directory.importer import import_csv
from fastagi.errors import BadInput, DatabaseUnavailable
from fastagi.numbers import Numbers

NUMBERS = Numbers("UA", r"^\d{2,4}$", prefixes=["9"])


def test_the_child_does_the_same(file: Path, tmp_path: Path) -> None:
    source = tmp_path / "subscribers.csv"
    source.write_text("id,name,phones\n1,Олена,9067 123 45 67;12\n2,B,\n")
    seen: list[tuple[int, int]] = []
    report = import_in_child(
        source, f"sqlite:///{file}", NUMBERS, progress=lambda done, total: seen.append((done, total))
    )
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT e164 FROM phones").fetchall() == [("+380671234567",)]
    assert seen[-1] == (source.stat().st_size, source.stat().st_size)
    assert report.rejected == ((3, "phones: is empty"),)
    assert report.remarks == ((2, "phones: left out 12"),)
    again = import_csv(source, f"sqlite:///{file}", NUMBERS)
    assert (report.read, report.added, again.updated) == (again.read, 1, 1)


def test_a_child_that_dies_is_told(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_child.sys, "executable", "/bin/false")
    with pytest.raises(DatabaseUnavailable, match="process ended with code 1"):
        import_in_child(tmp_path / "none.csv", f"sqlite:///{file}", NUMBERS)


def test_who_stops_to_listen_ends_the_child(file: Path, tmp_path: Path) -> None:
    source = tmp_path / "subscribers.csv"
    source.write_text("name,phones\nA,0671234567\n")

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_in_child(source, f"sqlite:///{file}", NUMBERS, progress=stop)


def answers(file: Path, source: Path) -> list[dict]:
    """What the child says; run here, where its lines are counted."""
    out = io.StringIO()
    order = {
        "path": str(source),
        "database_url": f"sqlite:///{file}",
        "region": "UA",
        "internal": "^$",
        "prefixes": [],
    }
    import_child._serve(order, out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_errors_keep_their_kind_and_words(file: Path, tmp_path: Path) -> None:
    source = tmp_path / "subscribers.csv"
    source.write_text("name,phones\nA,0671234567\n")
    (told,) = answers(file, tmp_path / "none.csv")
    with pytest.raises(BadInput, match=r"none\.csv: there is no such file"):
        import_child._result(told)
    with closing(sqlite3.connect(file)) as database:
        database.execute("DROP TABLE phones")
    (told,) = answers(file, source)
    with pytest.raises(DatabaseUnavailable, match="the import stopped before line 2"):
        import_child._result(told)


def test_the_last_answer_is_the_report(file: Path, tmp_path: Path) -> None:
    source = tmp_path / "subscribers.csv"
    source.write_text("name,phones\nA,0671234567\n")
    *progress, last = answers(file, source)
    assert all(told == {"done": source.stat().st_size, "total": source.stat().st_size} for told in progress)
    assert import_child._result(last).added == 1
