"""pyst2's AGI class behind a thread per connection, doing the same job."""

import socketserver

from asterisk.agi import AGI

from tests.benchmarks.peers.common import Directory, arguments

directory = Directory(arguments())


class ThreadAGI(AGI):
    """AGI without its signal handler, which only a main thread may set."""

    def __init__(self, stdin, stdout, stderr) -> None:
        self.stdin, self.stdout, self.stderr, self.env = stdin, stdout, stderr, {}
        self._got_sighup = False
        self._get_agi_env()


class Lookup(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        agi = ThreadAGI(
            stdin=self.connection.makefile("r", encoding="utf-8"),
            stdout=self.connection.makefile("w", encoding="utf-8", buffering=1),
            stderr=open("/dev/null", "w"),  # noqa: SIM115 (it ends with the connection)
        )
        for name, value in directory.variables(agi.env["agi_callerid"]):
            agi.set_variable(name, value)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True


with Server(("127.0.0.1", 0), Lookup) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
