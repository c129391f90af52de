"""The spool: in order, on disk, through deaths of the process, cut and spoilt lines and full disks."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fastagi.journal import spool as module
from fastagi.journal.encoding import encode_change
from fastagi.journal.spool import FileSpool
from tests.journal.samples import ended, looked_up, observed

APPEND_FOR_EVER = """
import sys
from pathlib import Path
from fastagi.journal.spool import FileSpool
from tests.journal.samples import observed
spool = FileSpool(Path(sys.argv[1]))
number = 0
while True:
    spool.append([observed(number), observed(number + 1)])
    number += 2
    print(number, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def reopened(folder):
    """Gives a spool as the next process finds it; what was opened before lets go first."""
    opened: list[FileSpool] = []

    def reopen() -> FileSpool:
        while opened:
            opened.pop().close()
        opened.append(FileSpool(folder))
        return opened[0]

    yield reopen
    while opened:
        opened.pop().close()


def files(folder: Path) -> list[str]:
    return sorted("".join(path.suffixes) for path in folder.iterdir())


def take(spool: FileSpool) -> list:
    return [change for batch in spool.replay() for change in batch]


def test_nothing_waits_and_nothing_is_made_at_first(folder, reopened):
    spool = reopened()
    assert spool.size == 0
    assert take(spool) == []
    assert not folder.exists()


def test_changes_come_back_in_order_and_then_the_file_is_gone(folder, reopened):
    spool = reopened()
    spool.append([looked_up(), observed()])
    spool.append([ended()])
    assert spool.size == sum(len(encode_change(one)) + 1 for one in (looked_up(), observed(), ended()))
    assert take(spool) == [looked_up(), observed(), ended()]
    assert spool.size == 0
    assert list(folder.iterdir()) == []
    spool.append([ended(2)])
    assert take(spool) == [ended(2)]


def test_files_belong_to_their_owner_only(folder, reopened):
    reopened().append([looked_up()])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


def test_the_next_process_finds_what_waits(reopened):
    reopened().append([looked_up(), observed()])
    spool = reopened()
    assert spool.size > 0
    spool.append([ended()])
    assert take(spool) == [looked_up(), observed(), ended()]


def test_a_batch_counts_as_written_only_when_the_next_is_asked_for(reopened, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    spool = reopened()
    spool.append([observed(number) for number in range(5)])
    batches = spool.replay()
    assert list(next(batches)) == [observed(0), observed(1)]
    second = next(batches)
    batches.close()
    assert next(spool.replay()) == second
    spool = reopened()
    again = next(spool.replay())
    assert list(again) == [observed(2), observed(3)]
    assert (again.file, again.positions) == (second.file, second.positions)
    assert take(spool) == [observed(2), observed(3), observed(4)]


def test_what_is_appended_while_it_is_replayed_follows(reopened, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    spool = reopened()
    spool.append([observed(number) for number in range(3)])
    seen = []
    for batch in spool.replay():
        seen += batch
        if len(seen) < 6:
            spool.append([observed(100 + len(seen))])
    assert seen == [observed(number) for number in (0, 1, 2, 102, 104, 105)]
    assert spool.size == 0


def test_processes_have_files_of_their_own_and_leave_those_of_the_living_alone(folder):
    first, second = FileSpool(folder), FileSpool(folder)
    first.append([observed(1)])
    second.append([observed(2)])
    assert len(list(folder.iterdir())) == 2
    assert take(second) == [observed(2)]
    second.append([observed(3)])
    first.close()
    assert take(second) == [observed(1), observed(3)]
    second.close()


def test_a_cut_last_line_is_kept_aside_and_the_others_come_back(folder, reopened, capsys):
    reopened().append([looked_up(), observed()])
    path = next(folder.glob("*.jsonl"))
    whole = path.read_bytes()
    path.write_bytes(whole + encode_change(ended())[:100])
    spool = reopened()
    assert take(spool) == [looked_up(), observed()]
    assert spool.size == 0
    assert files(folder) == [".jsonl.rejected"]
    assert path.with_suffix(".jsonl.rejected").read_bytes() == encode_change(ended())[:100] + b"\n"
    out = capsys.readouterr().out
    assert "is cut" in out and str(path) in out and "line=3" in out


def test_a_spoilt_line_is_named_and_kept_aside_once(folder, reopened, capsys, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 3)
    reopened().append([observed(number) for number in range(6)])
    path = next(folder.glob("*.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1], lines[4] = b"\0\0\0 garbage\n", lines[4].replace(b"2026", b"202x")
    path.write_bytes(b"".join(lines))
    spool = reopened()
    first = next(spool.replay())
    assert next(spool.replay()) == first
    assert take(spool) == [observed(0), observed(2), observed(3), observed(5)]
    rejected = path.with_suffix(".jsonl.rejected")
    assert rejected.read_bytes().splitlines() == [lines[1][:-1], lines[4][:-1]]
    assert rejected.stat().st_mode & 0o777 == 0o600
    out = capsys.readouterr().out
    assert "line=2" in out and "line=5" in out and "line=3" not in out


def test_a_file_of_only_spoilt_lines_ends(folder, reopened):
    folder.mkdir()
    (folder / "1795423013178-9f3a1c2e.jsonl").write_bytes(b"\n\nx\n" + b"y" * 3_000_000)
    assert take(reopened()) == []
    assert files(folder) == [".jsonl.rejected"]


def test_other_files_in_the_folder_are_left_alone(folder, reopened):
    reopened().append([observed(1)])
    (folder / "rejected.jsonl").write_bytes(encode_change(observed(2)) + b"\n")
    assert take(reopened()) == [observed(1)]
    assert files(folder) == [".jsonl"]


def test_a_spoilt_position_means_from_the_beginning(folder, reopened, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 1)
    for spoilt in (b"", b"x", b"-5", b"999999999"):
        spool = reopened()
        spool.append([observed(1), observed(2)])
        batches = spool.replay()
        next(batches), next(batches)
        position = next(folder.glob("*.position"))
        spool = reopened()
        position.write_bytes(spoilt)
        assert take(spool) == [observed(1), observed(2)]


def test_a_full_spool_takes_nothing_more(folder):
    spool = FileSpool(folder, limit=2000)
    spool.append([observed(1)])
    with pytest.raises(OSError, match="limit of 2000 bytes"):
        spool.append([observed(number) for number in range(9)])
    assert take(spool) == [observed(1)]
    spool.append([observed(2)])
    spool.close()


def test_a_write_that_fails_half_way_leaves_whole_lines(folder, reopened, monkeypatch):
    spool = reopened()
    spool.append([observed(1)])
    real = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        spool.append([observed(2)])
    monkeypatch.setattr(os, "fsync", real)
    spool.append([observed(3)])
    assert take(reopened()) == [observed(1), observed(3)]


def test_a_disk_that_is_full_does_not_hold_up_the_replay(folder, reopened, monkeypatch, capsys):
    monkeypatch.setattr(module, "BATCH", 2)
    reopened().append([observed(number) for number in range(5)])
    path = next(folder.glob("*.jsonl"))
    path.write_bytes(path.read_bytes() + b"spoilt\n")
    for suffix in (".jsonl.position", ".jsonl.rejected"):
        path.with_suffix(suffix).mkdir()  # what cannot be written to, whoever we are
    batches = reopened().replay()
    numbers = [list(next(batches)) for _ in range(3)]
    assert numbers == [[observed(0), observed(1)], [observed(2), observed(3)], [observed(4)]]
    out = capsys.readouterr().out
    assert "position cannot be kept" in out and "b'spoilt" in out


def test_lines_are_counted_from_the_beginning_of_the_file(folder, reopened, monkeypatch, capsys):
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(module, "PIECE", 100)
    reopened().append([observed(number) for number in range(4)])
    path = next(folder.glob("*.jsonl"))
    path.write_bytes(path.read_bytes() + b"spoilt\n")
    batches = reopened().replay()
    next(batches), next(batches)
    assert take(reopened()) == [observed(2), observed(3)]
    assert "line=5" in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        FileSpool(tmp_path / "file" / "spool").append([observed()])


def test_a_change_that_cannot_be_encoded_is_logged_and_holds_up_nobody(reopened, capsys):
    spool = reopened()
    spool.append([observed(1), observed(2, at="yesterday", ringing=(object(),)), observed(3)])
    assert take(spool) == [observed(1), observed(3)]
    assert "cannot be kept" in capsys.readouterr().out


@pytest.mark.slow
def test_what_was_taken_survives_kill_9(folder, reopened):
    """Killed at random moments: every change whose append returned is there, in order, once."""
    process = subprocess.Popen(
        [sys.executable, "-c", APPEND_FOR_EVER, str(folder)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    told = 0
    for line in process.stdout:
        told = int(line)
        if told > 60:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    told = max([told, *map(int, process.stdout.read().split())])
    process.stdout.close()
    found = take(reopened())
    assert found[:told] == [observed(number) for number in range(told)]
    assert len(found) <= told + 2
