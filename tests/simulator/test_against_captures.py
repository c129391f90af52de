"""The simulator's conversations, held against those of a real Asterisk 22.

Compared is what the product's manager account lets through: for each channel the same events in the same
order, and in each event the same headers in the same order. Between channels Asterisk fixes no order.
"""

import asyncio
from collections import defaultdict
from pathlib import Path

import pytest

from fastagi.ami.tracker import EVENTS
from fastagi.simulator.manager import SimulatedManager
from fastagi.simulator.pbx import SimulatedPbx

CAPTURES = Path(__file__).parent.parent / "captures"
PHONES = {"101": "Operator One", "102": "Operator Two", "103": "Operator Three"}


class Recording(SimulatedManager):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__("whocalls", "secret")
        self.sent = []

    def emit(self, headers) -> None:
        self.sent.append(headers)


def captured(folder: str):
    blocks = (CAPTURES / folder / "ami.txt").read_bytes().decode().split("\r\n\r\n")
    messages = [
        [tuple(line.split(": ", 1)) for line in block.split("\r\n") if ": " in line] for block in blocks
    ]
    return [message for message in messages if message and message[0][0] == "Event"]


def conversation(messages):
    """Returns per endpoint the list of (event, header names)."""
    result = defaultdict(list)
    for message in messages:
        headers = dict(message)
        if headers["Event"] in EVENTS and "Channel" in headers:
            about = headers.get("DestChannel", headers["Channel"])
            endpoint = about.split("/")[1].rsplit("-", 1)[0]
            result[endpoint].append((headers["Event"], tuple(key for key, _ in message)))
    return result


async def answered(call) -> None:
    call.ring(["101"])
    call.answer("101")
    call.hang_up(by_operator=True)


async def no_answer(call) -> None:
    call.ring(["101"])
    call.no_answer()


async def busy(call) -> None:
    call.ring(["101"])
    call.busy()


async def cancelled(call) -> None:
    call.ring(["101"])
    call.abandon()


async def ring_group(call) -> None:
    call.ring(["101", "102", "103"])
    call.answer("102")
    call.hang_up(by_operator=False)


@pytest.mark.parametrize(
    ("folder", "play"),
    [
        ("01_answered_operator_hangs_up", answered),
        ("03_no_answer", no_answer),
        ("04_busy", busy),
        ("05_caller_cancels_while_ringing", cancelled),
        ("06_ring_group_102_answers", ring_group),
    ],
)
def test_the_simulator_says_what_asterisk_says(folder, play):
    async def main():
        manager = Recording()
        pbx = SimulatedPbx(manager, agi_port=None, name="main", phones=PHONES)
        call = await pbx.incoming("79161234567", "74951230001")
        await play(call)
        return manager

    manager = asyncio.run(main())
    ours, theirs = conversation(manager.sent), conversation(captured(folder))
    # The recorded calls had a lookup that named the caller; these have none.
    theirs = {key: [one for one in value if one[0] != "NewCallerid"] for key, value in theirs.items()}
    assert {key: [name for name, _ in value] for key, value in ours.items()} == {
        key: [name for name, _ in value] for key, value in theirs.items()
    }
    assert ours == theirs
    assert not manager.channels
