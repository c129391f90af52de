"""The subroutine in a real Asterisk: whatever the server does, the call goes on, in time and as it was."""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from dialplan import SUBROUTINE, render
from fastagi.agi.variables import NAMES
from tests.lab.agi_process import AgiProcess
from tests.lab.lab import Lab
from tests.lab.rubbish import Rubbish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

LIMIT = 2.5
"""Seconds for which the subroutine may hold a call up, whatever the server does."""

PATIENCE = 1.4
"""Seconds before which the subroutine does not give a silent server up (it waits 1.5 s)."""
"""Seconds within which a call goes on, whatever happens (the house's first rule)."""
ANSWER = [("CALLERID(name)", "Иванов"), ("SUBSCRIBER_ID", "4711"), ("LOOKUP_STATUS", "FOUND")]
REPORT = re.compile(r"WCTEST (?P<what>\w+) at=(?P<at>[\d.]+) (?P<rest>.*)")

# What a test dials, each with the word of its report. `done` reports what the call is like after the subroutine.
OFFICE = """
[from-trunk](+)
exten => 74951239001,1,Gosub(wctest-begin,s,1)
 same => n,Gosub(whocalls,s,1)
 same => n,Goto(wctest,done,1)
exten => 74951239002,1,Gosub(wctest-begin,s,1)
 same => n,Set(TIMEOUT(absolute)=4)
 same => n,Set(AGIEXITONHANGUP=no)
 same => n,Gosub(whocalls,s,1)
 same => n,Goto(wctest,done,1)
exten => 74951239003,1,Gosub(wctest-begin,s,1)
 same => n,Set(TIMEOUT(absolute)=0.7)
 same => n,Gosub(whocalls,s,1)
 same => n,Goto(wctest,done,1)
exten => 74951239004,1,Gosub(wctest-begin,s,1)
 same => n,Set(CHANNEL(hangup_handler_push)=wctest-hung,s,1)
 same => n,Gosub(whocalls,s,1)
 same => n,Goto(wctest,done,1)
; the same without the subroutine's cleaning, to try the session itself
exten => 74951239005,1,Gosub(wctest-begin,s,1)
 same => n,Set(LOOKUP_STATUS=TIMEOUT)
 same => n,AGI(agi://${WHOCALLS_AGI}/lookup?pbx=${WHOCALLS_PBX},${CHANNEL(linkedid)})
 same => n,Goto(wctest,done,1)
; variables of a call before must not be taken for this one's
exten => 74951239006,1,Gosub(wctest-begin,s,1)
 same => n,MSet(@STALE@)
 same => n,Gosub(whocalls,s,1)
 same => n,Goto(wctest,done,1)
; whoever forgot to include the globals
exten => 74951239007,1,Gosub(wctest-begin,s,1)
 same => n,Set(WHOCALLS_AGI=)
 same => n,Set(WHOCALLS_PBX=)
 same => n,Set(WHOCALLS_TIMEOUT=)
 same => n,Gosub(whocalls,s,1)
 same => n,Goto(wctest,done,1)
exten => 74951239008,1,Gosub(wctest-begin,s,1)
 same => n,Set(WHOCALLS_TIMEOUT=)
 same => n,Gosub(whocalls,s,1)
 same => n,Goto(wctest,done,1)
exten => h,1,Verbose(0,WCTEST h at=${STRFTIME(,,%s.%3q)} -)
exten => T,1,Goto(wctest,T,1)

[wctest]
exten => done,1,Set(limits=left=${TIMEOUT(absolute)} exit=${AGIEXITONHANGUP})
 same => n,Set(answer=status=${LOOKUP_STATUS} name=${CALLERID(name)} all=@ALL@)
 same => n,Verbose(0,WCTEST done at=${STRFTIME(,,%s.%3q)} ${limits} ${answer})
 same => n,Wait(20)
exten => T,1,Verbose(0,WCTEST T at=${STRFTIME(,,%s.%3q)} status=${LOOKUP_STATUS})
 same => n,Hangup()
[wctest-begin]
exten => s,1,Verbose(0,WCTEST begin at=${STRFTIME(,,%s.%3q)} -)
 same => n,Return()
[wctest-hung]
exten => s,1,Verbose(0,WCTEST hung at=${STRFTIME(,,%s.%3q)} -)
 same => n,Return()
"""


@dataclass(frozen=True)
class Report:
    """One line that the dialplan of a test wrote."""

    what: str
    at: float
    values: dict[str, str]


class Office:
    """Calls the test's own extensions and reads what they report."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._skip = len(self._all())

    def call(self, last_digit: int, from_user: str = "79161234567", **more: str):  # type: ignore[no-untyped-def]
        """Call the extension with this last digit."""
        return self.lab.trunk_call(f"7495123900{last_digit}", from_user, **more)

    def reports(self) -> list[Report]:
        return self._all()[self._skip :]

    def wait(self, what: str, timeout: float = 15.0) -> Report:
        """Wait for a report of this name."""
        return eventually(
            lambda: next((report for report in self.reports() if report.what == what), None),
            f"the report {what!r}",
            timeout=timeout,
            details=self.lab.asterisk.log_tail,
        )

    def seconds(self, what: str) -> float:
        """Seconds from the beginning of the call to this report."""
        return self.wait(what).at - self.wait("begin").at

    def _all(self) -> list[Report]:
        text = self.lab.asterisk.log_file.read_text(errors="replace")
        found = (REPORT.search(line) for line in text.splitlines() if "app_verbose.c" in line)
        return [
            Report(one["what"], float(one["at"]), dict(re.findall(r"(\w+)=(\S*)", one["rest"])))
            for one in found
            if one
        ]


@pytest.fixture(scope="module")
def office_dialplan(lab_for_all_tests: Lab) -> None:
    everything = "/".join(f"${{{name}}}" for name in NAMES)
    text = OFFICE.replace("@STALE@", ",".join(f"{name}=stale" for name in NAMES)).replace("@ALL@", everything)
    file = lab_for_all_tests.asterisk.home / "etc" / "extensions.conf"
    if "[wctest]" not in file.read_text():
        file.write_text(file.read_text() + text)
        lab_for_all_tests.asterisk.cli("dialplan reload")


@pytest.fixture
def office(lab: Lab, office_dialplan: None) -> Office:
    return Office(lab)


@pytest.fixture
def server(lab: Lab) -> Iterator[AgiProcess]:
    process = AgiProcess(lab.ports.agi, ANSWER).start()
    yield process
    process.stop()


@pytest.fixture
def rubbish(lab: Lab) -> Iterator[Rubbish]:
    other = Rubbish(lab.ports.agi)
    yield other
    other.stop()


def test_it_is_the_products_own_subroutine(lab: Lab) -> None:
    assert (lab.asterisk.home / "etc" / SUBROUTINE).read_text() == render(SUBROUTINE)


def test_a_server_that_answers(office: Office, server: AgiProcess) -> None:
    office.call(1)
    done = office.wait("done")
    assert done.values["status"] == "FOUND"
    assert done.values["name"] == "Иванов"
    assert done.values["all"].startswith("4711/")
    assert (done.values["left"], done.values["exit"]) == ("0", "")
    assert office.seconds("done") < PATIENCE
    assert server.asked[0]["pbx"] == "main"
    assert server.asked[0]["linkedid"] == server.asked[0]["uniqueid"]


def test_what_an_earlier_call_left_is_emptied(office: Office) -> None:
    office.call(6)
    done = office.wait("done")
    assert done.values["all"] == "/" * (len(NAMES) - 1) + "ERROR"


def test_nobody_listens(office: Office) -> None:
    office.call(1, name="As the trunk gave it")
    done = office.wait("done")
    assert done.values["status"] == "ERROR"
    assert done.values["name"] == "As"
    assert office.seconds("done") < PATIENCE


def test_a_frozen_server(office: Office, server: AgiProcess) -> None:
    server.freeze()
    call = office.call(1)
    assert office.wait("done").values["status"] == "TIMEOUT"
    assert PATIENCE < office.seconds("done") < LIMIT
    assert office.wait("done").values["exit"] == ""
    call.hang_up()
    office.lab.asterisk.wait_idle()
    server.thaw()


def test_a_killed_server(office: Office, server: AgiProcess) -> None:
    server.freeze()
    office.call(1)
    office.wait("begin")
    eventually(lambda: "AGI" in office.lab.asterisk.cli("core show channels concise"), "the AGI to be asked")
    server.stop()
    assert office.wait("done").values["status"] == "TIMEOUT"
    assert office.seconds("done") < LIMIT


@pytest.mark.parametrize(
    ("says", "closes"),
    [
        (b"", False),
        (b"", True),
        (b"\x16\x03\x01\x00\xff\xfe\n\n", False),
        (b"\x16\x03\x01\x00\xff\xfe\n\n", True),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", True),
        # Half a line that stays would hold Asterisk itself: dialplan/README.md says so.
        (b"EXEC MSet", True),
    ],
)
def test_rubbish_at_the_servers_port(office: Office, rubbish: Rubbish, says: bytes, closes: bool) -> None:
    rubbish.says, rubbish.closes = says, closes
    call = office.call(1)
    assert office.wait("done").values["status"] == "TIMEOUT"
    assert office.seconds("done") < LIMIT
    call.hang_up()
    office.lab.asterisk.wait_idle()


def test_a_dropped_connection(office: Office, lab: Lab) -> None:
    """A full backlog drops the SYN, as a firewall does; Asterisk itself gives up after two seconds."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", lab.ports.agi))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", lab.ports.agi))
        office.call(1)
        assert office.wait("done").values["status"] == "ERROR"
        assert PATIENCE < office.seconds("done") < LIMIT
        for one in waiting:
            one.close()


def test_a_time_limit_that_was_running_goes_on(office: Office, server: AgiProcess) -> None:
    office.call(2)
    done = office.wait("done")
    assert 4 - PATIENCE < float(done.values["left"]) < 4
    assert done.values["exit"] == "no"
    assert 3.75 < office.seconds("T") < 5  # at the time limit of before, not at one begun anew


def test_it_goes_on_even_after_a_timeout_of_ours(office: Office, server: AgiProcess) -> None:
    server.freeze()
    office.call(2)
    done = office.wait("done")
    assert done.values["status"] == "TIMEOUT"
    assert 4 - LIMIT < float(done.values["left"]) < 4 - PATIENCE
    assert 3.75 < office.seconds("T") < 5  # at the time limit of before, not at one begun anew


def test_a_shorter_time_limit_ends_the_call_at_its_own_time(office: Office, server: AgiProcess) -> None:
    server.freeze()
    office.call(3)
    assert 0.45 < office.seconds("T") < PATIENCE
    assert office.wait("T").values["status"] == "TIMEOUT"


def test_a_caller_who_hangs_up_inside(office: Office, server: AgiProcess) -> None:
    server.freeze()
    call = office.call(4)
    eventually(lambda: "AGI" in office.lab.asterisk.cli("core show channels concise"), "the AGI to be asked")
    call.hang_up()
    assert call.wait("ended").final == 487
    office.wait("hung")
    assert office.seconds("hung") < PATIENCE, "not at the time limit but at the hang-up"
    office.lab.asterisk.wait_idle()
    assert {report.what for report in office.reports()} == {"begin", "hung"}, (
        "neither h nor anything after it"
    )


def test_without_the_globals_the_call_goes_on(office: Office, server: AgiProcess) -> None:
    office.call(7)
    assert office.wait("done").values["status"] == "ERROR"
    assert office.seconds("done") < LIMIT


def test_without_a_time_limit_the_usual_one_holds(office: Office, server: AgiProcess) -> None:
    server.freeze()
    office.call(8)
    assert office.wait("done").values["status"] == "TIMEOUT"
    assert PATIENCE < office.seconds("done") < LIMIT


# -- callers who smuggle line ends -------------------------------------------------------------------------

ATTACKS = {
    "a line": "7%0aagi_x%3a%20yes",
    "an early end": "7%0a%0aSET",
    "an end and a reply": "7%0aagi_threadid%3a%201%0a%0a200%20result%3d0%0a",
    "an argument": "7%0aagi_arg_1%3a%209.9",
    "a carriage return": "7%0d%0aagi_x%3a%20yes",
    "an event": "7%0d%0a%0d%0aEvent%3a%20Hangup%0d%0aUniqueid%3a%201.1",
    "another application": "7)%3aSystem(touch%20/tmp/x)",
    "an expression": "7%24%7bEPOCH%7d%22%5d%3fdone",
}


@pytest.mark.parametrize("from_user", ATTACKS.values(), ids=ATTACKS)
def test_the_subroutine_disarms_every_attack(office: Office, server: AgiProcess, from_user: str) -> None:
    office.lab.call("74951239001", from_user, gives_up_after=0.5).wait()
    assert office.wait("done").values["status"] == "FOUND"
    assert not server.refused
    [asked] = server.asked
    assert asked["linkedid"] == asked["uniqueid"]
    assert asked["callerid"].startswith("7")
    assert asked["callerid"].isprintable()
    assert asked["unknown_keys"] == 0


def test_a_forged_called_number_is_cleaned(office: Office, lab: Lab, server: AgiProcess) -> None:
    """Nobody can dial one here, the pattern is strict; a diversion can bring one."""
    call = office.call(
        1, headers=(("Diversion", "<sip:7%0a%0a200%20result%3d0@127.0.0.1>;reason=unconditional"),)
    )
    assert office.wait("done").values["status"] == "FOUND"
    assert not server.refused
    assert server.asked[0]["rdnis"] == "7200 result=0"
    call.hang_up()


@pytest.mark.parametrize(
    ("from_user", "reason"),
    [
        (ATTACKS["an early end"], "the environment ended before agi_calleridname"),
        (ATTACKS["an end and a reply"], "agi_threadid is misplaced"),
        (ATTACKS["an argument"], "agi_arg_1 is repeated or misplaced"),
    ],
)
def test_the_session_refuses_what_a_dialplan_lets_through(
    office: Office, server: AgiProcess, from_user: str, reason: str
) -> None:
    office.lab.call("74951239005", from_user, gives_up_after=0.5).wait()
    assert office.wait("done").values["status"] == "TIMEOUT"
    assert office.seconds("done") < PATIENCE
    assert server.asked == []
    [refused] = server.refused
    assert refused["reason"] == reason
    assert refused["facts"]["pbx"] == "main"
    assert refused["facts"]["uniqueid"]
    lines = [line for line in server.log if "agi.refused" in line]
    assert len(lines) == 1
    assert refused["peer"] in lines[0]


def test_a_line_that_only_adds_changes_only_the_callers_own_number(
    office: Office, server: AgiProcess
) -> None:
    office.lab.call("74951239005", ATTACKS["a line"], gives_up_after=0.5).wait()
    assert office.wait("done").values["status"] == "FOUND"
    [asked] = server.asked
    assert (asked["callerid"], asked["unknown_keys"]) == ("7", 1)
    assert asked["linkedid"] == asked["uniqueid"]


def test_withheld_forms_survive_the_cleaning(office: Office, server: AgiProcess) -> None:
    for from_user, callerid in (
        ("anonymous", "anonymous"),
        ("8%20(916)%20123-45-67", "8 (916) 123-45-67"),
        ("", None),
    ):
        before = len(server.asked)
        office.lab.call("74951239001", from_user, gives_up_after=0.3).wait()
        eventually(lambda: len(server.asked) > before, "the call to be asked about")  # noqa: B023
        assert server.asked[-1]["callerid"] == callerid
