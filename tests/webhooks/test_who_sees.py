"""The rule of who sees a call, where the push side has it."""

import pytest

from fastagi.calls import EventType, Operator
from fastagi.interfaces import Account, Role
from tests.webhooks.fakes import event, make_call
from tests.who_sees import CASES, PHONES
from webhooks.access import may_see
from webhooks.frames import Framing, Scope


@pytest.mark.parametrize(("answered", "ringing", "sees"), CASES)
def test_a_request_and_a_stream_show_the_same_calls(
    answered: str | None, ringing: tuple[str, ...], sees: bool
):
    operator = Operator(sip_phone=answered) if answered else None
    call = make_call(1, operator=operator, ringing=ringing)
    account = Account(login="olena", name="", role=Role.OPERATOR, sip_phones=PHONES)
    assert may_see(account, call) is sees
    frame = Framing().frame(event(1, EventType.UPDATED, call))
    assert Scope(phones=frozenset(PHONES)).sees(frame) is sees
