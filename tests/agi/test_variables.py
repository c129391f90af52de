"""The channel variables of an answer."""

import pytest

from fastagi.agi.commands import mset
from fastagi.agi.variables import NAMES, SUBSCRIBER_VARIABLES, check_extra, variables_for
from fastagi.calls import Lead, LookupStatus, Subscriber
from fastagi.errors import BadInput

SUBSCRIBER = Subscriber(
    id="4711",
    name="Иванов Иван",
    login="ivanov",
    company="ООО «Ромашка»",
    deposit="-12.50",
    address="Москва, Садовая 1, кв. 2",
    tariff="Home 100",
    service_status="enabled",
    language="ru",
    url="https://billing.example/?uid=4711",
    operator="101",
)
LEAD = Lead(id="17", name="Пётр")
EMPTY = dict.fromkeys(NAMES, "")


def test_a_subscriber_fills_all() -> None:
    pairs = variables_for(LookupStatus.FOUND, SUBSCRIBER, None, "+79161234567")
    assert pairs == [
        ("CALLERID(name)", "Иванов Иван"),
        ("SUBSCRIBER_ID", "4711"),
        ("SUBSCRIBER_NAME", "Иванов Иван"),
        ("SUBSCRIBER_LOGIN", "ivanov"),
        ("SUBSCRIBER_DEPOSIT", "-12.50"),
        ("SUBSCRIBER_ADDRESS", "Москва, Садовая 1, кв. 2"),
        ("SUBSCRIBER_TARIFF", "Home 100"),
        ("SUBSCRIBER_SERVICE_STATUS", "enabled"),
        ("SUBSCRIBER_LANGUAGE", "ru"),
        ("SUBSCRIBER_URL", "https://billing.example/?uid=4711"),
        ("SUBSCRIBER_OPERATOR", "101"),
        ("LEAD_ID", ""),
        ("CALLER_E164", "+79161234567"),
        ("LOOKUP_STATUS", "FOUND"),
    ]


def test_several_candidates_give_the_first_and_say_so() -> None:
    pairs = dict(variables_for(LookupStatus.MULTIPLE, SUBSCRIBER))
    assert (pairs["CALLERID(name)"], pairs["LOOKUP_STATUS"]) == ("Иванов Иван", "MULTIPLE")


def test_a_lead_gives_its_name_and_no_subscriber() -> None:
    pairs = dict(variables_for(LookupStatus.LEAD, None, LEAD, "+79161234567"))
    wanted = {
        "CALLERID(name)": "Пётр",
        "LEAD_ID": "17",
        "CALLER_E164": "+79161234567",
        "LOOKUP_STATUS": "LEAD",
    }
    assert pairs == EMPTY | wanted


@pytest.mark.parametrize("status", set(LookupStatus) - {"FOUND", "MULTIPLE", "LEAD"})
def test_a_miss_sets_all_empty_and_leaves_the_name(status: LookupStatus) -> None:
    pairs = dict(variables_for(status, SUBSCRIBER, LEAD))
    assert pairs == EMPTY | {"LOOKUP_STATUS": status.value}


@pytest.mark.parametrize("name", ["", "  ", "\t"])
def test_a_subscriber_without_a_name_leaves_the_name_of_the_trunk(name: str) -> None:
    pairs = dict(variables_for(LookupStatus.FOUND, Subscriber(id="1", name=name)))
    assert "CALLERID(name)" not in pairs


@pytest.mark.parametrize("status", LookupStatus)
def test_every_answer_sets_every_variable_and_the_status_last(status: LookupStatus) -> None:
    names = [name for name, _ in variables_for(status, SUBSCRIBER, LEAD)]
    assert [name for name in names if name != "CALLERID(name)"] == list(NAMES)
    assert names[-1] == "LOOKUP_STATUS"
    assert len(mset(variables_for(status, SUBSCRIBER, LEAD))) == 1


def test_further_variables_come_from_the_subscribers_fields() -> None:
    extra = {"COMPANY": "company", "CURRENCY": "currency"}
    check_extra(extra)
    pairs = variables_for(LookupStatus.FOUND, SUBSCRIBER, extra=extra)
    assert dict(pairs)["COMPANY"] == "ООО «Ромашка»"
    assert dict(pairs)["CURRENCY"] == ""
    assert pairs[-1] == ("LOOKUP_STATUS", "FOUND")
    missed = dict(variables_for(LookupStatus.UNKNOWN, extra=extra))
    assert (missed["COMPANY"], missed["CURRENCY"]) == ("", "")


def test_a_prefix_makes_dialled_channels_inherit() -> None:
    names = [
        name for name, _ in variables_for(LookupStatus.FOUND, SUBSCRIBER, extra={"X": "company"}, prefix="__")
    ]
    assert names[0] == "CALLERID(name)"
    assert names[1:] == [
        "__" + name for name in (*SUBSCRIBER_VARIABLES, "X", "LEAD_ID", "CALLER_E164", "LOOKUP_STATUS")
    ]


@pytest.mark.parametrize(
    ("extra", "prefix", "about"),
    [
        ({"X": "surname"}, "", "no field 'surname'"),
        ({"X Y": "company"}, "", "a name of its own"),
        ({"_X": "company"}, "", "a name of its own"),
        ({"SUBSCRIBER_ID": "company"}, "", "a name of its own"),
        ({"CALLERID(num)": "id"}, "", "a name of its own"),
        ({}, "___", "one hop"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_reason(extra: dict[str, str], prefix: str, about: str) -> None:
    with pytest.raises(BadInput, match=about):
        check_extra(extra, prefix)
