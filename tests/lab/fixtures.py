"""pytest fixtures: one Asterisk for the whole run, everything else fresh for each test.

A test folder uses them with ``from tests.lab.fixtures import *`` in its ``conftest.py``.
"""

from collections.abc import Iterator

import pytest

from .asterisk import LabMissing
from .lab import Lab

__all__ = ["lab", "lab_for_all_tests", "pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def lab_for_all_tests() -> Iterator[Lab]:
    """Asterisk, started once. Its absence fails the test: a lab that is skipped proves nothing."""
    made = Lab()
    try:
        made.start()
    except LabMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    yield made
    made.stop()


@pytest.fixture
def lab(lab_for_all_tests: Lab) -> Iterator[Lab]:
    """The lab without any call in it; whatever a test leaves behind is hung up after it."""
    lab_for_all_tests.reset()
    yield lab_for_all_tests
    lab_for_all_tests.unplug()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows what the phones did and the end of Asterisk's log."""
    outcome = yield
    report = outcome.get_result()
    used = getattr(item, "funcargs", {}).get("lab")
    if report.failed and isinstance(used, Lab):
        report.sections.append(("what the phones did", used.report()))
        report.sections.append(("Asterisk", used.asterisk.log_tail()))
