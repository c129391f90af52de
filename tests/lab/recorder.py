"""Records what Asterisk says during a scenario, into a folder of the form of ``tests/captures``.

A folder gets ``ami.txt`` (the raw bytes an AMI client got, the banner first), ``times.txt`` (when each AMI
message came), ``agi.txt``, ``cdr.csv`` and ``notes.md`` (who did what when, seen from the phones).
"""

import csv
import io
import time
from pathlib import Path

from .ami import AmiClient
from .lab import Lab
from .waiting import eventually

__all__ = ["Recorder"]


class Recorder:
    """One recording. ``connect`` before or during the calls, ``finish`` when they are over."""

    def __init__(self, lab: Lab, folder: Path, transcript: list[str]) -> None:
        self.lab = lab
        self.folder = folder
        self.clients: dict[str, AmiClient] = {}
        self._transcript = transcript
        self._agi_before = len(transcript)
        self._log_before = len(lab.log)
        self._rows_before = len(self._rows())

    def connect(self, name: str = "ami") -> AmiClient:
        """Log in as a client that reads system, call and agent; its bytes go to ``<name>.txt``."""
        client = AmiClient(self.lab.ports.ami, "recorder", "recorder").start()
        client.wait_event("FullyBooted")
        self.clients[name] = client
        return client

    def say(self, text: str) -> None:
        """Put a remark into the timeline of the notes."""
        self.lab.log.append(f"{time.time():.3f} {text}")

    def finish(self, what: str, outcome: str) -> None:
        """Wait for quiet, write all files.

        Args:
            what: what the people did, for the notes.
            outcome: how it ended, in words.
        """
        self.lab.asterisk.wait_idle()
        for client in self.clients.values():
            self._wait_quiet(client)
            client.stop()
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, client in self.clients.items():
            (self.folder / f"{name}.txt").write_bytes(bytes(client.raw))
            (self.folder / f"{name.replace('ami', 'times', 1)}.txt").write_text(_times(client))
        dialogue = self._transcript[self._agi_before :]
        (self.folder / "agi.txt").write_text("".join(f"{line}\n" for line in dialogue))
        rows = self._rows()[self._rows_before :]
        (self.folder / "cdr.csv").write_bytes(rows)
        count = sum(1 for _ in csv.reader(io.StringIO(rows.decode(), newline="")))
        (self.folder / "notes.md").write_text(self._notes(what, outcome, count))

    def _notes(self, what: str, outcome: str, rows: int) -> str:
        stamped = [line.split(" ", 1) for line in self.lab.log[self._log_before :]]
        begin = float(stamped[0][0])
        timeline = [f"- {float(at) - begin:6.3f} s  {text}" for at, text in stamped]
        clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begin)) + f".{int(begin % 1 * 1000):03d}Z"
        lines = [f"# {self.folder.name}", "", f"1. What: {what}", f"2. FINAL OUTCOME: {outcome}"]
        lines += [f"3. Timeline of the phones (0 s = {clock}):", "", *timeline, ""]
        lines += [f"4. CDR rows (cdr.csv): {rows}."]
        lines += [
            "5. AMI user with read=system,call,agent; times.txt has the arrival of each message of ami.txt."
        ]
        return "\n".join(lines) + "\n"

    def _rows(self) -> bytes:
        file = self.lab.asterisk.cdr_file
        return file.read_bytes() if file.exists() else b""

    def _wait_quiet(self, client: AmiClient) -> None:
        eventually(
            lambda: client.ended or (client.arrivals and time.time() - client.arrivals[-1][0] > 0.7),
            "AMI to fall silent",
        )


def _times(client: AmiClient) -> str:
    """One line per message: when its last byte came (seconds since the epoch), first header, channel."""
    lines = []
    end = 0
    for block in bytes(client.raw).split(b"\r\n\r\n")[:-1]:
        end += len(block) + 4
        at = next(when for when, size in client.arrivals if size >= end)
        headers = block.decode("utf-8", "replace").removeprefix("Asterisk Call Manager/").split("\r\n")
        first = next((line for line in headers if ":" in line), "")
        channel = next((line for line in headers if line.startswith("Channel:")), "")
        lines.append(f"{at:.3f} {first} {channel}".rstrip())
    return "".join(f"{line}\n" for line in lines)
