"""Putting the files into Asterisk's folder: nothing of the administrator's is lost."""

import os
from pathlib import Path

import pytest

from dialplan import GLOBALS, MANAGER, SUBROUTINE, Settings, advice, files, install, render
from dialplan.installation import Action
from fastagi.errors import BadInput

SETTINGS = Settings(secret="first-secret", pbx="kyiv")


def actions(folder: Path, settings: Settings = SETTINGS, **options: bool) -> dict[str, Action]:
    return {step.path.name: step.action for step in install(folder, settings, **options).steps}


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_an_empty_folder_gets_all_three(tmp_path: Path) -> None:
    assert actions(tmp_path) == dict.fromkeys(files(), Action.WRITE)
    assert content(tmp_path) == {name: render(name, SETTINGS) for name in files()}


def test_the_secret_is_not_for_everybody(tmp_path: Path) -> None:
    install(tmp_path, SETTINGS)
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {0o640}


def test_asterisk_can_read_what_root_installs(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(tmp_path, 4711, 4712)
    install(tmp_path, SETTINGS)
    owner = tmp_path.stat()
    assert {(path.stat().st_uid, path.stat().st_gid) for path in tmp_path.iterdir()} == {
        (owner.st_uid, owner.st_gid)
    }


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    install(tmp_path, SETTINGS)
    before = content(tmp_path)
    assert actions(tmp_path) == dict.fromkeys(files(), Action.KEEP)
    assert content(tmp_path) == before


def test_the_administrators_globals_stay(tmp_path: Path) -> None:
    (tmp_path / GLOBALS).write_text("WHOCALLS_AGI = 192.0.2.9:4573\n")
    assert actions(tmp_path)[GLOBALS] is Action.KEEP
    assert (tmp_path / GLOBALS).read_text() == "WHOCALLS_AGI = 192.0.2.9:4573\n"


def test_what_is_replaced_is_kept_beside(tmp_path: Path) -> None:
    (tmp_path / SUBROUTINE).write_text("; mine\n")
    done = install(tmp_path, SETTINGS)
    assert done.steps[0].action is Action.REPLACE
    assert done.steps[0].backup == tmp_path / f"{SUBROUTINE}.bak"
    assert (tmp_path / f"{SUBROUTINE}.bak").read_text() == "; mine\n"
    assert f"{SUBROUTINE}.bak" in str(done.steps[0])
    (tmp_path / SUBROUTINE).write_text("; mine again\n")
    install(tmp_path, SETTINGS)
    assert (tmp_path / f"{SUBROUTINE}.bak").read_text() == "; mine\n"
    assert (tmp_path / f"{SUBROUTINE}.bak1").read_text() == "; mine again\n"


def test_bytes_that_are_no_utf8_survive_in_the_copy(tmp_path: Path) -> None:
    (tmp_path / SUBROUTINE).write_bytes(b"; \xcf\xf0\n")
    install(tmp_path, SETTINGS)
    assert (tmp_path / f"{SUBROUTINE}.bak").read_bytes() == b"; \xcf\xf0\n"


def test_a_secret_that_is_there_goes_on(tmp_path: Path) -> None:
    install(tmp_path, SETTINGS)
    done = install(tmp_path, Settings(secret="second-secret", username="crm"))
    assert done.settings.secret == "first-secret"
    assert "\n[crm]\nsecret = first-secret\n" in (tmp_path / MANAGER).read_text()
    done = install(tmp_path, Settings(secret="second-secret"), keep_secret=False)
    assert done.settings.secret == "second-secret"
    assert "secret = second-secret\n" in (tmp_path / MANAGER).read_text()


def test_the_published_secret_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / MANAGER).write_text(render(MANAGER))
    assert install(tmp_path, SETTINGS).settings.secret == "first-secret"


def test_a_dry_run_only_says(tmp_path: Path) -> None:
    (tmp_path / SUBROUTINE).write_text("; mine\n")
    assert actions(tmp_path, dry_run=True) == {
        SUBROUTINE: Action.REPLACE,
        GLOBALS: Action.WRITE,
        MANAGER: Action.WRITE,
    }
    assert content(tmp_path) == {SUBROUTINE: "; mine\n"}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        install(tmp_path / "asterisk", SETTINGS)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / f"{SUBROUTINE}.new").mkdir()  # stands in the way even of root
    (tmp_path / f"{SUBROUTINE}.new" / "x").touch()
    with pytest.raises(BadInput, match="run it as root") as caught:
        install(tmp_path, SETTINGS)
    assert str(tmp_path) in str(caught.value)
    assert not (tmp_path / SUBROUTINE).exists()


def test_advice_for_plain_asterisk(tmp_path: Path) -> None:
    text = advice(tmp_path)
    for name in files():
        assert f"#include {name}" in text
    assert "extensions.conf, below [globals]" in text
    assert "Gosub(whocalls,s,1)" in text
    assert "dialplan reload" in text
    assert "manager reload" in text


def test_advice_for_freepbx(tmp_path: Path) -> None:
    (tmp_path / "extensions_additional.conf").touch()
    text = advice(tmp_path)
    assert "globals_custom.conf" in text
    assert "extensions_custom.conf" in text
    assert "manager_custom.conf" in text
    assert "extensions_freepbx.conf" in text


def test_advice_leaves_out_what_is_done(tmp_path: Path) -> None:
    (tmp_path / "extensions.conf").write_text(
        f'[globals]\n#include {GLOBALS}\n; #include {SUBROUTINE}\n#tryinclude "{SUBROUTINE}" ; ours\n'
    )
    text = advice(tmp_path)
    assert f"#include {GLOBALS}" not in text
    assert f"#include {SUBROUTINE}" not in text
    assert f"#include {MANAGER}" in text
    (tmp_path / "manager.conf").write_text(f"#include <{MANAGER}>\n")
    assert "included already" in advice(tmp_path)
