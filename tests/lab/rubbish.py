"""Something else where the FastAGI server should be."""

import contextlib
import socket
import threading

__all__ = ["Rubbish"]


class Rubbish:
    """Something else at the server's port, which says what it is told to and perhaps closes."""

    def __init__(self, port: int) -> None:
        self.says = b""
        self.closes = False
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread; closing alone would not
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            with contextlib.suppress(OSError):  # whoever asked is gone already
                connection.sendall(self.says)
            if self.closes:
                connection.close()
