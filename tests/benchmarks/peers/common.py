"""What the peers share: the fastest plain way to the same row, and the variables they set."""

import sqlite3
import sys

__all__ = ["Directory", "arguments"]

_QUERY = """
SELECT s.id, s.name, s.login, s.deposit, s.address, s.language, s.operator, v.status, t.name
FROM phones p
JOIN subscribers s ON s.id = p.subscriber_id
LEFT JOIN services v ON v.subscriber_id = s.id AND v.position = 0
LEFT JOIN tariffs t ON t.id = v.tariff_id
WHERE p.e164 = ?
"""


class Directory:
    """A kept sqlite3 connection, which is what a careful author of a script would use."""

    def __init__(self, file: str) -> None:
        self._connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, check_same_thread=False)

    def variables(self, number: str) -> list[tuple[str, str]]:
        """Eight variables, the last of them the result."""
        row = self._connection.execute(_QUERY, ("+" + number,)).fetchone()
        if row is None:
            return [("LOOKUP_STATUS", "UNKNOWN")]
        id, name, login, deposit, address, _, _, status, tariff = (value or "" for value in row)
        return [
            ("CALLERID(name)", name),
            ("SUBSCRIBER_ID", id),
            ("SUBSCRIBER_LOGIN", login),
            ("SUBSCRIBER_DEPOSIT", deposit),
            ("SUBSCRIBER_ADDRESS", address),
            ("SUBSCRIBER_TARIFF", tariff),
            ("SUBSCRIBER_SERVICE_STATUS", status),
            ("LOOKUP_STATUS", "FOUND"),
        ]


def arguments() -> str:
    """The database file from the command line."""
    return sys.argv[1]
