"""Importing subscribers: good rows go in, bad ones are listed, and importing again updates."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fastagi.database import Database
from fastagi.directory import importer
from fastagi.directory.csvrow import COLUMNS
from fastagi.directory.importer import ImportReport, import_csv
from fastagi.directory.own import OwnDirectory
from fastagi.errors import BadInput, DatabaseUnavailable
from fastagi.numbers import Numbers

NUMBERS = Numbers("RU", r"^\d{2,4}$")
ALL = ",".join(COLUMNS)


@pytest.fixture
def load(file: Path, tmp_path: Path) -> Callable[..., ImportReport]:
    def load(text: str, **options) -> ImportReport:
        source = tmp_path / "subscribers.csv"
        source.write_text(text, encoding="utf-8")
        return import_csv(source, f"sqlite:///{file}", NUMBERS, **options)

    return load


@pytest.fixture
def query(file: Path) -> Callable[..., list]:
    def query(sql: str, *values) -> list:
        with closing(sqlite3.connect(file)) as database:
            return database.execute(sql, values).fetchall()

    return query


# -- good rows --------------------------------------------------------------------------------------------


def test_all_columns(load, query) -> None:
    report = load(
        f"{ALL}\n"
        '4711, ivanov ,Иванов Иван,"ООО ""Ромашка""",8 (916) 123-45-67; +380 67 123 45 67,"-12,5",'
        '"Москва,\nСадовая 1",Home 100,Internet,enabled,ru,101,https://billing.example/4711\n'
    )
    assert report == ImportReport(read=1, added=1, updated=0, rejected=(), rejected_total=0)
    assert query("SELECT * FROM subscribers") == [
        (
            "4711",
            "ivanov",
            "Иванов Иван",
            'ООО "Ромашка"',
            "-12.50",
            "Москва, Садовая 1",
            "ru",
            "101",
            "https://billing.example/4711",
        )
    ]
    assert query("SELECT * FROM phones ORDER BY e164") == [
        ("+380671234567", "4711", "+380 67 123 45 67"),
        ("+79161234567", "4711", "8 (916) 123-45-67"),
    ]
    assert query("SELECT s.*, t.name FROM services s JOIN tariffs t ON t.id = s.tariff_id") == [
        ("4711", 0, "Internet", 1, "enabled", "Home 100")
    ]


def test_what_was_imported_is_found(load, file) -> None:
    load("phones,name,tariff\n89161234567,Иванов,Home\n89161234568;89161234567,Петров,Home\n")

    async def find(raw: str) -> list[tuple[str, str | None]]:
        database = Database(f"sqlite:///{file}")
        database.open()
        try:
            found = await OwnDirectory(database, "own", subscriber_url=None, currency=None).find(
                NUMBERS.parse(raw)
            )
            return sorted((one.name, one.tariff) for one in found.subscribers)
        finally:
            await database.close()

    assert asyncio.run(find("+79161234567")) == [("Иванов", "Home"), ("Петров", "Home")]
    assert asyncio.run(find("+79161234568")) == [("Петров", "Home")]


def test_only_name_and_phones_are_required_in_any_order_and_case(load, query) -> None:
    report = load("\ufeffPhones , NAME\n89161234567,Иванов\n")
    assert (report.added, report.rejected) == (1, ())
    assert query("SELECT name, login, deposit FROM subscribers") == [("Иванов", None, None)]
    assert query("SELECT count(*) FROM services") == [(0,)]


def test_a_row_without_id_takes_its_login(load, query) -> None:
    load("login,name,phones\nivanov,Иванов,89161234567\n")
    assert query("SELECT id FROM subscribers") == [("ivanov",)]


def test_a_row_without_id_and_login_is_the_same_subscriber_again(load, query) -> None:
    row = "name,phones\nИванов,89161234567;89161234568\n"
    assert load(row).added == 1
    assert load("name,phones\nиванов, +79161234568 ; +79161234567\n").updated == 1
    assert load("name,phones\nИванов,89161234569\n").added == 1
    assert load(f"login,name,phones\n{'x' * 65},Иванов,89161234567;89161234568\n").added == 1
    ids = [id for (id,) in query("SELECT id FROM subscribers")]
    assert len(ids) == 3
    assert all(id.startswith("csv-") and len(id) == 28 for id in ids)


def test_importing_again_updates_and_replaces_the_phones(load, query) -> None:
    load(
        f"{ALL}\n1,ivanov,Иванов,,89161234567;89161234568,1,Тверь,Home,Internet,enabled,ru,101,/1\n2,,B,,89161234569,,,,,,,,\n"
    )
    report = load(
        f"{ALL}\n3,,C,,89161234569,,,,,,,,\n1,,Петров,,+79161234568;+79161234570,-5,,Pro,Internet,disabled,,,\n"
    )
    assert (report.read, report.added, report.updated) == (2, 1, 1)
    assert query("SELECT id, login, name, deposit, address, operator, url FROM subscribers ORDER BY id") == [
        ("1", None, "Петров", "-5.00", None, None, None),
        ("2", None, "B", None, None, None, None),
        ("3", None, "C", None, None, None, None),
    ]
    assert query("SELECT e164, subscriber_id FROM phones ORDER BY 1, 2") == [
        ("+79161234568", "1"),
        ("+79161234569", "2"),
        ("+79161234569", "3"),
        ("+79161234570", "1"),
    ]
    assert query("SELECT subscriber_id, name, status, tariff_id FROM services") == [
        ("1", "Internet", "disabled", 2)
    ]
    assert query("SELECT name FROM tariffs ORDER BY id") == [("Home",), ("Pro",)]


def test_columns_that_the_file_does_not_have_stay(load, query, file) -> None:
    load(f"{ALL}\n1,ivanov,Иванов,,89161234567,1,Тверь,Home,Internet,enabled,ru,101,/1\n")
    with closing(sqlite3.connect(file)) as database:
        database.execute("INSERT INTO services (subscriber_id, position, name) VALUES ('1', 1, 'TV')")
        database.commit()
    load("id,name,phones,deposit\n1,Иванов И.,89161234567,\n")
    assert query("SELECT login, name, deposit, address, language, operator, url FROM subscribers") == [
        ("ivanov", "Иванов И.", None, "Тверь", "ru", "101", "/1")
    ]
    assert query("SELECT position, name FROM services ORDER BY 1") == [(0, "Internet"), (1, "TV")]
    load("id,name,phones,service\n1,Иванов И.,89161234567,\n")
    assert query("SELECT position, name FROM services") == [(1, "TV")]


def test_more_rows_than_a_batch_and_progress(load, query) -> None:
    seen: list[tuple[int, int]] = []
    rows = "".join(f"{i},A{i},+7916{i:07d},Home {i % 1200}\n" for i in range(2500))
    text = "id,name,phones,tariff\n" + rows
    report = load(text, batch=1000, progress=lambda done, total: seen.append((done, total)))
    assert (report.read, report.added) == (2500, 2500)
    assert query("SELECT count(*) FROM phones") == [(2500,)]
    assert query("SELECT count(DISTINCT tariff_id) FROM services") == [(1200,)]
    assert [total for _, total in seen] == [len(text)] * 4
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[0][0] < len(text) / 2 and seen[-1][0] == len(text)


def test_control_characters_become_blanks(load, query) -> None:
    load('name,phones,address\n"Ива\x00нов\x1b[31m",89161234567,"a\r\nb\tc"\n')
    assert query("SELECT name, address FROM subscribers") == [("Ива нов [31m", "a b c")]


# -- bad rows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",89161234567,,,", "name: is empty"),
        (" \t,89161234567,,,", "name: is empty"),
        ("Ivan,,,,", "phones: is empty"),
        ("Ivan,101; 2-34-56,,,", 'phones: no full telephone number in "101; 2-34-56"'),
        ("Ivan,anonymous,,,", 'phones: no full telephone number in "anonymous"'),
        ("Ivan," + ";".join(["89161234567"] * 51) + ",,,", "phones: 51 are more than 50"),
        ("Ivan,89161234567,much,,", 'deposit: "much" is no amount; write it like -12.50'),
        ("Ivan,89161234567,,javascript:alert(1),", "url: must begin with https://, http:// or /"),
        (f"{'x' * 251},89161234567,,,", "name: 251 characters are more than 250"),
        (f"Ivan,89161234567,,,{'9' * 65}", "id: 65 characters are more than 64"),
        ("Ivan,89161234567,,", "row: has 4 fields, the header has 5"),
        ("Ivan,89161234567,,,,", "row: has 6 fields, the header has 5"),
        ("Ivan,89161234567,,,1", 'id: "1" was on line 2 already'),
        ('"Ivan"x,89161234567,,,', "its quotes are wrong: ',' expected after '\"'"),
    ],
)
def test_a_bad_row_is_listed_and_the_others_go_in(load, query, row: str, reason: str) -> None:
    report = load(f"name,phones,deposit,url,id\nA,89160000001,,,1\n{row}\nB,89160000002,,,2\n")
    assert (report.read, report.added, report.rejected_total) == (3, 2, 1)
    assert report.rejected == ((3, reason),)
    assert query("SELECT id FROM subscribers ORDER BY id") == [("1",), ("2",)]


def test_an_id_that_comes_twice_is_found_over_batches(load, query) -> None:
    rows = "".join(f"{i},A{i},+7916{i:07d}\n" for i in range(50))
    report = load("id,name,phones\n" + rows + "7,Again,89161234567\n", batch=10)
    assert report.rejected == ((52, 'id: "7" was on line 9 already'),)
    assert query("SELECT name FROM subscribers WHERE id = '7'") == [("A7",)]


def test_a_phone_that_is_none_is_left_out_with_a_remark(load, query) -> None:
    report = load("id,name,phones\n1,A,89161234567; 101 ;2-34-56;;+79161234567\n2,B,89161234568\n")
    assert (report.added, report.rejected_total, report.remarks_total) == (2, 0, 1)
    assert report.remarks == ((2, "phones: left out 101; 2-34-56"),)
    assert query("SELECT e164, raw FROM phones WHERE subscriber_id = '1'") == [
        ("+79161234567", "89161234567")
    ]


def test_a_long_phone_is_kept_as_far_as_it_goes(load, query) -> None:
    load(f"name,phones\nA,89161234567 {'мама ' * 40}\n")
    assert query("SELECT length(raw) FROM phones") == [(120,)]


def test_the_report_is_bounded(load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "LISTED", 5)
    report = load("name,phones\n" + "A,\n" * 20 + "B,89161234567;1\n" * 1)
    assert (report.read, report.rejected_total, len(report.rejected)) == (21, 20, 5)


# -- files and databases that cannot be used ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"subscribers\.csv: is empty; its first line must name the columns"),
        ("name,phone\n", r'csv, line 1: header: unknown column "phone"; columns are id, login, name'),
        ("\n\nname,phones,\n", r'csv, line 3: header: unknown column ""'),
        ("name\n", r'csv, line 1: header: column "phones" is missing'),
        ("phones,id\n", r'csv, line 1: header: column "name" is missing'),
        ("name,phones,Name\n", r'csv, line 1: header: column "name" is there twice'),
        (
            "name;phones\n",
            r"csv, line 1: header: columns are parted by semicolons; save the file with commas",
        ),
        ('name,"phones\n', r"csv, line 1: header: a quote is never closed"),
    ],
)
def test_a_header_that_is_wrong_stops_the_import(load, query, text: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        load(text)
    assert query("SELECT count(*) FROM subscribers") == [(0,)]


def test_a_file_that_is_not_utf8_changes_nothing(file, tmp_path, query) -> None:
    source = tmp_path / "cp1251.csv"
    source.write_bytes(b"name,phones\nIvan,89161234567\n" + "Иванов,89161234568\n".encode("cp1251"))
    with pytest.raises(
        BadInput, match=r"cp1251\.csv, line 3: byte 0xC8 is not UTF-8; save the file as UTF-8"
    ):
        import_csv(source, f"sqlite:///{file}", NUMBERS)
    assert query("SELECT count(*) FROM subscribers") == [(0,)]


def test_a_file_that_is_not_there_or_cannot_be_read(file, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(BadInput, match="there is no such file"):
            import_csv(missing, f"sqlite:///{file}", NUMBERS)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(importer, "check_utf8", refuse)
    with pytest.raises(BadInput, match="Permission denied"):
        import_csv(file, f"sqlite:///{file}", NUMBERS)


def test_a_database_without_tables_is_told(tmp_path, load, file) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("DROP TABLE phones")
    with pytest.raises(DatabaseUnavailable, match="the import stopped before line 2: no such table: phones"):
        load("name,phones\nIvan,89161234567\n")


def test_what_went_in_before_an_error_stays_in(load, query, monkeypatch: pytest.MonkeyPatch, file) -> None:
    rows = "".join(f"{i},A{i},+7916{i:07d}\n" for i in range(30))

    def lose_a_table(done: int, total: int) -> None:
        with closing(sqlite3.connect(file)) as database:
            database.execute("ALTER TABLE phones RENAME TO lost")

    with pytest.raises(DatabaseUnavailable, match="the import stopped before line 12"):
        load("id,name,phones\n" + rows, batch=10, progress=lose_a_table)
    assert query("SELECT count(*) FROM subscribers") == [(10,)]
