"""An empty database for each test; the migrations run once for all."""

import shutil
from pathlib import Path

import pytest

from fastagi.database import upgrade


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("empty") / "whocalls.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def file(empty_database: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(empty_database, tmp_path / "whocalls.db"))
