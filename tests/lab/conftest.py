"""The fixtures of the lab for the tests in this folder."""

from tests.lab.fixtures import lab, lab_for_all_tests, pytest_runtest_makereport

__all__ = ["lab", "lab_for_all_tests", "pytest_runtest_makereport"]
