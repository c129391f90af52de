"""A private Asterisk 22 in its chroot, with a configuration of its own on free ports.

``scripts/lab`` puts the chroot into ``.lab/asterisk`` (``WHOCALLS_LAB`` names another folder instead of
``.lab``). Every instance has its own folder below ``/srv/lab`` in there, so several run side by side.
"""

import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from .configuration import Ports, Settings
from .processes import open_many_files
from .waiting import eventually

__all__ = ["Asterisk", "LabMissing", "lab_folder"]

CHECKOUT = Path(__file__).resolve().parents[2]

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class LabMissing(RuntimeError):
    """There is no Asterisk to run: ``scripts/lab`` has not been run yet."""


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
                preexec_fn=open_many_files,
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

    def ask_agi_at(self, port: int, *, seconds: float | None = None) -> None:
        """Let the dialplan ask another AGI port from now on, and perhaps give it another time limit."""
        self.cli(f"dialplan set global WHOCALLS_AGI 127.0.0.1:{port}")
        self.cli(
            f"dialplan set global WHOCALLS_TIMEOUT {self.lookup_seconds if seconds is None else seconds:g}"
        )

    def channels(self) -> list[str]:
        """The names of all live channels."""
        return [line.split("!")[0] for line in self._concise()]

    def wait_application(self, name: str, timeout: float = 10.0) -> None:
        """Wait until a channel is in the dialplan application ``name`` (Queue, VoiceMail, Wait …)."""
        eventually(
            lambda: any(f"!{name}!" in line for line in self._concise()),
            f"a channel in {name}",
            timeout=timeout,
            details=self.log_tail,
        )

    def wait_bridged(self, count: int = 2, timeout: float = 10.0) -> None:
        """Wait until ``count`` channels are in bridges: only then do they hear each other.

        An answer reaches the phones a little earlier; a REFER sent in between is refused.
        """
        eventually(
            lambda: sum(bool(line.split("!")[-2]) for line in self._concise()) >= count,
            f"{count} channels in bridges",
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
        instances = self.chroot / "srv/lab"
        instances.mkdir(parents=True, exist_ok=True)
        _remove_orphans(instances)
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=instances))
        for name in ("etc", "run", "db", "log/cdr-csv", "spool/voicemail", "varlib", "cache", "agi-bin"):
            (folder / name).mkdir(parents=True)
        settings = Settings(
            home="/" + str(folder.relative_to(self.chroot)),
            ports=self.ports,
            pbx=self.pbx,
            lookup_seconds=self.lookup_seconds,
        )
        settings.write(folder / "etc")
        return folder

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

    def _concise(self) -> list[str]:
        return [line for line in self.cli("core show channels concise").splitlines() if "!" in line]

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


def _remove_orphans(instances: Path) -> None:
    """Folders begin with the pid of the test run that made them; a killed run leaves its folder behind."""
    for folder in instances.iterdir():
        pid = folder.name.partition("-")[0]
        if not Path("/proc", pid).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _name_this_host(hosts: Path) -> None:
    """Without its own name in etc/hosts PJSIP blocks on look-ups and calls fail."""
    name = socket.gethostname()
    text = hosts.read_text() if hosts.exists() else ""
    if name not in text.split():
        hosts.write_text(f"{text}127.0.0.1 localhost {name}\n")
