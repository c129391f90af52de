"""One AGI dialogue: what may come when, and what it means."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastagi.agi.requests import Facts
from fastagi.agi.session import Asked, Denied, Done, Ended, Event, HungUp, Next, Refused, Session, State
from fastagi.errors import LocalProtocolError
from tests.agi.conversations import KEYS, Dialogue, environment, recorded
from tests.doubles import feed_three_ways

KNOWN = Facts(pbx="main", uniqueid="1795423013.178")
PAIRS = [("SUBSCRIBER_ID", "4711"), ("LOOKUP_STATUS", "FOUND")]
COMMAND = b'EXEC MSet "SUBSCRIBER_ID=4711,LOOKUP_STATUS=FOUND"\n'
LONG = [(f"V{n}", "x" * 3000) for n in range(5)] + [("LOOKUP_STATUS", "FOUND")]


def asked() -> Session:
    """A session whose environment is complete."""
    session = Session()
    [event] = session.receive(environment())
    assert isinstance(event, Asked)
    return session


def answered(pairs: Sequence[tuple[str, str]] = PAIRS) -> Session:
    """A session that sent its first command."""
    session = asked()
    session.answer(pairs)
    return session


def three_ways(make: Callable[[], Session], data: bytes) -> list[Event]:
    """Feed sessions in the same state whole, byte by byte and with a tail."""
    return feed_three_ways(lambda: make().receive, data, b"HANG")


def kinds(events: Sequence[Event]) -> list[type]:
    return [type(event) for event in events]


@pytest.mark.parametrize("dialogue", list(recorded()), ids=lambda dialogue: dialogue.name)
def test_every_recorded_environment_is_a_question(dialogue: Dialogue) -> None:
    [event] = three_ways(Session, dialogue.environment)
    assert isinstance(event, Asked)


def test_one_question_one_command_one_reply() -> None:
    session = asked()
    assert session.state is State.ASKED
    assert session.answer(PAIRS) == COMMAND
    assert session.is_last
    assert list(session.receive(b"200 result=0\n")) == [Done()]
    assert list(session.receive(b"HANGUP\n")) == []
    assert list(session.end_of_stream()) == []
    assert session.state is State.CLOSED


def test_a_reply_cut_anywhere_is_one_reply() -> None:
    assert three_ways(answered, b"200 result=0\n") == [Done()]
    assert three_ways(answered, b"100 Trying...\n200 result=0\nHANGUP\n") == [Done()]


def test_a_long_answer_waits_for_each_reply() -> None:
    session = asked()
    sent = [session.answer(LONG)]
    assert not session.is_last
    while not session.is_last:
        [event] = session.receive(b"200 result=0\n")
        assert isinstance(event, Next)
        sent.append(event.command)
    assert len(sent) == 3
    assert all(len(line) <= 8191 for line in sent)
    assert sent[-1].endswith(b'LOOKUP_STATUS=FOUND"\n')
    assert list(session.receive(b"200 result=0\n")) == [Done()]


def test_values_are_cleaned_before_they_are_sent() -> None:
    session = asked()
    assert session.answer([("A", "x\r\nHANGUP\n\0")]) == b'EXEC MSet "A=x  HANGUP  "\n'


def test_nothing_to_set_ends_the_dialogue() -> None:
    session = asked()
    assert session.answer([]) == b""
    assert session.is_last
    assert session.state is State.DONE
    assert list(session.end_of_stream()) == []


@pytest.mark.parametrize("make", [Session, answered], ids=["before", "after"])
def test_an_answer_to_no_question_is_our_own_mistake(make: Callable[[], Session]) -> None:
    with pytest.raises(LocalProtocolError):
        make().answer(PAIRS)


@pytest.mark.parametrize(
    ("reply", "code", "text"),
    [
        (b"200 result=-1\n", 200, "result=-1"),
        (b"200 result=-2\n", 200, "result=-2"),
        (b"510 Invalid or unknown command\n", 510, "Invalid or unknown command"),
        (b"511 Command Not Permitted on a dead channel\n", 511, "Command Not Permitted on a dead channel"),
        (
            b"520-Invalid\n use it so\n520 End of proper usage.\n",
            520,
            "Invalid\n use it so\nEnd of proper usage.",
        ),
    ],
)
def test_a_command_that_failed_ends_the_dialogue_and_says_why(reply: bytes, code: int, text: str) -> None:
    session = answered()
    [event] = session.receive(reply + b"200 result=0\n")
    assert isinstance(event, Denied)
    assert (event.error.code, event.error.text) == (code, text)
    assert event.error.command.startswith("EXEC MSet")
    assert session.state is State.CLOSED
    by_byte = answered()
    events = [event for at in range(len(reply)) for event in by_byte.receive(reply[at : at + 1])]
    assert kinds(events) == [Denied]


@pytest.mark.parametrize("make", [asked, answered, lambda: answered(LONG)], ids=["asked", "answered", "long"])
def test_a_caller_may_hang_up_at_any_time(make: Callable[[], Session]) -> None:
    assert three_ways(make, b"HANGUP\n") == [HungUp()]
    session = make()
    session.receive(b"HANGUP\n")
    assert session.state is State.CLOSED
    assert list(session.receive(b"200 result=0\nanything\n")) == []
    assert list(session.end_of_stream()) == []


def test_a_hang_up_right_behind_the_environment() -> None:
    events = three_ways(Session, environment() + b"HANGUP\n")
    assert kinds(events) == [Asked, HungUp]


@pytest.mark.parametrize("make", [asked, answered], ids=["asked", "answered"])
def test_the_end_of_the_stream_in_mid_dialogue(make: Callable[[], Session]) -> None:
    session = make()
    assert list(session.end_of_stream()) == [Ended()]
    assert list(session.end_of_stream()) == []


@pytest.mark.parametrize(
    ("sent", "facts"),
    [
        (b"", Facts()),
        (b"agi_net", Facts()),
        (environment().split(b"agi_version")[0], KNOWN),
        (environment()[:-1], KNOWN),
    ],
    ids=["nothing", "half a line", "half an environment", "all but the empty line"],
)
def test_the_end_before_the_empty_line_is_an_offence(sent: bytes, facts: Facts) -> None:
    session = Session()
    session.receive(sent)
    assert list(session.end_of_stream()) == [Refused("closed before the empty line", facts)]


@pytest.mark.parametrize(
    "rest",
    [
        b"200 result=0\n",
        b"agi_rdnis: unknown\n",
        b"agi",
        b"HANGUPS",
        b"\n",
        b"HANGUP \n",
        b"100 Trying...\n",
        b"H\nHANGUP\n",
    ],
)
def test_bytes_between_the_environment_and_our_command_are_an_offence(rest: bytes) -> None:
    """In the same read the question itself is not believed: the true rest of a forged end follows at once."""
    session = Session()
    [event] = session.receive(environment() + rest)
    assert isinstance(event, Refused)
    assert event.facts == KNOWN
    assert session.state is State.CLOSED

    session = asked()
    [event] = session.receive(rest)
    assert isinstance(event, Refused)
    assert list(session.receive(b"HANGUP\n")) == []


def test_the_beginning_of_a_hang_up_may_come_alone() -> None:
    session = asked()
    assert list(session.receive(b"HANG")) == []
    assert session.answer(PAIRS) == COMMAND
    assert list(session.receive(b"UP\n")) == [HungUp()]


@pytest.mark.parametrize(
    "garbage", [b"agi_rdnis: unknown\n", b"HTTP/1.1 400 Bad Request\n", b"\n", b"\xff\n"]
)
def test_what_is_no_reply_is_an_offence(garbage: bytes) -> None:
    assert three_ways(answered, garbage) == [Refused("a line that is no reply", KNOWN)]


def test_a_reply_too_many_is_an_offence() -> None:
    events = three_ways(answered, b"200 result=0\n200 result=0\n")
    assert kinds(events) == [Done, Refused]


def test_a_reply_without_end_is_an_offence() -> None:
    session = answered()
    events = session.receive(b"2" * 10_000_000)
    assert kinds(events) == [Refused]
    assert session.state is State.CLOSED


def test_a_forged_environment_is_an_offence_and_says_what_can_be_believed() -> None:
    forged = environment({"agi_callerid": "7\nagi_threadid: 1\n\n200 result=0\n"})
    assert list(Session().receive(forged)) == [Refused("agi_threadid is misplaced", KNOWN)]


def test_a_limit_of_time_ends_it_with_what_is_known() -> None:
    session = Session()
    session.receive(environment().split(b"agi_version")[0])
    assert session.refuse("too slow") == Refused("too slow", KNOWN)
    assert list(session.receive(environment())) == []


@st.composite
def mutilated(draw: st.DrawFn) -> bytes:
    """An environment, and perhaps replies, with pieces put in, left out or doubled anywhere."""
    data = environment() + draw(st.sampled_from([b"", b"HANGUP\n", b"200 result=0\n"]))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(len(data), at + 40)))
        piece = draw(st.sampled_from([b"", b"\n", b"\n\n", b"agi_", b"\0", b"\xff", b": ", data[at:end] * 2]))
        data = data[:at] + piece + data[end:]
    return data


@given(st.one_of(mutilated(), st.binary(max_size=200)), st.integers(1, 60))
def test_nothing_that_a_peer_sends_raises(data: bytes, size: int) -> None:
    session = Session()
    for at in range(0, len(data), size):
        closed = session.state is State.CLOSED
        events = session.receive(data[at : at + size])
        assert not (closed and events)
        if any(isinstance(event, Asked) for event in events) and session.state is State.ASKED:
            assert session.answer(PAIRS) == COMMAND
    session.end_of_stream()
    assert session.state is State.CLOSED


@given(mutilated())
def test_no_other_call_can_be_named(data: bytes) -> None:
    """However an environment is mutilated, a request that is believed has all keys in Asterisk's order."""
    if any(isinstance(event, Asked) for event in Session().receive(data)):
        lines = data.split(b"\n\n")[0].split(b"\n")
        sent = [line.partition(b": ")[0].decode("utf-8", "replace") for line in lines]
        optional = "agi_network_script"  # a URL without a path has none
        wanted = [key for key in KEYS if key != optional]
        assert [key for key in sent if key in KEYS and key != optional] == wanted
        assert sent.count(optional) <= 1
