"""Every table of whocalls' own database. Definitions only; `fastagi/migrations` creates and upgrades them.

Times are stored as milliseconds since 1970 UTC in BIGINT, so that SQLite, PostgreSQL and MariaDB compare
and sort them alike. Money is a decimal string. Texts that a person or a caller wrote have limits which the
writers enforce.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    types,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT

__all__ = [
    "calls",
    "counters",
    "events",
    "leads",
    "metadata",
    "operator_phones",
    "operators",
    "phones",
    "services",
    "sessions",
    "status_history",
    "subscribers",
    "tariffs",
    "tokens",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Milliseconds(types.TypeDecorator[datetime]):
    """A UTC datetime kept as whole milliseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Turns a datetime into milliseconds."""
        return None if value is None else (value - _EPOCH) // timedelta(milliseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Turns milliseconds into a datetime."""
        return None if value is None else _EPOCH + timedelta(milliseconds=value)


_Json = JSON(none_as_null=True)
_LongText = Text().with_variant(MEDIUMTEXT(), "mysql")  # MySQL's TEXT ends at 64 KB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

# -- the own directory ------------------------------------------------------------------------------------

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("login", String(120)),
    Column("name", String(250), nullable=False),
    Column("company", String(250)),
    Column("deposit", String(32)),
    Column("address", String(500)),
    Column("language", String(16)),
    Column("operator", String(64)),
    Column("url", String(500)),
)

phones = Table(
    "phones",
    metadata,
    Column("e164", String(32), primary_key=True),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("raw", String(120), nullable=False),
)

tariffs = Table(
    "tariffs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(250), nullable=False, unique=True),
)

services = Table(
    "services",
    metadata,
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),  # 0 is the one the card shows
    Column("name", String(120)),
    Column("tariff_id", ForeignKey("tariffs.id")),
    Column("status", String(64)),
)

leads = Table(
    "leads",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(250), nullable=False),
    Column("phone", String(120)),
    Column("e164", String(32), index=True),
    Column("address", String(500)),
    Column("url", String(500)),
    Column("created_at", Milliseconds, nullable=False),
)

# -- people and programs ----------------------------------------------------------------------------------

operators = Table(
    "operators",
    metadata,
    Column("login", String(64), primary_key=True),
    Column("name", String(250), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(250)),
    Column("language", String(16)),
    Column("active", Boolean, nullable=False, default=True),
)

operator_phones = Table(
    "operator_phones",
    metadata,
    Column("login", ForeignKey("operators.login", ondelete="CASCADE"), primary_key=True),
    Column("sip_phone", String(64), primary_key=True, index=True),
    Column("since", Milliseconds, nullable=False),  # a phone with several operators is the latest one's
)

sessions = Table(
    "sessions",
    metadata,
    Column("secret_hash", String(64), primary_key=True),  # SHA-256, hexadecimal
    Column("login", ForeignKey("operators.login", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Milliseconds, nullable=False),
    Column("expires_at", Milliseconds, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("secret_hash", String(64), nullable=False, unique=True),  # SHA-256, hexadecimal
    Column("role", String(16), nullable=False),
    Column("created_at", Milliseconds, nullable=False),
)

# -- the journal ------------------------------------------------------------------------------------------

calls = Table(
    "calls",
    metadata,
    Column("id", String(160), primary_key=True),
    Column("pbx", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("direction", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("outcome", String(16)),
    Column("caller_raw", String(250), nullable=False),
    Column("caller_e164", String(32)),
    Column("caller_name", String(250)),
    Column("caller_reversed", String(32)),  # digits backwards: "ends with" becomes an indexed prefix
    Column("called", String(120)),
    Column("called_name", String(250)),
    Column("called_reversed", String(32)),
    Column("queue", String(120)),
    Column("waiting_seconds", Integer),
    Column("subscriber_id", String(64)),
    Column("subscriber", _Json),
    Column("candidates", _Json),
    Column("lead", _Json),
    Column("match", _Json),
    Column("lookup", String(16)),
    Column("ringing", _Json),
    Column("operator_phone", String(64)),
    Column("operator_login", String(64)),
    Column("operator_name", String(250)),
    Column("started_at", Milliseconds, nullable=False),
    Column("answered_at", Milliseconds),
    Column("ended_at", Milliseconds),
    Column("talk_seconds", Integer),
    Column("hangup_cause", Integer),
    Column("note", Text, nullable=False),
    Column("edited_by", String(64)),
    Column("status_by", String(64)),
    Column("merged_into", String(160)),
    Column("recording", String(500)),
    Index(None, "started_at", "id"),
    Index(None, "status", "started_at"),
    Index(None, "operator_phone", "started_at"),
    Index(None, "operator_login", "started_at"),
    Index(None, "subscriber_id", "started_at"),
    Index(None, "caller_reversed"),
    Index(None, "called_reversed"),
    Index(None, "outcome", "started_at"),  # open calls are those without an outcome
)

status_history = Table(
    "status_history",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("call_id", String(160), nullable=False, index=True),
    Column("at", Milliseconds, nullable=False),
    Column("by", String(64)),
    Column("before", String(16)),
    Column("after", String(16), nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", Milliseconds, nullable=False),
    Column("type", String(32), nullable=False),
    Column("call_id", String(160), nullable=False),
    Column("body", _LongText, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
