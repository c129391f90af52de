"""The configuration: what is refused, with which words, and that README.md tells all of it."""

import os
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from fastagi.config import Config, load
from fastagi.errors import BadInput, ConfigError
from fastagi.linenames import readable_lines
from fastagi.numbers import Numbers

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    """Nothing of the machine's own environment."""
    for name in list(os.environ):
        if name.upper().startswith("WHOCALLS_"):
            monkeypatch.delenv(name)


def refused(path=None):
    with pytest.raises(ConfigError) as caught:
        load(path)
    return caught.value


def write(folder, text):
    file = folder / "whocalls.toml"
    file.write_text(text, encoding="utf-8")
    return file


# -- the environment --------------------------------------------------------------------------------------


def test_without_anything_the_defaults_hold():
    assert load(None).push.listen == "127.0.0.1:8080"


@pytest.mark.parametrize(
    ("name", "value", "form"),
    [
        ("WHOCALLS_AGI__ALLOW", "127.0.0.1", '["first", "second"]'),
        ("WHOCALLS_AGI__ALLOW", '"127.0.0.1"', '["first", "second"]'),
        ("WHOCALLS_PBX", "main", '[{"name": "main"}]'),
        ("WHOCALLS_PBX", "", '[{"name": "main"}]'),
        ("WHOCALLS_PBX", '{"name": "main"}', '[{"name": "main"}]'),
        ("WHOCALLS_NUMBERS__PREFIXES", "9", '["first", "second"]'),
        ("WHOCALLS_AGI__VARIABLES", "COMPANY=company", '{"name": "value"}'),
        ("WHOCALLS_LINES", "Support", '{"name": "value"}'),
        ("WHOCALLS_AGI", "127.0.0.1:4573", '{"key": "value"}'),
    ],
)
def test_a_list_or_table_in_the_environment_must_be_json(monkeypatch, name, value, form):
    monkeypatch.setenv(name, value)
    error = refused()
    assert (error.file, error.key) == ("environment", name)
    assert "as JSON" in error.reason and f"{name}='{form}'" in error.reason


def test_lists_and_tables_are_read_as_json(monkeypatch):
    monkeypatch.setenv("WHOCALLS_PBX", '[{"name": "kyiv", "host": "192.0.2.7"}, {"name": "lviv"}]')
    monkeypatch.setenv("WHOCALLS_AGI__ALLOW", '["192.0.2.0/24"]')
    monkeypatch.setenv("WHOCALLS_AGI__DEADLINE", "0.5")
    monkeypatch.setenv("whocalls_lines", '{"+380441230001": "Support"}')
    config = load(None)
    assert [one.name for one in config.pbx] == ["kyiv", "lviv"]
    assert [str(one) for one in config.agi.allow] == ["192.0.2.0/24"]
    assert (config.agi.deadline, config.lines) == (0.5, {"+380441230001": "Support"})


@pytest.mark.parametrize(
    "name",
    ["WHOCALLS_AGI_DEADLINE", "WHOCALLS_TIMEOUT", "WHOCALLS_AGI__DEDLINE", "WHOCALLS_", "WHOCALLS_X__Y"],
)
def test_an_unknown_variable_is_an_error(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    error = refused()
    assert (error.file, error.key) == ("environment", name)
    assert "no such variable" in error.reason


@pytest.mark.parametrize(
    "name", ["WHOCALLS_PBX__0__NAME", "WHOCALLS_AGI__VARIABLES__COMPANY", "WHOCALLS_AGI__DEADLINE__X"]
)
def test_no_part_of_a_value_can_be_given(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    error = refused()
    assert error.key == name and "given whole" in error.reason


@pytest.mark.parametrize("name", ["CONFIG", "LAB", "AGI_SERVER", "AGI_PBX"])
def test_variables_that_are_for_others_are_left_alone(monkeypatch, name):
    monkeypatch.setenv(f"WHOCALLS_{name}", "anything")
    assert load(None) == Config()


def test_a_wrong_value_in_the_environment_is_not_blamed_on_the_file(monkeypatch, tmp_path):
    file = write(tmp_path, "[agi]\ndeadline = 0.2\n")
    monkeypatch.setenv("WHOCALLS_AGI__DEADLINE", "soon")
    error = refused(file)
    assert (error.file, error.key) == ("environment", "WHOCALLS_AGI__DEADLINE")
    assert error.reason.startswith("agi.deadline: ")


def test_a_wrong_value_in_the_file_is_not_blamed_on_the_environment(monkeypatch, tmp_path):
    file = write(tmp_path, "[agi]\nmax_connections = 0\n")
    monkeypatch.setenv("WHOCALLS_AGI__DEADLINE", "0.5")
    error = refused(file)
    assert (error.file, error.key) == (str(file), "agi.max_connections")


# -- what the service could not start with ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        (
            '[agi]\nlisten = "4573"\n',
            "agi.listen",
            "must begin with one of tcp:, tcp6:, ssl:, unix:, systemd:",
        ),
        ('[agi]\nlisten = "127.0.0.1:4573"\n', "agi.listen", "must begin with one of tcp:"),
        ('[agi]\nlisten = "tcp"\n', "agi.listen", "must begin with one of tcp:"),
        ('[agi]\nlisten = "tcp:"\n', "agi.listen", "needs a port number"),
        ('[agi]\nlisten = "tcp:agi"\n', "agi.listen", "needs a port number"),
        ('[agi]\nlisten = "tcp:65536"\n', "agi.listen", "needs a port number"),
        ('[agi]\nlisten = "tcp6:interface=\\\\:\\\\:1"\n', "agi.listen", "needs a port number"),
        ('[agi]\nlisten = "tcp:4573:interfce=127.0.0.1"\n', "agi.listen", "no argument 'interfce=127.0.0.1'"),
        ('[agi]\nlisten = "tcp:4573:127.0.0.1:50:x"\n', "agi.listen", "no argument 'x'"),
        ('[agi]\nlisten = "tcp:4573:backlog=x"\n', "agi.listen", "backlog must be a number"),
        ('[agi]\nlisten = "unix:/run/a.sock:mode=rw"\n', "agi.listen", "mode must be an octal number"),
        ('[agi]\nlisten = "unix:"\n', "agi.listen", "needs the path"),
        ('[bus]\nurl = "redis://127.0.0.1:redis/0"\n', "bus.url", "is no URL"),
        ('[bus]\nurl = "redis://127.0.0.1:65536"\n', "bus.url", "is no URL"),
        ('[bus]\nurl = "amqp://127.0.0.1"\n', "bus.url", "must be"),
        ('[database]\nurl = "postgresql+psycopg://u:p@h:x/d"\n', "database.url", "its port must be a number"),
        ('[agi.variables]\n"BAD NAME" = "company"\n', "agi.variables", "BAD NAME"),
        ('[agi.variables]\nLOOKUP_STATUS = "company"\n', "agi.variables", "a name of its own"),
        ('[agi.variables]\nCOMPANY = "compny"\n', "agi.variables", "no field 'compny'"),
        ("pbx = []\n", "pbx", "at least 1 item"),
        ('[lines]\n"+1" = "Support"\n', "lines.+1", "no telephone number"),
        ('[lines]\n"" = "Support"\n', "lines.", "no telephone number"),
        (
            '[lines]\n"+74951230001" = "A"\n"8 495 123-00-01" = "B"\n',
            "lines.8 495 123-00-01",
            "the same number",
        ),
    ],
)
def test_what_serve_could_not_use_is_refused_with_its_key(tmp_path, text, key, reason):
    file = write(tmp_path, text)
    error = refused(file)
    assert (error.file, error.key) == (str(file), key)
    assert reason in error.reason


@pytest.mark.parametrize(
    "listen",
    [
        "tcp:4573",
        "tcp:0:interface=127.0.0.1",
        "tcp:4573:127.0.0.1",
        "tcp:port=4573:interface=0.0.0.0:backlog=100",
        "tcp:interface=127.0.0.1:port=4573",
        r"tcp6:4573:interface=\:\:1",
        "unix:/run/whocalls/agi.sock:mode=660",
        "ssl:4573:privateKey=key.pem:certKey=cert.pem",
        "systemd:domain=INET:index=0",
    ],
)
def test_endpoints_that_twisted_has(monkeypatch, listen):
    monkeypatch.setenv("WHOCALLS_AGI__LISTEN", listen)
    assert load(None).agi.listen == listen


@pytest.mark.parametrize(
    "url", ["memory://", "redis://127.0.0.1", "rediss://:p%40ss@[::1]:6380/1", "unix:///run/redis.sock?db=1"]
)
def test_urls_of_the_bus(monkeypatch, url):
    monkeypatch.setenv("WHOCALLS_BUS__URL", url)
    assert load(None).bus.url == url


def test_a_wrong_database_url_does_not_tell_its_password(tmp_path):
    file = write(tmp_path, '[database]\nurl = "mysql+pymysql://u:hush@h:x/d"\n')
    assert "hush" not in str(refused(file))


# -- names of lines ---------------------------------------------------------------------------------------


def test_lines_are_read_as_the_numbers_of_calls_are():
    lines = {"(044) 123-00-01": "Support", "+74951230001": "Moscow", "200": "Reception", "sales": "Sales"}
    read = readable_lines(lines, Numbers("UA", r"^\d{2,4}$"))
    assert read == {
        "+380441230001": "Support",
        "+74951230001": "Moscow",
        "200": "Reception",
        "sales": "Sales",
    }


def test_two_spellings_of_one_line_are_told():
    with pytest.raises(BadInput, match="same number as '0441230001'"):
        readable_lines({"0441230001": "A", "+380441230001": "B"}, Numbers("UA", r"^\d{2,4}$"))


# -- README.md --------------------------------------------------------------------------------------------


def documented():
    """Every key of README's configuration table with its default."""
    table = README.read_text(encoding="utf-8").partition("| key | default |")[2].partition("\n\n")[0]
    section, keys = "", {}
    for row in table.splitlines()[2:]:
        cells = re.split(r"(?<!\\)\|", row)
        names = re.findall(r"`([^`]+)`", cells[1])
        values = [text or None for text in re.findall(r"`([^`]*)`|none", cells[2])]
        if names[0].startswith("[["):
            section = names.pop(0).strip("[]") + "."
        elif "." in names[0] or names[0].startswith("["):
            section = ""
        assert len(names) == len(values), row
        for name, value in zip(names, values, strict=True):
            assert section + name.strip("[]") not in keys, row
            keys[section + name.strip("[]")] = value and tomllib.loads(f"value = {value}")["value"]
    return keys


def configured():
    """Every key of the configuration with its default, as JSON has it."""
    keys = {}
    for name, field in Config.model_fields.items():
        default = field.default[0] if isinstance(field.default, tuple) else field.default
        if isinstance(default, BaseModel):
            keys |= {f"{name}.{key}": value for key, value in default.model_dump(mode="json").items()}
        else:
            keys[name] = default or None
    return keys


def test_readme_has_every_key_with_its_default_and_no_other():
    assert documented() == configured()
