"""The command line as a person uses it: each command in a process of its own."""

import os
import subprocess
import sys

import pytest

from tests.product import Product

pytestmark = pytest.mark.slow


@pytest.fixture
def product(tmp_path):
    return Product(tmp_path, pbx='[[pbx]]\nname = "main"\nusername = "whocalls"\nsecret = "s3cret"\n')


def failing(product, *arguments, code=1, **more):
    done = product.cli(*arguments, check=False, **more)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr


def write(tmp_path, text):
    file = tmp_path / "subscribers.csv"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_import_and_lookup_with_the_reason(product, tmp_path):
    file = write(
        tmp_path, "id,name,phones,deposit\n1,Иванов Иван,8 (916) 123-45-67;+7 495 555-01-01,-12.50\n"
    )
    assert "1 added, 0 updated, 0 rejected" in product.cli("import", file).stdout
    shown = product.cli("lookup", "+7 495 5550101").stdout
    assert "FOUND" in shown and "Иванов Иван" in shown and "-12.50" in shown
    assert "by rule e164" in shown
    assert "UNKNOWN" in product.cli("lookup", "89035550000").stdout
    assert "WITHHELD" in product.cli("lookup", "anonymous").stdout


def test_bad_rows_are_listed_and_good_rows_go_in(product, tmp_path):
    file = write(tmp_path, "name,phones\n,+79161111111\nX,abc\nGood,+79162222222\n")
    done = product.cli("import", file, check=False)
    assert done.returncode == 1
    assert "1 added, 0 updated, 2 rejected" in done.stdout
    assert "line 2: " in done.stdout and "line 3: " in done.stdout
    assert "Good" in product.cli("lookup", "+79162222222").stdout


def test_operators(product):
    add = ("operator", "add", "olena", "--name", "Olena", "--sip-phone", "101", "--sip-phone", "111")
    product.cli(*add, "--password-stdin", input="a good password\n")
    assert "101, 111" in product.cli("operator", "list").stdout
    assert "exists already" in failing(product, *add, "--password-stdin", input="a good password\n")
    assert "password" in failing(product, "operator", "password", "olena", "--password-stdin", input="x\n")
    assert "--password-stdin" in failing(product, "operator", "password", "olena", input="")
    product.cli("operator", "password", "olena", "--password-stdin", input="another password\n")
    product.cli("operator", "remove", "olena")
    assert "olena" not in product.cli("operator", "list").stdout


def test_phones_of_an_operator_change(product):
    add = ("operator", "add", "olena", "--name", "Olena", "--sip-phone", "101")
    product.cli(*add, "--password-stdin", input="a good password\n")
    product.cli("operator", "phones", "olena", "--sip-phone", "102", "--sip-phone", "103")
    listed = product.cli("operator", "list").stdout
    assert "102, 103" in listed and "101" not in listed
    assert "--none" in failing(product, "operator", "phones", "olena")
    assert "--none" in failing(product, "operator", "phones", "olena", "--none", "--sip-phone", "104")
    product.cli("operator", "phones", "olena", "--none")
    assert "102" not in product.cli("operator", "list").stdout
    assert "nobody" in failing(product, "operator", "phones", "nobody", "--sip-phone", "101")


def test_an_operator_is_kept_out_and_let_in_again(product):
    product.cli("operator", "add", "olena", "--name", "O", "--password-stdin", input="a good password\n")
    assert "enable olena" in product.cli("operator", "disable", "olena").stdout
    assert "olena" not in product.cli("operator", "list").stdout
    product.cli("operator", "enable", "olena")
    assert "olena" in product.cli("operator", "list").stdout
    assert "nobody" in failing(product, "operator", "disable", "nobody")


def test_names_are_shown_as_they_are(product, tmp_path):
    name = "x [/] [bold]y :smile:"
    product.cli("operator", "add", "x", "--name", name, "--password-stdin", input="a good password\n")
    assert name in product.cli("operator", "list").stdout
    file = write(tmp_path, f"name,phones,address\n{name},+79161111111,{name}\n")
    assert "1 added" in product.cli("import", file).stdout
    assert product.cli("lookup", "+79161111111").stdout.count(name) >= 2
    assert "[/]" in failing(product, "operator", "remove", "[/]")


def test_a_token_is_printed_once(product):
    secret = product.cli("token", "create", "crm", "--role", "supervisor").stdout.strip()
    assert secret.startswith("wc_")
    listed = product.cli("token", "list").stdout
    assert "crm" in listed and secret not in listed
    product.cli("token", "revoke", "crm")
    assert "crm" in failing(product, "token", "revoke", "crm")


def test_the_dialplan_is_installed_with_this_configuration(product, tmp_path):
    folder = tmp_path / "asterisk"
    folder.mkdir()
    assert "write" in product.cli("dialplan", "install", "--folder", str(folder), "--dry-run").stdout
    assert not list(folder.iterdir())
    said = product.cli("dialplan", "install", "--folder", str(folder)).stdout
    assert said.count("#include ") == 3 and "#include extensions_whocalls.conf" in said
    assert (
        f"WHOCALLS_AGI = 127.0.0.1:{product.agi_port}"
        in (folder / "extensions_whocalls_globals.conf").read_text()
    )
    assert "secret = s3cret" in (folder / "manager_whocalls.conf").read_text()
    assert "[whocalls]" in product.cli("dialplan", "show").stdout
    assert "nowhere" in failing(product, "dialplan", "install", "--folder", str(tmp_path / "nowhere"))


def test_db_upgrade(product):
    assert "up to date" in product.cli("db", "upgrade").stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[agi]\ndedline = 1\n", "agi.dedline: no such key"),
        ("[agi]\ndeadline = 'soon'\n", "agi.deadline: "),
        ("[agi\n", "(syntax): "),
        ('[numbers]\nregion = "Moon"\n', "numbers.region: must be a two-letter country code"),
        ('[numbers]\ninternal = "("\n', "numbers.internal: is not a regular expression"),
        ('[database]\nurl = "oracle://x"\n', "database.url: must begin with"),
        ('[[pbx]]\nname = "a"\n[[pbx]]\nname = "a"\n', "two [[pbx]] have the same name"),
        ('[[pbx]]\nname = "a"\nlookup = "ami"\n', 'lookup = "ami" needs a username'),
        ('[push]\nlisten = "8080"\n', "push.listen: must be HOST:PORT"),
        ('[console]\nsubscriber_url = "javascript:alert(1)"\n', "console.subscriber_url: must begin with"),
    ],
)
def test_a_wrong_configuration_names_file_key_and_reason(product, text, told):
    product.config.write_text(text)
    message = failing(product, "check-config", code=2)
    assert str(product.config) in message
    assert told in message
    assert "Traceback" not in message


@pytest.mark.parametrize("name", ["WHOCALLS_AGI__ALLOW", "WHOCALLS_TIMEOUT"])
def test_a_wrong_variable_is_told(product, monkeypatch, name):
    monkeypatch.setattr(product, "_environment", lambda: {**os.environ, name: "127.0.0.1"})
    message = failing(product, "check-config", code=2)
    assert f"environment: {name}: " in message and "Traceback" not in message


def test_no_such_file_is_told(product):
    product.config.unlink()
    assert "No such file" in failing(product, "serve", code=2)


def test_split_roles_need_a_bus_that_reaches_beyond_the_process(product):
    assert "bus.url" in failing(product, "serve", "--role", "calls", code=2)


def test_a_port_in_use_is_told(product):
    product.start(healthy=False)
    try:
        assert "agi.listen" in failing(product, "serve", code=2)
    finally:
        product.stop()


def test_serve_ends_cleanly_on_sigterm(product):
    product.start(healthy=False)
    assert product.stop() == 0


def test_further_variables_must_be_possible(product):
    product.config.write_text('[agi.variables]\n"BAD NAME" = "company"\n')
    for command in ("serve", "check-config"):
        message = failing(product, command, code=2)
        assert f"{product.config}: agi.variables: BAD NAME" in message


def test_python_m_fastagi_is_the_program():
    done = subprocess.run([sys.executable, "-m", "fastagi", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "serve" in done.stdout
