"""The rooms import only downwards: DESIGN.md section 5, read from the source by AST."""

import ast
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A module has the level of the longest name here that it is or lies in. 0 to 2 are pure: no I/O, no clock, no
# log, no loop. 3 knows coroutines. 4 touches the world. 5 puts everything together.
LEVELS = {
    "fastagi.errors": 0,
    "fastagi.lines": 0,
    "fastagi.calls": 0,
    "fastagi.changes": 0,
    "fastagi.eager": 0,
    "fastagi.numbers": 1,
    "fastagi.linenames": 1,
    "fastagi.events": 1,
    "fastagi.agi.requests": 1,
    "fastagi.agi.replies": 1,
    "fastagi.agi.commands": 1,
    "fastagi.agi.variables": 1,
    "fastagi.ami.messages": 1,
    "fastagi.ami.authenticity": 1,
    "fastagi.agi": 2,
    "fastagi.ami": 2,
    "fastagi.interfaces": 3,
    "fastagi.lookup": 3,
    "fastagi.pipeline": 3,
    "fastagi.writer": 3,
    "fastagi.unobserved": 3,
    "fastagi.bridge": 4,
    "fastagi.config": 4,
    "fastagi.schema": 4,
    "fastagi.database": 4,
    "fastagi.engines": 4,
    "fastagi.lanes": 4,
    "fastagi.logs": 4,
    "fastagi.accounts": 4,
    "fastagi.passwords": 4,
    "fastagi.recent": 4,
    "fastagi.looplag": 4,
    "fastagi.migrations": 4,
    "fastagi.directory": 4,
    "fastagi.journal": 4,
    "fastagi.bus": 4,
    "fastagi.agi.protocol": 4,
    "fastagi.agi.service": 4,
    "fastagi.agi.transport": 4,
    "fastagi.agi.readiness": 4,
    "fastagi.ami.waiting": 4,
    "fastagi.ami.protocol": 4,
    "fastagi.ami.sign_in": 4,
    "fastagi.ami.hearing": 4,
    "fastagi.ami.keepalive": 4,
    "fastagi.ami.connecting": 4,
    "fastagi.ami.service": 4,
    "fastagi.following": 4,
    "fastagi.periodic": 4,
    "fastagi.agi.script": 5,
    "fastagi.metrics": 5,
    "fastagi.samples": 5,
    "fastagi.simulator": 5,
    "fastagi.demo": 5,
    "fastagi.app": 5,
    "fastagi.parts": 5,
    "fastagi.loop": 5,
    "fastagi.cli": 5,
    "fastagi.__main__": 5,
}
# These only mark a folder and hold nothing.
EMPTY_PACKAGES = {"fastagi", "fastagi.agi", "fastagi.ami"}
LIBRARIES_OF_PURE_ROOMS = {"fastagi.numbers": {"phonenumbers"}, "fastagi.events": {"pydantic"}}
IMPURE = {
    *("asyncio", "concurrent", "ctypes", "http", "importlib", "io", "logging", "multiprocessing", "os"),
    *(
        "pathlib",
        "queue",
        "random",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
    ),
    *("ssl", "subprocess", "sys", "tempfile", "threading", "time"),
}
OPEN_TO_WEBHOOKS = {f"fastagi.{name}" for name in ("calls", "events", "interfaces", "errors", "numbers")}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    module_name(path): path
    for package in ("fastagi", "webhooks", "dialplan")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "versions" not in path.parts  # run by Alembic, imported by nobody
}


def imports(name: str) -> Iterator[str]:
    """Every module that a module of ours imports, anywhere in its text."""
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    package = name if FILES[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join((*above, base)).rstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in FILES else base


def level(name: str) -> int | None:
    known = [room for room in LEVELS if name == room or name.startswith((f"{room}.", f"{room}_"))]
    return LEVELS[max(known, key=len)] if known else None


ROOMS = {name: level(name) for name in FILES if name.startswith("fastagi.") and name not in EMPTY_PACKAGES}


def rooms(*levels: int) -> list[str]:
    return [name for name, its_level in ROOMS.items() if its_level in levels]


@pytest.mark.parametrize("name", ROOMS)
def test_every_room_has_a_level(name: str) -> None:
    assert ROOMS[name] is not None, f"name {name} in LEVELS, as DESIGN.md section 5 has it"


@pytest.mark.parametrize("name", rooms(0, 1, 2, 3, 4, 5))
def test_a_room_imports_only_from_its_level_and_below(name: str) -> None:
    for other in imports(name):
        top = other.partition(".")[0]
        if top == "fastagi" and other not in EMPTY_PACKAGES:
            assert level(other) in range(ROOMS[name] + 1), f"{name} (level {ROOMS[name]}) imports {other}"
        assert top not in ("webhooks", "dialplan") or ROOMS[name] == 5, f"{name} imports {other}"


@pytest.mark.parametrize("name", rooms(0, 1, 2))
def test_a_pure_room_does_no_io_and_needs_no_library(name: str) -> None:
    allowed = {"fastagi", *LIBRARIES_OF_PURE_ROOMS.get(name, ())}
    for other in imports(name):
        top = other.partition(".")[0]
        assert top in allowed or (top in sys.stdlib_module_names and top not in IMPURE), f"{name}: {other}"


@pytest.mark.parametrize("name", rooms(0, 1, 2, 3, 4))
def test_deferreds_meet_asyncio_only_in_the_bridge(name: str) -> None:
    tops = {other.partition(".")[0] for other in imports(name)}
    assert name == "fastagi.bridge" or not {"twisted", "asyncio"} <= tops
    assert ROOMS[name] == 4 or "twisted" not in tops


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("webhooks")])
def test_the_push_side_knows_only_the_contracts(name: str) -> None:
    for other in imports(name):
        assert other.partition(".")[0] != "fastagi" or other in OPEN_TO_WEBHOOKS, f"{name} imports {other}"


def test_empty_packages_are_empty() -> None:
    for name in EMPTY_PACKAGES:
        tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
        assert all(isinstance(node, ast.Expr | ast.Assign) for node in tree.body), name


def test_no_import_goes_in_a_circle() -> None:
    # A package may gather its own modules; that they lie in it is no import.
    graph = {
        name: {other for other in imports(name) if other in FILES and not f"{name}.".startswith(f"{other}.")}
        for name in FILES
    }
    for name in EMPTY_PACKAGES:
        graph[name] = set()
    graphlib.TopologicalSorter(graph).prepare()
