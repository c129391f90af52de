"""A private Asterisk 22 in its chroot, with a configuration of its own on free ports.

``scripts/lab`` puts the chroot into ``.lab/asterisk`` (``WHOCALLS_LAB`` names another folder instead of
``.lab``). Every instance has its own folder below ``/srv/lab`` in there, so several run side by side.
"""

import atexit
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from .ports import free_ports
from .waiting import eventually

__all__ = ["DIDS", "Asterisk", "LabMissing", "Ports", "lab_folder"]

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIG = Path(__file__).resolve().parent / "config"

# The scenario of each called number; config/extensions.conf says what happens there.
DIDS: Mapping[str, str] = {
    "one": "74951230001",
    "one_short": "74951230002",
    "group": "74951230003",
    "queue": "74951230004",
    "queue_short": "74951230005",
    "local_queue": "74951230006",
    "local_queue_short": "74951230007",
    "follow_me": "74951230008",
    "ivr_queue": "74951230009",
    "voicemail": "74951230010",
    "announcement": "74951230011",
    "unregistered": "74951230012",
    "switched_off": "74951230013",
    "congestion": "74951230014",
    "routed": "74951230015",
    "read_back": "74951230016",
    "ivr_wait": "74951230017",
    "announcement_short": "74951230018",
    "follow_me_optimized": "74951230019",
    "queue_optimized": "74951230020",
    "102_direct": "74951230021",
}

# Modules that find no file of theirs decline to load or complain; an empty one serves.
_EMPTY_FILES = (
    *("acl", "aeap", "ari", "ccss", "cel", "dsp", "http", "indications", "musiconhold", "pjproject"),
    *("pjsip_wizard", "res_parking", "stasis", "statsd", "udptl", "websocket_client"),
)
_RTP_BLOCK = 2_000
_PR_SET_PDEATHSIG = 1
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class LabMissing(RuntimeError):
    """There is no Asterisk to run: ``scripts/lab`` has not been run yet."""


@dataclass(frozen=True)
class Ports:
    """Every port of one lab, all on 127.0.0.1 (the trunk's on 127.0.0.2 and 127.0.0.3)."""

    sip: int
    ami: int
    agi: int
    reader: int
    trunk: int
    phone_101: int
    phone_102: int
    phone_103: int
    phone_105: int

    @classmethod
    def free(cls) -> "Ports":
        """A set of ports nobody listens on."""
        return cls(*free_ports(len(fields(cls))))

    def phone(self, name: str) -> int:
        """The port where Asterisk expects the phone ``name`` (101, 102, 103 or 105)."""
        return int(getattr(self, f"phone_{name}"))


def lab_folder() -> Path:
    """Where ``scripts/lab`` puts its things."""
    return Path(os.environ.get("WHOCALLS_LAB", CHECKOUT / ".lab"))


@dataclass
class Asterisk:
    """One private Asterisk. ``start`` it, and ``stop`` it whatever happens (atexit does, too).

    Attributes:
        ports: where it listens and where it expects the AGI server, the phones and the trunk.
        pbx: the name it gives itself in the AGI request.
        lookup_seconds: the time the dialplan gives the AGI server.
    """

    ports: Ports = field(default_factory=Ports.free)
    pbx: str = "main"
    lookup_seconds: float = 1.5
    _folder: Path | None = field(default=None, init=False)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    # -- life ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Write the configuration, start, and wait until it has fully booted.

        Raises:
            LabMissing: there is no chroot.
            RuntimeError: it ended at once; the message has the tail of its log.
            TimeoutError: it did not boot within 60 seconds.
        """
        if self._folder is None:
            self._folder = self._make_folder()
        command = [
            "chroot",
            str(self.chroot),
            "/usr/sbin/asterisk",
            "-f",
            "-C",
            self._inside("etc/asterisk.conf"),
        ]
        with (self.home / "console").open("ab") as console:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                preexec_fn=_die_with_parent,
            )
        atexit.register(self.stop)
        self.wait_booted()

    def wait_booted(self, timeout: float = 60.0) -> None:
        """Wait until all modules are loaded and calls can be taken."""
        eventually(self._has_booted, "Asterisk to boot", timeout=timeout, every=0.1, details=self.log_tail)

    def stop(self) -> None:
        """End it and remove its folder. Does nothing when it is not running."""
        self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        atexit.unregister(self.stop)

    def kill(self) -> None:
        """``kill -9``, as when the machine dies. Its folder stays; ``start`` brings it back."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None

    def restart(self) -> None:
        """``core restart now``: calls are cut, the same process begins anew."""
        booted = self._full_log().count("Asterisk Ready.")
        self.cli("core restart now")
        eventually(
            lambda: self._full_log().count("Asterisk Ready.") > booted,
            "Asterisk to come back",
            timeout=60,
            details=self.log_tail,
        )
        self.wait_booted()

    def freeze(self) -> None:
        """SIGSTOP: it still holds its sockets but does nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT after ``freeze``."""
        self._signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id.

        Raises:
            RuntimeError: it is not running.
        """
        if self._process is None:
            raise RuntimeError("Asterisk is not running")
        return self._process.pid

    # -- questions ----------------------------------------------------------------------------------

    def cli(self, command: str, timeout: float = 20.0) -> str:
        """What the console command answers.

        Raises:
            RuntimeError: the console could not be reached.
        """
        done = self._ask(command, timeout)
        if done.returncode != 0:
            raise RuntimeError(f"asterisk -rx {command!r}: {done.stdout}{done.stderr}\n{self.log_tail()}")
        return _COLOURS.sub("", done.stdout)

    def channels(self) -> list[str]:
        """The names of all live channels."""
        lines = self.cli("core show channels concise").splitlines()
        return [line.split("!")[0] for line in lines if "!" in line]

    def wait_application(self, name: str, timeout: float = 10.0) -> None:
        """Wait until a channel is in the dialplan application ``name`` (Queue, VoiceMail, Wait …)."""
        eventually(
            lambda: f"!{name}!" in self.cli("core show channels concise"),
            f"a channel in {name}",
            timeout=timeout,
            details=self.log_tail,
        )

    def wait_idle(self, timeout: float = 15.0) -> None:
        """Wait until no channel is left.

        Raises:
            TimeoutError: some are still there; the message names them.
        """
        eventually(
            lambda: not self.channels(),
            "all channels to be gone",
            timeout=timeout,
            details=lambda: f"left: {self.channels()}\n{self.log_tail()}",
        )

    @property
    def chroot(self) -> Path:
        return lab_folder() / "asterisk"

    @property
    def home(self) -> Path:
        """The folder of this instance, as seen from outside the chroot."""
        if self._folder is None:
            raise RuntimeError("Asterisk was not started")
        return self._folder

    @property
    def log_file(self) -> Path:
        return self.home / "log" / "full"

    @property
    def cdr_file(self) -> Path:
        return self.home / "log" / "cdr-csv" / "Master.csv"

    def log_tail(self, lines: int = 40) -> str:
        """The end of Asterisk's log, for failure messages."""
        text = self._full_log() or self._console_log()
        return "--- the end of Asterisk's log ---\n" + "\n".join(text.splitlines()[-lines:])

    @property
    def manager_account(self) -> tuple[str, str]:
        """User name and secret of the product's manager account, from ``manager_whocalls.conf``."""
        text = (self.home / "etc" / "manager_whocalls.conf").read_text()
        user = re.search(r"^\[([^\]]+)\]", text, re.MULTILINE)
        secret = re.search(r"^secret\s*=>?\s*(\S+)", text, re.MULTILINE)
        if user is None or secret is None:
            raise RuntimeError("manager_whocalls.conf has no [user] with a secret")
        return user[1], secret[1]

    # -- parts --------------------------------------------------------------------------------------

    def _make_folder(self) -> Path:
        if not (self.chroot / "usr/sbin/asterisk").exists():
            raise LabMissing(f"no Asterisk in {self.chroot}: run scripts/lab (as root, once)")
        _name_this_host(self.chroot / "etc/hosts")
        (self.chroot / "srv/lab").mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self.chroot / "srv/lab"))
        for name in ("etc", "run", "db", "log/cdr-csv", "spool/voicemail", "varlib", "cache", "agi-bin"):
            (folder / name).mkdir(parents=True)
        self._write_configuration(folder)
        return folder

    def _write_configuration(self, folder: Path) -> None:
        inside = "/" + str(folder.relative_to(self.chroot))
        values = {"HOME": inside, **self._port_values()}
        for template in CONFIG.glob("*.conf"):
            (folder / "etc" / template.name).write_text(_filled(template.read_text(), values))
        for name, text in self._product_dialplan().items():
            (folder / "etc" / name).write_text(text)
        for name in _EMPTY_FILES:
            (folder / "etc" / f"{name}.conf").touch()

    def _port_values(self) -> dict[str, str]:
        first = 10_000 + _RTP_BLOCK * (self.ports.sip % 5)
        values = {"RTP_FIRST": str(first), "RTP_LAST": str(first + _RTP_BLOCK - 1)}
        for each in fields(self.ports):
            name = each.name.upper()
            values[name if name.startswith("PHONE_") else f"{name}_PORT"] = str(
                getattr(self.ports, each.name)
            )
        return values

    def _product_dialplan(self) -> dict[str, str]:
        texts = {
            name: _product_file(name)
            for name in (
                "extensions_whocalls.conf",
                "extensions_whocalls_globals.conf",
                "manager_whocalls.conf",
            )
        }
        settings = {
            "WHOCALLS_AGI": f"127.0.0.1:{self.ports.agi}",
            "WHOCALLS_PBX": self.pbx,
            "WHOCALLS_TIMEOUT": f"{self.lookup_seconds:g}",
        }
        for key, value in settings.items():
            texts["extensions_whocalls_globals.conf"] = _assigned(
                texts["extensions_whocalls_globals.conf"], key, value
            )
        return texts

    def _inside(self, path: str) -> str:
        return "/" + str((self.home / path).relative_to(self.chroot))

    def _ask(self, command: str, timeout: float) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["chroot", self.chroot, "asterisk", "-C", self._inside("etc/asterisk.conf"), "-rx", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )

    def _has_booted(self) -> bool:
        if not self.running:
            raise RuntimeError(f"Asterisk ended at once\n{self._console_log()}\n{self.log_tail()}")
        return "fully booted" in self._ask("core waitfullybooted", 30).stdout

    def _signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def _full_log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def _console_log(self) -> str:
        console = self.home / "console"
        return console.read_text(errors="replace") if console.exists() else ""


def _product_file(name: str) -> str:
    found = CHECKOUT / "dialplan" / name
    return (found if found.exists() else CONFIG / "standin" / name).read_text()


def _assigned(text: str, key: str, value: str) -> str:
    changed, count = re.subn(rf"^({key}\s*=>?\s*).*$", rf"\g<1>{value}", text, flags=re.MULTILINE)
    if count != 1:
        raise RuntimeError(f"extensions_whocalls_globals.conf sets {key} {count} times, expected once")
    return changed


def _filled(template: str, values: Mapping[str, str]) -> str:
    return re.sub(r"@([A-Z0-9_]+)@", lambda found: values[found[1]], template)


def _name_this_host(hosts: Path) -> None:
    """Without its own name in etc/hosts PJSIP blocks on look-ups and calls fail."""
    name = socket.gethostname()
    text = hosts.read_text() if hosts.exists() else ""
    if name not in text.split():
        hosts.write_text(f"{text}127.0.0.1 localhost {name}\n")


def _die_with_parent() -> None:
    """A test run that is killed must not leave an Asterisk behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
