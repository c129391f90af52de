"""SIPp as the provider's trunk and as load (``sipp_phone`` has the phones).

Each run gets its scenario filled in from ``scenarios/``, a folder of its own, and a trace of its messages,
from which tests read what really went over the wire.
"""

import contextlib
import csv
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .ports import free_port
from .processes import die_with_parent
from .sip import SipMessage, quoted
from .waiting import eventually

__all__ = ["Caller", "Sipp", "SippCall", "SippLoad", "milliseconds"]

SCENARIOS = Path(__file__).resolve().parent / "scenarios"
FOREVER_MS = 3_600_000
_TRACED = re.compile(rb"UDP message (sent|received) [(\[](\d+)\]? bytes\)? ?:\n\n")
_REFUSALS = (403, 404, 408, 480, 484, 486, 488, 500, 502, 503, 600, 603, 604, 606)


@dataclass(frozen=True)
class Caller:
    """Who calls: what goes into From, and perhaps one more header.

    Attributes:
        user: user part of From as it stands on the wire (percent codes included); "" for none.
        name: display name, None for none.
        header: one more header line, for example ``Privacy: id``.
        host: host part of From; None means the trunk's address.
    """

    user: str = "79161234567"
    name: str | None = None
    header: str = ""
    host: str | None = None

    def row(self, host: str) -> str:
        """A line of SIPp's injection file.

        Raises:
            ValueError: a field holds a semicolon or line end, which that file cannot carry.
        """
        at = f"{self.user}@" if self.user else ""
        fields = [
            f"sip:{at}{self.host or host}",
            f"{quoted(self.name)} " if self.name is not None else "",
            self.header,
        ]
        if any(character in field for field in fields for character in ";\r\n"):
            raise ValueError(f"SIPp cannot inject {self}: no semicolons or line ends; use Lab.trunk_call")
        return ";".join(fields) + "\n"


class Sipp:
    """One SIPp process with its folder; ``launch`` starts it."""

    def __init__(
        self, scenario: str, values: Mapping[str, str | int], host: str, server: tuple[str, int]
    ) -> None:
        self.host = host
        self._server = server
        self.folder = Path(tempfile.mkdtemp(prefix="lab-sipp-"))
        text = (SCENARIOS / f"{scenario}.xml").read_text()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        (self.folder / "scenario.xml").write_text(text)
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self, port: int, *arguments: str | Path, trace: bool = True) -> None:
        traced = ["-trace_msg", "-message_file", str(self.folder / "messages")] if trace else []
        command = ["sipp", f"{self._server[0]}:{self._server[1]}", "-sf", "scenario.xml", "-i", self.host]
        command += ["-p", str(port), "-mp", str(free_port(self.host)), "-nostdin", "-trace_err"]
        command += ["-error_file", str(self.folder / "errors"), *traced, *map(str, arguments)]
        with (self.folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent,
            )

    @property
    def messages(self) -> list[tuple[str, SipMessage]]:
        """What went over the wire so far: ("sent" or "received", message)."""
        file = self.folder / "messages"
        data = file.read_bytes() if file.exists() else b""
        found = []
        for match in _TRACED.finditer(data):
            body = data[match.end() : match.end() + int(match[2])]
            if len(body) == int(match[2]):
                found.append((match[1].decode(), SipMessage.parse(body)))
        return found

    def story(self) -> str:
        """The start lines of the trace and SIPp's errors, for failure messages."""
        lines = [f"{way} {message.start} | {message.get('CSeq')}" for way, message in self.messages]
        for name in ("errors", "output"):
            file = self.folder / name
            text = file.read_text(errors="replace") if file.exists() else ""
            lines += [line for line in text.splitlines() if "rror" in line or "bort" in line][-10:]
        return "SIPp's trace:\n" + "\n".join(lines[-30:])

    def stop(self) -> None:
        """End the process and remove its folder."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait(timeout=10)
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)


class SippCall(Sipp):
    """One call from the trunk (or, with a host of 127.0.0.1 and a phone's number, from a phone)."""

    def __init__(
        self,
        number: str,
        caller: Caller,
        server: tuple[str, int],
        *,
        host: str,
        talks: float | None = None,
        gives_up_after: float | None = None,
    ) -> None:
        wanted = "\n  ".join(
            f'<recv response="{code}" optional="true" next="refused"/>' for code in _REFUSALS
        )
        values = {
            "TALK_MS": milliseconds(talks),
            "GIVE_UP_MS": milliseconds(gives_up_after),
            "REFUSALS": wanted,
        }
        super().__init__("caller", values, host, server)
        (self.folder / "callers").write_text("SEQUENTIAL\n" + caller.row(host))
        self.launch(free_port(host), "-m", "1", "-s", number, "-inf", "callers")

    def wait(self, timeout: float = 30.0) -> "SippCall":
        """Wait for the end of the call.

        Raises:
            TimeoutError: it has not ended.
            RuntimeError: SIPp says that the call did not go by the scenario.
        """
        process = self.process
        assert process is not None
        eventually(
            lambda: process.poll() is not None, "the SIPp call to end", timeout=timeout, details=self.story
        )
        if process.returncode != 0:
            raise RuntimeError(f"SIPp ended with {process.returncode}\n{self.story()}")
        return self

    def wait_answered(self, timeout: float = 15.0) -> "SippCall":
        """Wait for the 200 OK of the INVITE."""
        eventually(lambda: self.final == 200, "the call to be answered", timeout=timeout, details=self.story)
        return self

    @property
    def statuses(self) -> list[int]:
        """The responses to our INVITE, in order."""
        return [
            m.status for way, m in self.messages if way == "received" and m.status and m.method == "INVITE"
        ]

    @property
    def final(self) -> int:
        """The final status of the INVITE, 0 while there is none."""
        return next((status for status in self.statuses if status >= 200), 0)

    @property
    def ended_by(self) -> str:
        """``us`` (BYE or CANCEL sent), ``them``, or "" while it lasts."""
        for way, message in self.messages:
            if message.method in ("BYE", "CANCEL") and message.is_request:
                return "us" if way == "sent" else "them"
        return "them" if self.final >= 300 else ""


class SippLoad(Sipp):
    """Many calls at a steady rate. Every one has to be answered."""

    def __init__(
        self,
        number: str,
        callers: Iterable[Caller],
        server: tuple[str, int],
        *,
        host: str,
        rate: float,
        calls: int,
        talks: float,
    ) -> None:
        super().__init__("load", {"TALK_MS": milliseconds(talks)}, host, server)
        rows = "".join(caller.row(host) for caller in callers)
        (self.folder / "callers").write_text("SEQUENTIAL\n" + rows)
        arguments = ["-m", calls, "-r", rate, "-l", 100_000, "-s", number, "-inf", "callers"]
        arguments += ["-trace_stat", "-stf", "statistics", "-fd", "1", "-recv_timeout", 20_000]
        self.launch(free_port(host), *map(str, arguments), trace=False)

    def wait(self, timeout: float) -> Mapping[str, str]:
        """Wait for the end and return SIPp's last line of statistics.

        Raises:
            TimeoutError: the calls did not end in time.
        """
        process = self.process
        assert process is not None
        eventually(lambda: process.poll() is not None, "the load to end", timeout=timeout, details=self.story)
        with (self.folder / "statistics").open(newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))[-1]


def milliseconds(seconds: float | None) -> int:
    """Seconds as SIPp wants them; None is longer than any test."""
    return FOREVER_MS if seconds is None else max(1, round(seconds * 1000))
