"""Every form in which Asterisk answers."""

import pytest

from fastagi.agi.replies import HANGUP, HungUpNotice, Replies, Reply
from fastagi.errors import RemoteProtocolError
from fastagi.lines import LineBuffer
from tests.agi.conversations import Dialogue, recorded
from tests.doubles import feed_three_ways


def read(data: bytes) -> list[Reply | HungUpNotice]:
    """Feed lines three ways."""

    def make():  # type: ignore[no-untyped-def]
        lines, replies = LineBuffer(b"\n", 8192), Replies()

        def feed(data: bytes) -> list[Reply | HungUpNotice]:
            lines.feed(data)
            complete = iter(lines.next_line, None)
            return [reply for line in complete if (reply := replies.take(line)) is not None]

        return feed

    return feed_three_ways(make, data, b"200 res")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"200 result=0", Reply(200, "0")),
        (b"200 result=1", Reply(200, "1")),
        (b"200 result=-1", Reply(200, "-1")),
        (b"200 result=-2", Reply(200, "-2")),
        (b"200 result=1 (79161234567)", Reply(200, "1", "79161234567")),
        (b"200 result=1 ()", Reply(200, "1", "")),
        (b'200 result=1 ("" <8 (916) 123)', Reply(200, "1", '"" <8 (916) 123')),
        ("200 result=1 (Пётр (x) endpos=5)".encode(), Reply(200, "1", "Пётр (x) endpos=5")),
        (b"200 result=0 endpos=1234", Reply(200, "0", None, 1234)),
        (b"200 result=1 (timeout) endpos=0", Reply(200, "1", "timeout", 0)),
        (b"200 result=12*#", Reply(200, "12*#")),
        (b"200 result= (timeout)", Reply(200, "", "timeout")),
        (
            b"200 result=1 (speech) endpos=9 results=1 score0=80",
            Reply(200, "1", "speech", 9, "results=1 score0=80"),
        ),
        (b"100 result=0 Trying...", Reply(100, "0", text="Trying...")),
        (b"100 Trying...", Reply(100, text="Trying...")),
        (b"510 Invalid or unknown command", Reply(510, text="Invalid or unknown command")),
        (
            b"511 Command Not Permitted on a dead channel",
            Reply(511, text="Command Not Permitted on a dead channel"),
        ),
        (b"520 Invalid command syntax.", Reply(520, text="Invalid command syntax.")),
        (b"HANGUP", HANGUP),
    ],
)
def test_a_line_is_a_reply(line: bytes, reply: Reply) -> None:
    assert read(line + b"\n") == [reply]


def test_a_usage_text_is_one_reply() -> None:
    data = (
        b"520-Invalid command syntax.  Proper usage follows:\n"
        b" Usage: SET VARIABLE <variablename> <value>\n"
        b"200 result=0\n"
        b"HANGUP\n"
        b"520 End of proper usage.\n"
        b"200 result=0\n"
    )
    usage, following = read(data)
    assert isinstance(usage, Reply)
    assert (usage.code, usage.text.splitlines()[0]) == (520, "Invalid command syntax.  Proper usage follows:")
    assert usage.text.splitlines()[1:] == [
        " Usage: SET VARIABLE <variablename> <value>",
        "200 result=0",
        "HANGUP",
        "End of proper usage.",
    ]
    assert following == Reply(200, "0")


def test_a_usage_text_has_a_limit() -> None:
    replies = Replies()
    replies.take(b"520-Invalid")
    with pytest.raises(RemoteProtocolError, match="over 200 lines"):
        for _ in range(1000):
            replies.take(b"more")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"200",
        b"200 ",
        b"200 OK",
        b" 200 result=0",
        b"200 result=1(x)",
        b"2000 result=0",
        b"404 Not Found",
        b"HANGUP ",
        b"hangup",
        b"agi_rdnis: unknown",
        b"HTTP/1.1 200 result=0",
        b"\xff\xfe",
    ],
)
def test_anything_else_is_an_offence(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="no reply"):
        Replies().take(line)


def test_a_reply_with_a_cr_is_no_success() -> None:
    reply = Replies().take(b"200 result=0\r")
    assert isinstance(reply, Reply)
    assert not reply.is_success


def test_only_result_0_of_a_200_is_success() -> None:
    assert Reply(200, "0").is_success
    assert not any(
        reply.is_success for reply in (Reply(200, "1"), Reply(200, "-1"), Reply(510), Reply(100, "0"))
    )


@pytest.mark.parametrize("dialogue", list(recorded()), ids=lambda dialogue: dialogue.name)
def test_every_recorded_reply_is_read(dialogue: Dialogue) -> None:
    lines = [line for side, line in dialogue.turns if side == "<"]
    replies = read(b"".join(lines))
    assert len(replies) == len(lines)
    for line, reply in zip(lines, replies, strict=True):
        assert (reply is HANGUP) == (line == b"HANGUP\n")
        assert reply is HANGUP or line.startswith(str(reply.code).encode())
