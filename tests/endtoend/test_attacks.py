"""Callers who smuggle line ends through SIP change nothing but their own row (FACTS.md B5 and B6).

Each attack is a real SIP call, by three ways into the PBX: through the product's subroutine, which cleans; through a
dialplan that asks without cleaning; and where callers are looked up over AMI, with nothing in between. Two honest
calls are there all the while, and many an attack names their channels.
"""

import re
from dataclasses import dataclass, field

import pytest

from tests.endtoend.conftest import add_dialplan, make_product
from tests.endtoend.conversation import LIMIT, Conversation, row_of
from tests.lab.lab import TRUNK_AGI, TRUNK_AMI
from tests.lab.ports import free_port
from tests.lab.waiting import eventually
from tests.product import until

pytestmark = pytest.mark.lab

# A loose pattern, as many a dialplan has: the dialled number may hold line ends too.
DIALPLAN = """
[from-trunk](+)
exten => _74951239201!,1,Gosub(whocalls,s,1)
 same => n,Goto(attacked,s,1)
exten => _74951239202!,1,AGI(agi://${WHOCALLS_AGI}/lookup?pbx=${WHOCALLS_PBX},${CHANNEL(linkedid)})
 same => n,Goto(attacked,s,1)
[from-trunk-ami](+)
exten => _74951239203!,1,Goto(attacked,s,1)
[attacked]
exten => s,1,Verbose(0,WCATTACK ${UNIQUEID})
 same => n,Dial(PJSIP/101,20)
"""
BEGUN = re.compile(r"WCATTACK ([\d.]+)")
NO_LINE = "a line that is not of the form 'agi_name: value'"


@dataclass(frozen=True)
class Attack:
    """A call with line ends in it. `{victim}` stands for the Uniqueid of an honest call.

    Attributes:
        from_user: the caller's number.
        dialled: what follows the dialled number.
        diversion: the number of a diversion.
        refused: why the FastAGI server refuses it where no dialplan cleans; None where it adds a line that
            nobody reads.
    """

    from_user: str = "79991112233"
    dialled: str = ""
    diversion: str = ""
    refused: str | None = field(default=None, kw_only=True)


ATTACKS = {
    "a line more": Attack("7%0aagi_x%3a%20yes"),
    "an early end": Attack("7%0a%0aSET", refused="the environment ended before agi_calleridname"),
    "an end and a reply": Attack(
        "7%0aagi_threadid%3a%201%0a%0a200%20result%3d0%0a", refused="agi_threadid is misplaced"
    ),
    "an argument": Attack("7%0aagi_arg_1%3a%20{victim}", refused="agi_arg_1 is repeated or misplaced"),
    "a channel": Attack("7%0aagi_uniqueid%3a%20{victim}", refused="agi_uniqueid is repeated"),
    "an event": Attack("7%0d%0a%0d%0aEvent%3a%20Hangup%0d%0aUniqueid%3a%20{victim}", refused=NO_LINE),
    "an event and a rest": Attack(
        "7%0d%0a%0d%0aEvent%3a%20Hangup%0d%0aPrivilege%3a%20%0d%0aUniqueid%3a%20{victim}%0d%0a%0d%0ax",
        refused=NO_LINE,
    ),
    "a key more": Attack("7%0d%0aUniqueid%3a%20{victim}%0d%0aLinkedid%3a%20{victim}", refused=NO_LINE),
    "an answer": Attack("7%0d%0a%0d%0aResponse%3a%20Error%0d%0aActionID%3a%201%0d%0a%0d%0a", refused=NO_LINE),
    "a dialled end": Attack(
        dialled="%0a%0a200%20result%3d0", refused="the environment ended before agi_rdnis"
    ),
    "a dialled tail": Attack(
        dialled="%0d%0aPriority%3a%201%0d%0aUniqueid%3a%20{victim}%0d%0aLinkedid%3a%20{victim}%0d%0a%0d%0a",
        refused=NO_LINE,
    ),
    "a diversion": Attack(
        diversion="7%0a%0a200%20result%3d0", refused="the environment ended before agi_context"
    ),
}


class Street:
    """Where the attackers come from, one after the other."""

    def __init__(self, lab, victim: str) -> None:
        self.lab = lab
        self._victim = victim

    def attack(self, attack: Attack, did: str, trunk: str) -> str:
        """Calls, is answered, hangs up; returns the Uniqueid of the attacker's channel."""
        phone, known = self.lab.phone("101"), len(self._begun())
        before = len(phone.calls)
        call = self.lab.trunk_call(
            did + self._aimed(attack.dialled),
            self._aimed(attack.from_user),
            headers=(("Diversion", f"<sip:{attack.diversion}@127.0.0.1>"),) if attack.diversion else (),
            trunk=trunk,
        )
        leg = phone.wait_call(before + 1)
        assert leg.times["new"] - call.times["new"] <= LIMIT
        leg.answer()
        call.wait("answered")
        self.lab.asterisk.wait_bridged(4)
        call.hang_up()
        eventually(lambda: len(self.lab.asterisk.channels()) == 4, "the attacker's channels to be gone")
        return self._begun()[known]

    def _aimed(self, text: str) -> str:
        return text.replace("{victim}", self._victim)

    def _begun(self) -> list[str]:
        return BEGUN.findall(self.lab.asterisk.log_file.read_text(errors="replace"))


@pytest.fixture(scope="module")
def by_ami(lab_for_all_tests, tmp_path_factory):
    """A product that looks callers up over AMI."""
    made = make_product(lab_for_all_tests, tmp_path_factory.mktemp("ami"), lookup="ami", agi_port=free_port())
    made.start()
    yield made
    made.stop()


def settled(product, id: str) -> dict:
    return until(
        lambda: (row := product.get(f"/api/calls/{id}"))["outcome"] and row, message=f"{id} is not settled"
    )


def refusals(product) -> list[str]:
    return [line for line in product.log.read_text().splitlines() if "event=agi.refused" in line]


WAYS = {
    "cleaned": ("74951239201", TRUNK_AGI),
    "as they come": ("74951239202", TRUNK_AGI),
    "over AMI": ("74951239203", TRUNK_AMI),
}


@pytest.mark.parametrize("way", WAYS)
def test_attackers_change_nothing_but_their_own_row(lab, request, way):
    add_dialplan(lab, DIALPLAN)
    product = request.getfixturevalue("by_ami" if way == "over AMI" else "product")
    talks, rings = Conversation(lab, "102").answer(), Conversation(lab, "102")
    until(lambda: row_of(product, talks)["status"] == "in_processing")
    until(lambda: row_of(product, rings)["ringing"] == ["102"])
    honest = [row_of(product, one) for one in (talks, rings)]
    known = {row["id"] for row in product.calls()}
    street = Street(lab, honest[0]["id"].partition(":")[2])

    made = {}
    for name, attack in ATTACKS.items():
        before = len(refusals(product))
        made[name] = f"main:{street.attack(attack, *WAYS[way])}"
        told = refusals(product)[before:]
        if way == "as they come" and attack.refused:
            assert len(told) == 1, name
            assert "peer=127.0.0.1:" in told[0] and attack.refused in told[0], name
        else:
            assert told == [], name

    until(
        lambda: {row["id"] for row in product.calls()} == known | set(made.values()),
        message="not one row each",
    )
    for name, id in made.items():
        row = settled(product, id)
        assert (row["subscriber"], row["candidates"], row["lead"], row["match"]) == (None, [], None, None), (
            name
        )
        assert (row["status"], row["outcome"], row["direction"]) == ("processed", "answered", "incoming"), (
            name
        )
        assert row["operator"]["sip_phone"] == "101", name
        assert all(text is None or text.isprintable() for text in (*row["caller"].values(), row["called"])), (
            name
        )
    assert [row_of(product, one) for one in (talks, rings)] == honest
    assert product.metric("calls_live") == 2
    assert product.metric("ami_dropped") > 0
    assert "AMI message not believed" in product.log.read_text()

    for one in (talks, rings):
        one.hang_up()
    assert [settled(product, row["id"])["outcome"] for row in honest] == ["answered", "abandoned"]
    until(lambda: product.metric("channels_live") == 0, message="channels are left in the tracker")
