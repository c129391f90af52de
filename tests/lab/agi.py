"""Stand-ins for the far end of Asterisk's AGI: one that answers like the product, one that reads variables.

Both write down the dialogue in the form of the captures: ``<`` from Asterisk, ``>`` from the server,
``#`` a remark.
"""

import socket
import socketserver
import threading
from collections.abc import Mapping

__all__ = ["AgiServer", "VariableReader", "quoted_argument", "set_all"]


def quoted_argument(value: str) -> str:
    """One AGI argument; line ends and NUL must not be in it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def set_all(values: Mapping[str, str]) -> str:
    """One ``EXEC MSet`` that sets every variable, in order."""
    pairs = (
        f"{name}=" + "".join("\\" + c if c in '\\",()[]' else c for c in v) for name, v in values.items()
    )
    return "EXEC MSet " + quoted_argument(",".join(pairs))


class AgiServer:
    """Listens on 127.0.0.1 and answers every request with one MSet.

    Attributes:
        answer: the variables to set; change it at any time.
        requests: the environments that came, oldest first.
        transcript: the lines of all dialogues.
    """

    def __init__(self, port: int, answer: Mapping[str, str] | None = None) -> None:
        self.port = port
        self.answer = dict(answer or {"LOOKUP_STATUS": "UNKNOWN"})
        self.requests: list[dict[str, str]] = []
        self.transcript: list[str] = []
        self._server: socketserver.ThreadingTCPServer | None = None

    def start(self) -> "AgiServer":
        talk = self._talk

        class Connection(socketserver.StreamRequestHandler):
            timeout = 20

            def handle(self) -> None:
                talk(self)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 256

        self._server = Server(("127.0.0.1", self.port), Connection)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def commands(self, environment: Mapping[str, str]) -> list[str]:
        """What to ask of Asterisk for one request."""
        return [set_all(self.answer)]

    def replied(self, command: str, reply: str) -> None:
        """Called with every reply."""

    def _talk(self, connection: socketserver.StreamRequestHandler) -> None:
        said = [f"# connection {len(self.requests) + 1}"]
        environment: dict[str, str] = {}
        self.requests.append(environment)
        try:
            self._converse(connection, environment, said)
        except (TimeoutError, ConnectionError) as error:
            said.append(f"# {error}")
        self.transcript += said

    def _converse(
        self, connection: socketserver.StreamRequestHandler, environment: dict[str, str], said: list[str]
    ) -> None:
        while line := self._line(connection, said):
            name, _, value = line.partition(": ")
            environment[name.rstrip(":")] = value
        for command in self.commands(environment):
            connection.wfile.write(command.encode("utf-8", "surrogateescape") + b"\n")
            said.append(f"> {command}")
            self.replied(command, self._line(connection, said))
        connection.connection.shutdown(socket.SHUT_WR)
        while connection.rfile.readline():
            pass
        said.append("# server closed connection")

    def _line(self, connection: socketserver.StreamRequestHandler, said: list[str]) -> str:
        line = connection.rfile.readline(65_536).decode("utf-8", "surrogateescape").rstrip("\n")
        said.append(f"< {line}")
        return line


class VariableReader(AgiServer):
    """Reads variables back with GET FULL VARIABLE, for tests of what the product has set.

    Attributes:
        names: the variables (or functions) to read.
        values: one dict per call, oldest first. A variable that is not set reads as "".
    """

    def __init__(self, port: int, names: tuple[str, ...] = ()) -> None:
        super().__init__(port)
        self.names = names
        self.values: list[dict[str, str]] = []

    def commands(self, environment: Mapping[str, str]) -> list[str]:
        self.values.append({})
        return [f"GET FULL VARIABLE {quoted_argument('${' + name + '}')}" for name in self.names]

    def replied(self, command: str, reply: str) -> None:
        name = command.split("${", 1)[1].rsplit("}", 1)[0]
        _, _, rest = reply.partition("(")
        self.values[-1][name] = rest.removesuffix(")")
