"""A cable between a client and a server of TCP, which a test can cut and mend."""

import contextlib
import socket
import threading

__all__ = ["Cable"]


class Cable:
    """Listens on a free port of 127.0.0.1 and passes everything on, both ways.

    Args:
        port: of the server, on 127.0.0.1.

    Attributes:
        port: where the client connects instead.
    """

    def __init__(self, port: int) -> None:
        self._server = port
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._whole = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends every connection at once; new ones end as soon as they are made."""
        with self._lock:
            self._whole = False
            for end in self._ends:
                _shut(end)

    def mend(self) -> None:
        """Lets connections through again."""
        with self._lock:
            self._whole = True

    def stop(self) -> None:
        """Ends everything for good."""
        self.cut()
        _shut(self._listener)  # wakes the thread; closing alone would not
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        with (
            client,
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self._server)) as server,
        ):
            with self._lock:
                self._ends |= {client, server}
                if not self._whole:
                    _shut(client)
            back = threading.Thread(target=_carry, args=(server, client), daemon=True)
            back.start()
            _carry(client, server)
            back.join()
            with self._lock:
                self._ends -= {client, server}


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    _shut(target)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
