"""What the peers share: the fastest plain way to the same row, and the variables they set."""

import sqlite3
import sys

__all__ = ["Directory", "arguments"]

VARIABLES = int(sys.argv[2]) if len(sys.argv) > 2 else 14
"""How many variables the peers set, one command each; whocalls always sets all 14."""

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
        self._connection.execute("PRAGMA cache_size = -65536")

    def variables(self, number: str) -> list[tuple[str, str]]:
        """The same variables that whocalls sets, the result last."""
        row = self._connection.execute(_QUERY, ("+" + number,)).fetchone()
        if row is None:
            return [("LOOKUP_STATUS", "UNKNOWN")]
        id, name, login, deposit, address, language, operator, status, tariff = (value or "" for value in row)
        return [
            ("CALLERID(name)", name),
            ("SUBSCRIBER_ID", id),
            ("SUBSCRIBER_NAME", name),
            ("SUBSCRIBER_LOGIN", login),
            ("SUBSCRIBER_DEPOSIT", deposit),
            ("SUBSCRIBER_ADDRESS", address),
            ("SUBSCRIBER_TARIFF", tariff),
            ("SUBSCRIBER_SERVICE_STATUS", status),
            ("SUBSCRIBER_LANGUAGE", language),
            ("SUBSCRIBER_URL", ""),
            ("SUBSCRIBER_OPERATOR", operator),
            ("LEAD_ID", ""),
            ("CALLER_E164", "+" + number),
            ("LOOKUP_STATUS", "FOUND"),
        ][-VARIABLES:]


def arguments() -> str:
    """The database file from the command line."""
    return sys.argv[1]
