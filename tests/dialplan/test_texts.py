"""The files for Asterisk: their names, settings and variables agree with the program's."""

import re
from pathlib import Path

import pytest

import dialplan
from dialplan import GLOBALS, MANAGER, SUBROUTINE, Settings, render
from dialplan.texts import secret_in
from fastagi.agi.variables import NAMES, STATUS
from fastagi.ami.tracker import EVENTS
from fastagi.calls import LookupStatus
from fastagi.config import AgiConfig
from fastagi.errors import BadInput

OURS = re.compile(r"\b(?:SUBSCRIBER|LEAD|CALLER|LOOKUP)_[A-Z0-9_]+\b")


def code(name: str) -> str:
    """A file without its comments."""
    return "\n".join(line.split(";")[0].rstrip() for line in render(name).splitlines())


def test_the_subroutine_empties_exactly_the_variables_that_an_answer_sets() -> None:
    emptied = re.findall(r"(\w+)=[,)]", code(SUBROUTINE))
    assert sorted(emptied) == sorted(set(NAMES) - {STATUS})


def test_the_subroutine_sets_the_status_before_anything_else() -> None:
    first = next(line for line in code(SUBROUTINE).splitlines() if line.startswith("exten"))
    assert first == "exten => s,1,Set(LOOKUP_STATUS=TIMEOUT)"


@pytest.mark.parametrize("name", [*dialplan.files(), *dialplan.examples()])
def test_every_variable_that_is_named_exists(name: str) -> None:
    named = set(OURS.findall(render(name)))
    assert named <= set(NAMES)


def test_the_manual_names_every_variable_and_every_status() -> None:
    text = render("README.md")
    assert set(NAMES) <= set(OURS.findall(text))
    assert all(f"`{status.value}`" in text for status in LookupStatus)


def test_every_status_of_the_subroutine_exists() -> None:
    statuses = set(re.findall(r"LOOKUP_STATUS=(\w+)", code(SUBROUTINE)))
    assert statuses == {"TIMEOUT", "ERROR"}
    compared = re.findall(r'LOOKUP_STATUS\}" = "(\w+)"', render("examples/extensions_example.conf"))
    assert {*statuses, *compared} <= set(LookupStatus)


def test_no_text_of_a_caller_is_an_argument_of_an_application() -> None:
    """Asterisk puts values in before it takes an application's arguments apart: only Set may carry one."""
    for line in code(SUBROUTINE).splitlines():
        if "CALLERID" in line and "Set(CALLERID" not in line:
            assert re.fullmatch(
                r" same => n(\(\w+\))?,GotoIf\(\$\[\$\{LEN\(.*\)\} = \$\{LEN\(.*\)\}\]\?\w+\)", line
            )


def test_the_manager_lets_through_exactly_what_the_tracker_uses() -> None:
    included = re.findall(r"^eventfilter\(action\(include\),name\((\w+)\)\) =$", code(MANAGER), re.MULTILINE)
    assert set(included) == EVENTS
    assert len(included) == len(EVENTS)
    assert code(MANAGER).count("eventfilter") == len(included)


def test_the_manager_has_the_least_rights() -> None:
    lines = code(MANAGER).splitlines()
    assert "read = system,call,agent" in lines
    assert "write = reporting" in lines
    assert lines.index("deny = 0.0.0.0/0.0.0.0") < lines.index("permit = 127.0.0.1/255.255.255.255")


def test_the_globals_fit_the_servers_defaults() -> None:
    values = dict(re.findall(r"^(\w+) = (.*)$", render(GLOBALS), re.MULTILINE))
    assert set(values) == {"WHOCALLS_AGI", "WHOCALLS_PBX", "WHOCALLS_TIMEOUT"}
    assert AgiConfig().listen == "tcp:{1}:interface={0}".format(*values["WHOCALLS_AGI"].split(":"))
    assert float(values["WHOCALLS_TIMEOUT"]) == 1.5
    assert AgiConfig().deadline < float(values["WHOCALLS_TIMEOUT"])
    assert set(re.findall(r"WHOCALLS_\w+", code(SUBROUTINE))) == set(values)


def test_the_globals_have_no_section_of_their_own() -> None:
    assert not re.search(r"^\[", render(GLOBALS), re.MULTILINE)


def test_settings_are_filled_in() -> None:
    settings = Settings(
        agi="192.0.2.7:4574",
        pbx="kyiv",
        timeout=0.75,
        username="crm",
        secret=r"s\1g<0>&x",
        permit="192.0.2.7",
    )
    text = render(GLOBALS, settings)
    assert "\nWHOCALLS_AGI = 192.0.2.7:4574\n" in text
    assert "\nWHOCALLS_PBX = kyiv\n" in text
    assert "\nWHOCALLS_TIMEOUT = 0.75\n" in text
    manager = render(MANAGER, settings)
    assert "\n[crm]\nsecret = s\\1g<0>&x\n" in manager
    assert "\npermit = 192.0.2.7/255.255.255.255\n" in manager
    assert "change-me" not in manager
    assert render(SUBROUTINE, settings) == render(SUBROUTINE)


def test_default_settings_change_nothing() -> None:
    assert [render(name, Settings()) for name in dialplan.files()] == [
        render(name) for name in dialplan.files()
    ]


def test_an_ipv6_address_may_be_permitted() -> None:
    settings = Settings(permit="2001:db8::7", agi="[2001:db8::7]:4573")
    assert "\npermit = 2001:db8::7/128\n" in render(MANAGER, settings)


@pytest.mark.parametrize(
    ("wrong", "about"),
    [
        ({"agi": "127.0.0.1"}, "AGI address"),
        ({"agi": "a b:1"}, "AGI address"),
        ({"agi": "127.0.0.1:4573/x,System(x)"}, "AGI address"),
        ({"pbx": "a&b"}, "PBX name"),
        ({"pbx": ""}, "PBX name"),
        ({"username": "x]"}, "user name"),
        ({"secret": "a;b"}, "secret"),
        ({"secret": "a\nread = all"}, "secret"),
        ({"secret": ""}, "secret"),
        ({"timeout": 0.0}, "timeout"),
        ({"timeout": 9.0}, "timeout"),
        ({"permit": "everybody"}, "permit"),
    ],
)
def test_a_setting_that_asterisk_would_misread_is_refused(wrong: dict[str, object], about: str) -> None:
    with pytest.raises(BadInput, match=about) as caught:
        Settings(**wrong)  # type: ignore[arg-type]
    assert wrong != {"secret": "a;b"} or "a;b" not in str(caught.value)


def test_there_is_no_other_file() -> None:
    with pytest.raises(BadInput, match=SUBROUTINE):
        render("../pyproject.toml")


def test_every_file_of_the_folder_can_be_shown() -> None:
    folder = Path(dialplan.__file__).parent
    on_disk = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in (".conf", ".md")}
    assert on_disk == {*dialplan.files(), *dialplan.examples()}


def test_new_secrets_are_new_and_possible() -> None:
    assert dialplan.new_secret() != dialplan.new_secret()
    assert secret_in(render(MANAGER, Settings(secret=dialplan.new_secret()))) is not None


def test_the_published_secret_is_none() -> None:
    assert secret_in(render(MANAGER)) is None
    assert secret_in("[whocalls]\nread = call\n") is None
    assert secret_in("[whocalls]\nsecret=>abc ; x\n") == "abc"
