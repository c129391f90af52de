"""Any value the server sets arrives in Asterisk as the manual says: set by the product, read back by Asterisk."""

from collections.abc import Iterator

import pytest

from tests.lab import nasty
from tests.lab.agi import VariableReader
from tests.lab.agi_process import AgiProcess
from tests.lab.lab import Lab
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab


@pytest.fixture
def server(lab: Lab) -> Iterator[AgiProcess]:
    process = AgiProcess(lab.ports.agi).start()
    yield process
    process.stop()


@pytest.fixture
def reader(lab: Lab) -> Iterator[VariableReader]:
    reading = lab.variable_reader(*nasty.names(), "LOOKUP_STATUS").start()
    yield reading
    reading.stop()


def test_two_thousand_nasty_values_arrive(lab: Lab, server: AgiProcess, reader: VariableReader) -> None:
    wrong = []
    values = 0
    for call in range(nasty.CALLS):
        leg = lab.trunk_call("read_back", nasty.number(call))
        read = eventually(lambda: _complete(reader, call), f"the values of call {call}", timeout=20)  # noqa: B023
        leg.hang_up()
        for name, value in nasty.pairs(call):
            values += 1
            if read[name] != nasty.expected(name, value):
                wrong.append((call, name, nasty.expected(name, value), read[name]))
    assert not wrong, f"{len(wrong)} of {values} values are wrong, the first: {wrong[0]!r}"
    assert values >= 2000
    assert len(server.asked) == nasty.CALLS
    assert not server.refused
    assert not server.log


def _complete(reader: VariableReader, call: int) -> dict[str, str] | None:
    if len(reader.values) <= call or "LOOKUP_STATUS" not in reader.values[call]:
        return None
    return reader.values[call]
