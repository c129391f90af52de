"""The first schema: directory, people, journal, and the counter that gives events their seq."""

from typing import Any

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Identifiers and logins that differ in case or accent only are different ones, on MariaDB too.
_MYSQL: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_BIG_KEY = BigInteger().with_variant(Integer(), "sqlite")
_LONG_TEXT = Text().with_variant(MEDIUMTEXT(), "mysql")


def upgrade() -> None:
    """Creates every table."""
    _directory()
    _people()
    _journal()
    op.execute("INSERT INTO counters (name, value) VALUES ('seq', 0)")


def _directory() -> None:
    op.create_table(
        "subscribers",
        Column("id", String(64), nullable=False),
        Column("login", String(120)),
        Column("name", String(250), nullable=False),
        Column("company", String(250)),
        Column("deposit", String(32)),
        Column("address", String(500)),
        Column("language", String(16)),
        Column("operator", String(64)),
        Column("url", String(500)),
        PrimaryKeyConstraint("id", name=op.f("pk_subscribers")),
        **_MYSQL,
    )
    op.create_table(
        "phones",
        Column("e164", String(32), nullable=False),
        Column("subscriber_id", String(64), nullable=False),
        Column("raw", String(120), nullable=False),
        ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_phones_subscriber_id"), ondelete="CASCADE"
        ),
        PrimaryKeyConstraint("e164", "subscriber_id", name=op.f("pk_phones")),
        **_MYSQL,
    )
    op.create_index(op.f("ix_phones_subscriber_id"), "phones", ["subscriber_id"])
    op.create_table(
        "tariffs",
        Column("id", Integer(), nullable=False),
        Column("name", String(250), nullable=False),
        PrimaryKeyConstraint("id", name=op.f("pk_tariffs")),
        UniqueConstraint("name", name=op.f("uq_tariffs_name")),
        **_MYSQL,
    )
    op.create_table(
        "services",
        Column("subscriber_id", String(64), nullable=False),
        Column("position", Integer(), autoincrement=False, nullable=False),
        Column("name", String(120)),
        Column("tariff_id", Integer()),
        Column("status", String(64)),
        ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_services_subscriber_id"), ondelete="CASCADE"
        ),
        ForeignKeyConstraint(["tariff_id"], ["tariffs.id"], name=op.f("fk_services_tariff_id")),
        PrimaryKeyConstraint("subscriber_id", "position", name=op.f("pk_services")),
        **_MYSQL,
    )
    op.create_table(
        "leads",
        Column("id", String(64), nullable=False),
        Column("name", String(250), nullable=False),
        Column("phone", String(120)),
        Column("e164", String(32)),
        Column("address", String(500)),
        Column("url", String(500)),
        Column("created_at", BigInteger(), nullable=False),
        PrimaryKeyConstraint("id", name=op.f("pk_leads")),
        **_MYSQL,
    )
    op.create_index(op.f("ix_leads_e164"), "leads", ["e164"])


def _people() -> None:
    op.create_table(
        "operators",
        Column("login", String(64), nullable=False),
        Column("name", String(250), nullable=False),
        Column("role", String(16), nullable=False),
        Column("password_hash", String(250)),
        Column("language", String(16)),
        Column("active", Boolean(), nullable=False),
        PrimaryKeyConstraint("login", name=op.f("pk_operators")),
        **_MYSQL,
    )
    op.create_table(
        "operator_phones",
        Column("login", String(64), nullable=False),
        Column("sip_phone", String(64), nullable=False),
        Column("since", BigInteger(), nullable=False),
        ForeignKeyConstraint(
            ["login"], ["operators.login"], name=op.f("fk_operator_phones_login"), ondelete="CASCADE"
        ),
        PrimaryKeyConstraint("login", "sip_phone", name=op.f("pk_operator_phones")),
        **_MYSQL,
    )
    op.create_index(op.f("ix_operator_phones_sip_phone"), "operator_phones", ["sip_phone"])
    op.create_table(
        "sessions",
        Column("secret_hash", String(64), nullable=False),
        Column("login", String(64), nullable=False),
        Column("created_at", BigInteger(), nullable=False),
        Column("expires_at", BigInteger(), nullable=False),
        ForeignKeyConstraint(
            ["login"], ["operators.login"], name=op.f("fk_sessions_login"), ondelete="CASCADE"
        ),
        PrimaryKeyConstraint("secret_hash", name=op.f("pk_sessions")),
        **_MYSQL,
    )
    op.create_index(op.f("ix_sessions_login"), "sessions", ["login"])
    op.create_table(
        "tokens",
        Column("name", String(64), nullable=False),
        Column("secret_hash", String(64), nullable=False),
        Column("role", String(16), nullable=False),
        Column("created_at", BigInteger(), nullable=False),
        PrimaryKeyConstraint("name", name=op.f("pk_tokens")),
        UniqueConstraint("secret_hash", name=op.f("uq_tokens_secret_hash")),
        **_MYSQL,
    )


def _journal() -> None:
    op.create_table(
        "calls",
        Column("id", String(160), nullable=False),
        Column("pbx", String(64), nullable=False),
        Column("version", Integer(), nullable=False),
        Column("direction", String(16), nullable=False),
        Column("status", String(16), nullable=False),
        Column("outcome", String(16)),
        Column("caller_raw", String(250), nullable=False),
        Column("caller_e164", String(32)),
        Column("caller_name", String(250)),
        Column("caller_reversed", String(32)),
        Column("called", String(120)),
        Column("called_name", String(250)),
        Column("called_reversed", String(32)),
        Column("queue", String(120)),
        Column("waiting_seconds", Integer()),
        Column("subscriber_id", String(64)),
        Column("subscriber", JSON()),
        Column("candidates", JSON()),
        Column("lead", JSON()),
        Column("match", JSON()),
        Column("lookup", String(16)),
        Column("ringing", JSON()),
        Column("operator_phone", String(64)),
        Column("operator_login", String(64)),
        Column("operator_name", String(250)),
        Column("started_at", BigInteger(), nullable=False),
        Column("answered_at", BigInteger()),
        Column("ended_at", BigInteger()),
        Column("talk_seconds", Integer()),
        Column("hangup_cause", Integer()),
        Column("note", Text(), nullable=False),
        Column("edited_by", String(64)),
        Column("status_by", String(64)),
        Column("merged_into", String(160)),
        Column("recording", String(500)),
        PrimaryKeyConstraint("id", name=op.f("pk_calls")),
        **_MYSQL,
    )
    op.create_index(op.f("ix_calls_called_reversed"), "calls", ["called_reversed"])
    op.create_index(op.f("ix_calls_caller_reversed"), "calls", ["caller_reversed"])
    op.create_index(op.f("ix_calls_operator_login_started_at"), "calls", ["operator_login", "started_at"])
    op.create_index(op.f("ix_calls_operator_phone_started_at"), "calls", ["operator_phone", "started_at"])
    op.create_index(op.f("ix_calls_outcome_started_at"), "calls", ["outcome", "started_at"])
    op.create_index(op.f("ix_calls_started_at_id"), "calls", ["started_at", "id"])
    op.create_index(op.f("ix_calls_status_started_at"), "calls", ["status", "started_at"])
    op.create_index(op.f("ix_calls_subscriber_id_started_at"), "calls", ["subscriber_id", "started_at"])
    op.create_table(
        "status_history",
        Column("id", _BIG_KEY, nullable=False),
        Column("call_id", String(160), nullable=False),
        Column("at", BigInteger(), nullable=False),
        Column("by", String(64)),
        Column("before", String(16)),
        Column("after", String(16), nullable=False),
        PrimaryKeyConstraint("id", name=op.f("pk_status_history")),
        **_MYSQL,
    )
    op.create_index(op.f("ix_status_history_call_id"), "status_history", ["call_id"])
    op.create_table(
        "events",
        Column("seq", _BIG_KEY, autoincrement=False, nullable=False),
        Column("at", BigInteger(), nullable=False),
        Column("type", String(32), nullable=False),
        Column("call_id", String(160), nullable=False),
        Column("body", _LONG_TEXT, nullable=False),
        PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        **_MYSQL,
    )
    op.create_table(
        "counters",
        Column("name", String(32), nullable=False),
        Column("value", BigInteger(), nullable=False),
        PrimaryKeyConstraint("name", name=op.f("pk_counters")),
        **_MYSQL,
    )
