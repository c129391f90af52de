"""The whole product against a real Asterisk: one `whocalls serve` beside the lab's Asterisk."""

from pathlib import Path

import pytest

from tests.lab.fixtures import lab, lab_for_all_tests, pytest_runtest_makereport
from tests.product import Product

__all__ = ["events", "lab", "lab_for_all_tests", "product", "pytest_runtest_makereport", "serving"]

SUBSCRIBERS = Path(__file__).parent / "subscribers.csv"
OPERATORS = {"101": ("olena", "Olena"), "102": ("ivan", "Ivan"), "103": ("grace", "Grace")}


def pbx_section(lab, *, lookup: str = "agi", ami_port: int | None = None) -> str:
    """The lab's Asterisk in TOML; `ami_port` is another way to its manager interface."""
    username, secret = lab.asterisk.manager_account
    return f"""
[[pbx]]
name = "main"
host = "127.0.0.1"
port = {ami_port or lab.ports.ami}
username = "{username}"
secret = "{secret}"
trunk_contexts = ["from-trunk", "from-trunk-ami"]
lookup = "{lookup}"
[lines]
"+74951230001" = "Support"
"""


def add_dialplan(lab, text: str) -> None:
    """Adds to the dialplan of the lab, once; it stays there for the other tests."""
    file = lab.asterisk.home / "etc" / "extensions.conf"
    if text not in file.read_text():
        file.write_text(file.read_text() + text)
        lab.asterisk.cli("dialplan reload")


def make_product(
    lab,
    folder: Path,
    *,
    lookup: str = "agi",
    ami_port: int | None = None,
    agi_port: int | None = None,
    database: str | None = None,
    bus: str | None = None,
) -> Product:
    """A product with subscribers and operators that serves the lab's Asterisk; not started."""
    section = pbx_section(lab, lookup=lookup, ami_port=ami_port)
    made = Product(folder, pbx=section, agi_port=agi_port or lab.ports.agi, database=database, bus=bus)
    if database is not None:
        made.cli("db", "upgrade")
    made.cli("import", str(SUBSCRIBERS))
    for phone, (login, name) in OPERATORS.items():
        made.cli(
            *("operator", "add", login, "--name", name, "--sip-phone", phone, "--password-stdin"),
            input="a good password\n",
        )
    return made


@pytest.fixture(scope="module")
def serving(lab_for_all_tests, tmp_path_factory):
    """A product that runs for all tests of a file which do not harm it."""
    made = make_product(lab_for_all_tests, tmp_path_factory.mktemp("product"))
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def product(lab, serving):
    """The running product and a lab without calls."""
    return serving


@pytest.fixture
def events(product):
    """Listens to SSE and WebSocket from before the test's first call."""
    with product.listen() as listening:
        yield listening
