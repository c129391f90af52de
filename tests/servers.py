"""Private servers for tests: Redis, PostgreSQL and MariaDB, each in a temporary folder on a free port.

They listen on 127.0.0.1 only, need no service and no root (PostgreSQL even refuses it, so root starts them as
somebody else), and end with the test process. A missing program is a failure that names its Debian package.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import psycopg
import pymysql

from tests.lab.ports import free_port
from tests.lab.waiting import eventually

__all__ = ["MariaDb", "Postgres", "Redis", "running"]

UNPRIVILEGED = "nobody"
_PR_SET_PDEATHSIG = 1
# A server ends with the thread that started it, so this one starts them all and lives as long as the tests.
_LAUNCHER = ThreadPoolExecutor(1, thread_name_prefix="servers")


class Server:
    """A server of our own. `start` after `stop` or `kill` starts it again on the same port and data."""

    package: ClassVar[str]

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="whocalls-server-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        if os.geteuid() == 0:
            somebody = pwd.getpwnam(UNPRIVILEGED)
            os.chown(self.folder, somebody.pw_uid, somebody.pw_gid)

    def start(self) -> None:
        """Starts it and waits until it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = _LAUNCHER.submit(
                subprocess.Popen,
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                preexec_fn=_end_with_the_tests,
                **_as_somebody(),
            ).result()
        eventually(self._answers, f"{type(self).__name__} to answer", timeout=60, details=self._log)

    def stop(self) -> None:
        """Stops it in peace."""
        self._end(self._polite)

    def kill(self) -> None:
        """Kills it as a power cut would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stops it from running; its connections stay open and silent."""
        for pid in self._family():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it run again."""
        for pid in self._family():
            os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """Stops it and removes its folder."""
        if self._process is not None:
            self.thaw()
            self.stop()
        shutil.rmtree(self.folder)

    _polite = signal.SIGTERM

    def _end(self, how: int) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(timeout=60)
        self._process = None

    def _family(self) -> list[int]:
        """The server's process and its children (PostgreSQL has one for each connection)."""
        assert self._process is not None
        family = [self._process.pid]
        for entry in Path("/proc").iterdir():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self._process.pid:
                family.append(int(entry.name))
        return family

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=120, **_as_somebody()
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"

    def _program(self, name: str) -> str:
        places = [os.environ.get("PATH", ""), "/usr/sbin", *map(str, _POSTGRESQL.glob("*/bin"))]
        found = shutil.which(name, path=os.pathsep.join(places))
        assert found, f"{name} is missing: apt-get install --no-install-recommends {self.package}"
        return found

    def _log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")[-2000:]

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError


_POSTGRESQL = Path("/usr/lib/postgresql")


class Redis(Server):
    """A Redis that keeps nothing."""

    package = "redis-server"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        return [
            self._program("redis-server"),
            *(str(one) for k, v in options.items() for one in (f"--{k}", v)),
        ]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class Postgres(Server):
    """A PostgreSQL with one superuser, `whocalls`, and no passwords."""

    package = "postgresql"
    _polite = signal.SIGINT  # "fast": do not wait for clients

    def start(self) -> None:
        if not (self.folder / "data").exists():
            self._run(
                self._program("initdb"),
                *("--pgdata", str(self.folder / "data"), "--username=whocalls", "--auth=trust"),
                *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            )
        super().start()

    def new_database(self) -> str:
        """Makes an empty database and returns its URL."""
        self._databases += 1
        name = f"test{self._databases}"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        return f"postgresql+psycopg://whocalls@127.0.0.1:{self.port}/{name}"

    def _dsn(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=whocalls dbname={database} connect_timeout=5"

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "32MB",
            "max_connections": "40",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [self._program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *options]

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._dsn("postgres")).close()
        except psycopg.Error:
            return False
        return True


class MariaDb(Server):
    """A MariaDB whose root needs no password."""

    package = "mariadb-server"

    def start(self) -> None:
        if not (self.folder / "data").exists():
            self._run(
                self._program("mariadb-install-db"),
                *("--no-defaults", f"--datadir={self.folder / 'data'}", "--skip-test-db"),
                "--auth-root-authentication-method=normal",
            )
        super().start()

    def new_database(self) -> str:
        """Makes an empty database and returns its URL."""
        self._databases += 1
        name = f"test{self._databases}"
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        return f"mariadb+pymysql://root@127.0.0.1:{self.port}/{name}"

    def _connect(self) -> pymysql.Connection:
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", connect_timeout=5)

    def _command(self) -> list[str]:
        options = {
            "datadir": self.folder / "data",
            "bind-address": "127.0.0.1",
            "port": self.port,
            "socket": self.folder / "socket",
            "pid-file": self.folder / "pid",
            "innodb-flush-log-at-trx-commit": 2,  # survives a kill, not a power cut
            "innodb-buffer-pool-size": "32M",
        }
        return [self._program("mariadbd"), "--no-defaults", *(f"--{k}={v}" for k, v in options.items())]

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except pymysql.Error:
            return False
        return True


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Starts a server and removes it afterwards, whatever happened to it meanwhile."""
    try:
        server.start()
        yield server
    finally:
        server.close()


def _as_somebody() -> dict[str, object]:
    if os.geteuid() != 0:
        return {}
    return {"user": UNPRIVILEGED, "group": pwd.getpwnam(UNPRIVILEGED).pw_gid, "extra_groups": []}


def _end_with_the_tests() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
