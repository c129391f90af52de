"""What uvicorn says, in our log: harmless, and not as often as whoever connects likes."""

import logging

import pytest
from structlog.testing import capture_logs

from webhooks.serverlog import ServerLog

UVICORN = logging.getLogger("uvicorn.error")


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def said(clock):
    log = ServerLog(pause=10, now=lambda: clock[0])
    log.open()
    with capture_logs() as logs:
        yield logs
    log.close()


def test_a_message_is_logged_once_in_a_while_with_how_many_were_left_out(said, clock):
    for _ in range(1000):
        UVICORN.warning("Invalid HTTP request received.")
    UVICORN.error("something else")
    clock[0] = 9.9
    UVICORN.warning("Invalid HTTP request received.")
    clock[0] = 10
    UVICORN.warning("Invalid HTTP request received.")
    clock[0] = 20
    UVICORN.warning("Invalid HTTP request received.")
    garbage = {"event": "Invalid HTTP request received.", "log_level": "warning"}
    assert said == [
        garbage,
        {"event": "something else", "log_level": "error"},
        {**garbage, "left_out": 1000},
        garbage,
    ]


def test_messages_are_alike_whatever_is_filled_in(said):
    for number in range(5):
        UVICORN.warning("from %s", number)
    assert [line["event"] for line in said] == ["from 0"]


def test_an_exception_keeps_its_traceback_and_another_one_is_another_message(said):
    for error in (ValueError("one"), ValueError("two"), KeyError("three")):
        try:
            raise error
        except Exception:
            UVICORN.exception("Exception in ASGI application\n")
    assert [(line["event"], line["exc_info"][0]) for line in said] == [
        ("Exception in ASGI application", ValueError),
        ("Exception in ASGI application", KeyError),
    ]


def test_inventing_messages_fills_no_memory(said):
    for number in range(1000):
        UVICORN.warning(f"{number}")
    assert len(said) == 1000
    UVICORN.warning("0")
    UVICORN.warning("999")
    assert len(said) == 1001


class Heard(logging.Handler):
    def __init__(self):
        super().__init__()
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


@pytest.fixture
def root():
    heard = Heard()
    logging.getLogger().addHandler(heard)
    yield heard
    logging.getLogger().removeHandler(heard)


def test_the_root_logger_hears_nothing_meanwhile_and_keeps_its_own(root):
    before = list(logging.getLogger().handlers)
    one, two = ServerLog(), ServerLog()
    one.open()
    two.open()
    one.close()
    with capture_logs() as logs:
        UVICORN.warning("first")
    assert [line["event"] for line in logs] == ["first"]
    assert root.messages == []
    two.close()
    two.close()
    UVICORN.warning("second")
    assert root.messages == ["second"]
    assert logging.getLogger().handlers == before
