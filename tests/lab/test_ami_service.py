"""The AMI service against a real Asterisk: every way to sign in, to fail, and to come back."""

import re
import time
from collections.abc import Callable, Iterator

import pytest

from tests.lab.follower import Follower, Line
from tests.lab.lab import TRUNK_AMI, Lab
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

ACCOUNTS = """
[full]
secret = О'К "secret"
read = system,call,agent
write = reporting
[no_reporting]
secret = x
read = system,call,agent
write = call
[no_system]
secret = x
read = call,agent
write = reporting
[no_calls]
secret = x
read = system
write = reporting
[no_permit]
secret = x
read = system,call,agent
write = reporting
deny = 0.0.0.0/0
"""
SECRET = 'О\'К "secret"'

Follow = Callable[..., Follower]


@pytest.fixture
def follow(lab: Lab) -> Iterator[Follow]:
    """Starts followers; manager.conf gets more accounts for them."""
    file = lab.asterisk.home / "etc" / "manager.conf"
    before = file.read_text()
    file.write_text(before + ACCOUNTS)
    lab.asterisk.cli("manager reload")
    started: list[Follower] = []

    def start(user: str = "full", secret: str = "x", login: str = "md5") -> Follower:
        secret = SECRET if user == "full" and secret == "x" else secret
        started.append(Follower(lab.ports.ami, user, secret, login=login))
        return started[-1]

    yield start
    for each in started:
        each.stop()
    file.write_text(before)
    if lab.asterisk.running:
        lab.asterisk.cli("manager reload")


def told(kind: str) -> Callable[[Line], bool]:
    return lambda line: line.get("told") == kind


# -- signing in -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["md5", "plain"])
def test_it_signs_in_and_follows_a_call(lab: Lab, follow: Follow, login: str) -> None:
    follower = follow(login=login)
    follower.wait_followed()
    call = lab.trunk_call("one", trunk=TRUNK_AMI, name='Жуков "Ж" О\'К \\')
    lab.phone("101").wait_call()
    call.hang_up()
    lab.asterisk.wait_idle()
    follower.wait("the Hangup of the phone", lambda line: len(follower.events("Hangup")) == 2)
    headers = follower.events("Newchannel")[0]["headers"]
    assert headers["CallerIDNum"] == "79161234567"
    # What a SIP quoted-string escapes, Asterisk leaves escaped (FACTS.md B5); AMI's own escapes are undone.
    assert headers["CallerIDName"] == 'Жуков \\"Ж\\" О\'К \\\\'
    snapshot = follower.wait("the live channels", told("snapshot"))
    assert snapshot["channels"] == []


def test_who_comes_late_is_told_of_live_channels(lab: Lab, follow: Follow) -> None:
    lab.trunk_call("one", trunk=TRUNK_AMI)
    lab.phone("101").wait_call()
    follower = follow()
    snapshot = follower.wait("the live channels", told("snapshot"))
    assert sorted(name.partition("-")[0] for name in snapshot["channels"]) == ["PJSIP/101", "PJSIP/trunk"]
    lines = follower.lines
    assert lines.index(snapshot) > lines.index(follower.wait("the begin", told("snapshot_begins")))
    uptime = re.search(r"System uptime: (\d+)", lab.asterisk.cli("core show uptime seconds"))
    assert uptime is not None
    assert abs(time.time() - int(uptime[1]) - snapshot["booted_at"]) < 3


@pytest.mark.parametrize(
    ("user", "secret", "words"),
    [
        ("full", "wrong", "manager.conf [full] secret: the user name or the secret is wrong"),
        ("nobody", "x", "manager.conf [nobody] secret: the user name or the secret is wrong"),
        ("no_permit", "x", "permit leaves our address out"),
        ("no_reporting", "x", "manager.conf [no_reporting] write: needs write = reporting"),
    ],
)
def test_what_the_account_lacks_is_said(follow: Follow, user: str, secret: str, words: str) -> None:
    trouble = follow(user, secret).wait_trouble(words)
    assert trouble["detail"].startswith("PBX lab: not connected: PBX lab (127.0.0.1:")


@pytest.mark.slow
def test_an_account_that_may_not_hear_of_the_system(follow: Follow) -> None:
    follow("no_system").wait_trouble("no_system] read: needs read = system,call,agent", timeout=45)


@pytest.mark.slow
def test_an_account_that_may_not_hear_of_calls(lab: Lab, follow: Follow) -> None:
    follower = follow("no_calls")
    follower.wait_followed()
    lab.trunk_call("one", trunk=TRUNK_AMI)
    lab.phone("101").wait_call()
    follower.wait_trouble("no event of a call is heard", timeout=60)


# -- Asterisk goes away ---------------------------------------------------------------------------------


def test_a_restart_in_mid_call(lab: Lab, follow: Follow) -> None:
    follower = follow()
    booted_before = follower.wait("the live channels", told("snapshot"))["booted_at"]
    lab.trunk_call("one", trunk=TRUNK_AMI)
    lab.phone("101").wait_call()
    follower.wait("the call", lambda line: line.get("event") == "DialBegin")
    lab.asterisk.restart()
    lost = follower.wait("the loss", told("lost"))
    assert lost["reason"].startswith("Asterisk restarts; ")
    after = follower.lines.index(lost)
    assert len([line for line in follower.lines[:after] if line.get("event") == "Hangup"]) == 2
    snapshot = follower.wait("the live channels anew", told("snapshot"), after=after, timeout=60)
    follower.wait_followed(after=after)
    assert snapshot["channels"] == []
    assert snapshot["booted_at"] > booted_before


def test_asterisk_is_killed_and_comes_back(lab: Lab, follow: Follow) -> None:
    follower = follow()
    follower.wait_followed()
    lab.asterisk.kill()
    lost = follower.wait("the loss", told("lost"))
    after = follower.lines.index(lost)
    follower.wait_trouble("refused", after=after)
    lab.asterisk.start()
    follower.wait_followed(after=after, timeout=60)


@pytest.mark.slow
def test_a_frozen_asterisk_is_left_within_seventeen_seconds(lab: Lab, follow: Follow) -> None:
    follower = follow()
    follower.wait_followed()
    lab.asterisk.freeze()
    try:
        frozen_at = time.monotonic()
        lost = follower.wait("the loss", told("lost"), timeout=30)
        assert time.monotonic() - frozen_at < 17
        assert "Ping took longer than 5 s" in lost["reason"]
        after = follower.lines.index(lost)
        follower.wait_trouble("the banner took longer than 5 s", after=after)
    finally:
        lab.asterisk.thaw()
    follower.wait_followed(after=after, timeout=60)


# -- callers who forge ----------------------------------------------------------------------------------


def test_a_forged_hangup_is_not_believed(lab: Lab, follow: Follow) -> None:
    """FACTS.md B6: the number of the second caller names the first caller's channel."""
    follower = follow()
    follower.wait_followed()
    honest = lab.trunk_call("one", trunk=TRUNK_AMI)
    lab.phone("101").wait_call().answer()
    honest.wait("answered")
    uniqueid = follower.events("Newchannel")[0]["headers"]["Uniqueid"]
    forged = f"7%0d%0a%0d%0aEvent%3a%20Hangup%0d%0aUniqueid%3a%20{uniqueid}"
    attack = lab.trunk_call("one", forged, trunk=TRUNK_AMI)
    follower.wait("the attack to be seen", lambda line: line.get("dropped", 0) > 2)
    attack.hang_up()
    attack.wait("ended")
    eventually(lambda: len(lab.asterisk.channels()) == 2, "the attacker's channels to be gone")

    def ended() -> set[str]:
        return {line["headers"]["Uniqueid"] for line in follower.events("Hangup")}

    eventually(lambda: len(ended()) == 2, "the true end of the attacker's channels")
    assert uniqueid not in ended()
    honest.hang_up()
    eventually(lambda: uniqueid in ended(), "the true end of the honest call")


def test_a_head_completed_by_a_forged_tail_is_not_believed(lab: Lab, follow: Follow) -> None:
    """A loose pattern lets the dialled number end the event early, with another call's channel in it."""
    lab.asterisk.cli("dialplan add extension _7!,1,Wait,1 into from-trunk-ami")
    try:
        follower = follow()
        follower.wait_followed()
        forged = "7%0d%0aPriority%3a%201%0d%0aUniqueid%3a%201.1%0d%0aLinkedid%3a%201.1%0d%0a%0d%0a"
        attack = lab.trunk_call(forged, trunk=TRUNK_AMI)
        eventually(lambda: attack.final, "the attack to be over")
        follower.wait("the attack to be seen", lambda line: line.get("dropped", 0) > 1)
        assert [line for line in follower.lines if line.get("headers", {}).get("Uniqueid") == "1.1"] == []
    finally:
        lab.asterisk.cli("dialplan remove extension _7!@from-trunk-ami")
