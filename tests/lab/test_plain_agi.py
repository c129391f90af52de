"""`whocalls-agi` as a plain AGI script of a real Asterisk.

The Asterisk of the lab lives in a folder without Python, so its script is a pipe of two lines to the true one.
"""

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.lab.agi_process import CHECKOUT, AgiProcess
from tests.lab.lab import Lab
from tests.lab.processes import die_with_parent
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

ANSWER = [("CALLERID(name)", 'Иванов "И", \\ (x)'), ("SUBSCRIBER_ID", "4711"), ("LOOKUP_STATUS", "FOUND")]
PIPE = """#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/{port}
cat <&0 >&3 &
cat <&3
kill $!
"""
DIALPLAN = """
[from-trunk](+)
exten => 74951239010,1,AGI({script},${{CHANNEL(linkedid)}})
 same => n,Verbose(0,WCPLAIN ${{CALLERID(num)}} status=${{LOOKUP_STATUS}} id=${{SUBSCRIBER_ID}} agi=${{AGISTATUS}})
 same => n,Dial(PJSIP/101,20)
"""


class Bridge:
    """Runs the script on this side of the pipe, once for every call."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.codes: list[int] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                code = "from fastagi.agi.script import main; main()"
                command = [sys.executable, "-c", code, "argument-of-asterisk", *self._arguments]
                self.codes.append(
                    subprocess.run(
                        command,
                        cwd=CHECKOUT,
                        stdin=connection,
                        stdout=connection,
                        preexec_fn=die_with_parent,
                        timeout=20,
                        check=False,
                    ).returncode
                )


@pytest.fixture
def bridge(lab: Lab) -> Iterator[Bridge]:
    made = Bridge(f"127.0.0.1:{lab.ports.agi}", "main")
    home = lab.asterisk.home
    script = home / "agi-bin" / "whocalls-agi"
    script.write_text(PIPE.format(port=made.port))
    script.chmod(0o755)
    file = home / "etc" / "extensions.conf"
    before = file.read_text()
    file.write_text(before + DIALPLAN.format(script=f"/{script.relative_to(lab.asterisk.chroot)}"))
    lab.asterisk.cli("dialplan reload")
    yield made
    file.write_text(before)
    lab.asterisk.cli("dialplan reload")
    made.stop()


def reported(lab: Lab, caller: str) -> dict[str, str]:
    """What the dialplan said after the script, in the call of this caller."""

    def said() -> dict[str, str] | None:
        lines = lab.asterisk.log_file.read_text().splitlines()
        found = [line for line in lines if f"app_verbose.c: WCPLAIN {caller} " in line]
        return dict(re.findall(r"(\w+)=(\S*)", found[0])) if found else None

    return eventually(said, "the call to go on after the script", details=lab.asterisk.log_tail)


def test_the_name_reaches_the_phone(lab: Lab, bridge: Bridge) -> None:
    server = AgiProcess(lab.ports.agi, ANSWER).start()
    try:
        call = lab.trunk_call("74951239010", "79161234567")
        assert lab.phone("101").wait_call().name == 'Иванов "И", \\ (x)'
        assert reported(lab, "79161234567") == {"status": "FOUND", "id": "4711", "agi": "SUCCESS"}
        [asked] = server.asked
        assert (asked["pbx"], asked["callerid"]) == ("main", "79161234567")
        assert asked["linkedid"] == asked["uniqueid"]
        assert not server.refused
        call.hang_up()
    finally:
        server.stop()
    assert bridge.codes == [0]


def test_the_call_goes_on_without_a_server(lab: Lab, bridge: Bridge) -> None:
    lab.trunk_call("74951239010", "79161234568")
    lab.phone("101").wait_call()
    assert reported(lab, "79161234568")["status"] == "ERROR"


def test_the_call_goes_on_with_a_frozen_server(lab: Lab, bridge: Bridge) -> None:
    server = AgiProcess(lab.ports.agi, ANSWER).start()
    server.freeze()
    try:
        lab.trunk_call("74951239010", "79161234569")
        lab.phone("101").wait_call()
        assert reported(lab, "79161234569")["status"] == "TIMEOUT"
    finally:
        server.stop()
