"""The AGI environment: what Asterisk sends is read, what a caller forges is refused."""

import pytest

from fastagi.agi.requests import Environment, Facts, Request
from fastagi.errors import RemoteProtocolError
from tests.agi.conversations import KEYS, Dialogue, environment, recorded
from tests.doubles import feed_three_ways

DIALOGUES = list(recorded())


def read(data: bytes) -> Request:
    """Feed one environment three ways; what comes after the empty line is no part of it."""

    def make():  # type: ignore[no-untyped-def]
        environment = Environment()

        def feed(data: bytes) -> list[Request]:
            request = environment.feed(data)
            return [] if request is None else [request]

        return feed

    [request] = feed_three_ways(make, data, b"200 res")
    return request


def refused(data: bytes) -> tuple[str, Facts]:
    """Feed something hostile, whole and byte by byte; return the reason and what was believed of it."""
    answers = set()
    for size in (len(data), 1):
        environment = Environment()
        with pytest.raises(RemoteProtocolError) as caught:
            for at in range(0, len(data), size):
                environment.feed(data[at : at + size])
        answers.add((caught.value.reason, environment.facts))
    [answer] = answers
    return answer


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda dialogue: dialogue.name)
def test_every_recorded_environment_is_read(dialogue: Dialogue) -> None:
    request = read(dialogue.environment)
    assert f"agi_uniqueid: {request.uniqueid}\n".encode() in dialogue.environment
    assert f"agi_channel: {request.channel}\n".encode() in dialogue.environment
    assert request.linkedid is not None
    assert request.script == "lookup"
    assert request.unknown_keys == 0


def test_the_captures_are_there() -> None:
    assert len(DIALOGUES) >= 52


def test_a_usual_request() -> None:
    assert read(environment(args=("1795423013.170", "one"))) == Request(
        script="lookup",
        pbx="main",
        channel="PJSIP/trunk-00000062",
        uniqueid="1795423013.178",
        linkedid="1795423013.170",
        callerid="79161234567",
        calleridname=None,
        callingpres=0,
        dnid="74951230001",
        rdnis=None,
        context="whocalls",
        extension="s",
        language="en",
        args=("1795423013.170", "one"),
    )


@pytest.mark.parametrize(
    ("script", "name", "pbx"),
    [
        ("lookup?pbx=main", "lookup", "main"),
        ("lookup", "lookup", None),
        ("lookup?pbx=", "lookup", None),
        ("lookup?x=1&pbx=second%20one&pbx=third", "lookup", "second one"),
        ("?pbx=main", "", "main"),
        ("", "", None),
        ("lookup?" + "&" * 3000, "lookup", None),
    ],
)
def test_the_pbx_comes_from_the_url(script: str, name: str, pbx: str | None) -> None:
    request = read(environment({"agi_network_script": script}))
    assert (request.script, request.pbx) == (name, pbx)


def test_a_url_without_path_has_no_script_line() -> None:
    data = environment().replace(b"agi_network_script: lookup?pbx=main\n", b"")
    request = read(data)
    assert (request.script, request.pbx, request.uniqueid) == ("", None, "1795423013.178")


@pytest.mark.parametrize("value", ["unknown", ""])
def test_what_asterisk_does_not_know_is_none(value: str) -> None:
    keys = ("agi_callerid", "agi_calleridname", "agi_dnid", "agi_rdnis")
    request = read(environment(dict.fromkeys(keys, value)))
    assert (request.callerid, request.calleridname, request.dnid, request.rdnis) == (None,) * 4


def test_the_linkedid_argument_may_be_missing_or_empty() -> None:
    assert read(environment(args=())).linkedid is None
    assert read(environment(args=("", "x"))).linkedid is None


def test_wrong_encoding_does_not_cost_the_lookup() -> None:
    request = read(environment({"agi_calleridname": "\udcc8\udce2\udce0\udced"}))  # «Иван» in windows-1251
    assert request.calleridname == "����"


def test_control_characters_become_blanks() -> None:
    request = read(environment({"agi_calleridname": "a\rb\x00c\x1b[31m\x7f"}))
    assert request.calleridname == "a b c [31m "


def test_odd_numbers_arrive_as_sent() -> None:
    request = read(environment({"agi_callerid": "8 (916) 123-45-67 abж", "agi_callingpres": "67"}))
    assert (request.callerid, request.callingpres) == ("8 (916) 123-45-67 abж", 67)


def test_keys_of_a_newer_asterisk_are_counted() -> None:
    data = environment().replace(b"agi_context:", b"agi_tenant: x\nagi_zone: y\nagi_context:")
    assert read(data).unknown_keys == 2


def test_the_bytes_after_the_empty_line_are_kept() -> None:
    one = Environment()
    assert one.feed(environment() + b"HANG\nUP") is not None
    assert one.rest == b"HANG\nUP"


KNOWN = Facts(pbx="main", uniqueid="1795423013.178")

# Each is a percent-encoded From user as a caller can send it, or a called number that fits a loose pattern.
FORGED = {
    "an early end and a reply": (
        {"agi_callerid": "7\nagi_threadid: 1\n\n200 result=0\n"},
        "agi_threadid is misplaced",
    ),
    "an early end": ({"agi_callerid": "7\n\nSET"}, "the environment ended before agi_calleridname"),
    "an argument before the true one": (
        {"agi_callerid": "7\nagi_arg_1: 9.9"},
        "agi_arg_1 is repeated or misplaced",
    ),
    "a second name": ({"agi_callerid": "7\nagi_calleridname: x"}, "agi_calleridname is repeated"),
    "a second uniqueid": ({"agi_callerid": "7\nagi_uniqueid: 9.9"}, "agi_uniqueid is repeated"),
    "a forged tail": (
        {"agi_dnid": "7\nagi_threadid: 1\nagi_arg_1: 9.9\n\n"},
        "agi_threadid is misplaced",
    ),
    "a line of no key": (
        {"agi_callerid": "7\nHELLO: yes"},
        "a line that is not of the form 'agi_name: value'",
    ),
    "a key without its blank": (
        {"agi_callerid": "7\nagi_x:yes"},
        "a line that is not of the form 'agi_name: value'",
    ),
    "a key in capitals": (
        {"agi_callerid": "7\nAGI_x: yes"},
        "a line that is not of the form 'agi_name: value'",
    ),
}


@pytest.mark.parametrize(("changes", "reason"), FORGED.values(), ids=FORGED)
def test_a_forged_environment_is_refused(changes: dict[str, str], reason: str) -> None:
    assert refused(environment(changes)) == (reason, KNOWN)


def test_an_unknown_key_from_a_caller_changes_nothing_but_their_number() -> None:
    request = read(environment({"agi_callerid": "7\nagi_x: yes"}))
    assert (request.callerid, request.unknown_keys) == ("7", 1)
    assert request.linkedid == "1795423013.170"


def test_no_79_bytes_of_a_caller_can_forge_a_complete_environment() -> None:
    """From every value that a caller writes, the keys still to come take more than a SIP number holds."""
    names = list(KEYS)
    for written in ("agi_callerid", "agi_dnid", "agi_rdnis"):
        shortest = "".join(f"\n{key}: " for key in names[names.index(written) + 1 :]) + "\n\n"
        assert len(shortest) > 79


@pytest.mark.parametrize("key", KEYS)
def test_a_repeated_key_is_refused(key: str) -> None:
    line = f"{key}: {KEYS[key]}\n".encode()
    reason, _ = refused(environment().replace(line, line + line))
    assert reason == f"{key} is repeated"


@pytest.mark.parametrize("key", set(KEYS) - {"agi_network_script"})
def test_a_missing_key_is_refused(key: str) -> None:
    data = environment(args=()).replace(f"{key}: {KEYS[key]}\n".encode(), b"")
    reason, _ = refused(data)
    following = [*KEYS][[*KEYS].index(key) + 1 :][:1]
    assert reason == (f"{following[0]} is misplaced" if following else f"the environment ended before {key}")


def test_arguments_come_after_all_keys_and_in_order() -> None:
    assert refused(environment(args=()).replace(b"\n\n", b"\nagi_arg_2: x\n\n"))[0].startswith("agi_arg_2")
    assert refused(environment(args=("a",)).replace(b"\n\n", b"\nagi_arg_1: b\n\n"))[0].startswith(
        "agi_arg_1"
    )
    assert refused(environment(args=("a",)).replace(b"\n\n", b"\nagi_x: 1\nagi_context: b\n\n"))[0] == (
        "agi_context is repeated"
    )


@pytest.mark.parametrize(
    "key", ["agi_callingpres", "agi_callingani2", "agi_callington", "agi_priority", "agi_threadid"]
)
def test_a_number_must_be_one(key: str) -> None:
    assert "is no number" in refused(environment({key: "x"}))[0]
    assert read(environment({key: "-1"})).uniqueid == KEYS["agi_uniqueid"]


def test_it_must_be_fastagi_and_have_a_uniqueid() -> None:
    assert refused(environment({"agi_network": "no"}))[0] == "agi_network is not 'yes'"
    assert refused(environment({"agi_uniqueid": ""})) == ("agi_uniqueid is empty", Facts(pbx="main"))


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\n",
        b"\n",
        b"agi_\n",
        b"agi_network\n",
        b": \n",
    ],
)
def test_garbage_is_refused_at_its_first_line(garbage: bytes) -> None:
    assert refused(garbage)[1] == Facts()


def test_ten_megabytes_without_a_line_end_are_refused_early() -> None:
    one = Environment()
    with pytest.raises(RemoteProtocolError, match="over 8192 bytes"):
        for _ in range(10):
            one.feed(b"A" * 1000)
    with pytest.raises(RemoteProtocolError, match="over 8192 bytes"):
        Environment().feed(b"A" * 10_000_000)


def test_a_long_line_is_refused_even_when_it_is_complete() -> None:
    assert refused(environment({"agi_callerid": "7" * 9000})) == (
        "a line of over 8192 bytes in the environment",
        KNOWN,
    )


def test_ten_thousand_variables_are_refused_early() -> None:
    one = Environment()
    start = environment().split(b"agi_callerid")[0]
    with pytest.raises(RemoteProtocolError, match="over 64 unknown keys"):
        one.feed(start + b"".join(b"agi_v%d: x\n" % n for n in range(10_000)))
    assert one.facts == KNOWN


def test_arguments_have_a_limit() -> None:
    assert len(read(environment(args=("x",) * 128)).args) == 128
    assert refused(environment(args=("x",) * 129))[0] == "over 128 arguments"


def test_the_whole_has_a_limit() -> None:
    assert refused(environment(args=("y" * 1000,) * 80)) == ("an environment of over 65536 bytes", KNOWN)


def test_nothing_is_believed_before_it_came() -> None:
    one = Environment()
    assert one.facts == Facts()
    one.feed(environment().split(b"agi_uniqueid")[0])
    assert one.facts == Facts(pbx="main")
    one.feed(b"agi_uniqueid: 1.2")
    assert one.facts == Facts(pbx="main")
    one.feed(b"3\n")
    assert one.facts == Facts(pbx="main", uniqueid="1.23")
