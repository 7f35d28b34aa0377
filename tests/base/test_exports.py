"""A list as a workbook and as CSV: what it shows, exactly, by role, and text stays text."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from flask import Flask
from sqlalchemy import select

from lims.accounts.roles import ADMINISTRATOR, AUDITOR, ROLES
from lims.base import exports
from lims.base.database import transaction
from lims.base.exports import (
    FORMULA_BEGINS,
    ListQuery,
    Table,
    csv_chunks,
    rows_of,
    sheet_name,
    table_of,
    write_workbook,
)
from lims.base.jobs import run_waiting
from lims.base.security import User
from lims.base.services import SERVICES
from lims.base.views import VIEWS
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_customer

EVIL = ("=1+1", "+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x")', "＝1+1")


def sheets(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))


def csv_rows(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_workbook_and_csv_hold_what_the_list_shows_in_its_order(app: Flask, sales: Person) -> None:
    with app.app_context():
        a_customer("K-1", name="Riverside", status="prospect")
        a_customer("K-2", name="江北混凝土搅拌站", status="trial")
        a_customer("K-3", name="Hillside", status="prospect")
    address = "/customers/export?status=prospect&order=-code"
    rows = csv_rows(sales.get(address + "&format=csv").get_data())
    assert [row[0] for row in rows] == ["Code", "K-3", "K-1"]
    book = sheets(sales.get(address + "&format=xlsx").get_data())
    sheet = book.worksheets[0]
    assert [cell.value for cell in sheet["A"]] == ["Code", "K-3", "K-1"]
    about = {row[0].value: row[1].value for row in book["About"]}
    assert about["Stage"] == "Prospect"
    assert about["Entries"] == "2"
    assert "Asia/Shanghai" in about["Exported at"]


def test_chosen_columns_and_nothing_else_go_out(app: Flask, sales: Person) -> None:
    with app.app_context():
        a_customer("K-1", contact_name="Ma Jun", phone="13800000000")
    sales.post("/preferences/columns", {"list": "customers", "columns": ["code", "changed_at"]})
    answer = sales.get("/customers/export?format=csv")
    rows = csv_rows(answer.get_data())
    assert rows[0] == ["Code", "Changed (Asia/Shanghai)"]
    assert "13800000000" not in answer.get_data(as_text=True)


def test_column_that_a_role_does_not_see_does_not_go_out(
    app: Flask, sales: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        a_customer("K-1", name="Riverside")
    sales.post("/preferences/columns", {"list": "customers", "columns": ["code", "status"]})
    monkeypatch.setattr(type(VIEWS["customers"]), "known_columns", lambda _view: ["code", "kind"])
    assert csv_rows(sales.get("/customers/export?format=csv").get_data())[0] == ["Code"]


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_who_may_not_read_the_list_gets_no_file(sales: Person, app: Flask, kind: str) -> None:
    for record in ("breaks", "set-results", "checkpoints"):
        assert sales.get(f"/{record}/export?format={kind}").status_code == 403
    assert app.test_client().get(f"/customers/export?format={kind}").status_code == 302


def test_every_list_can_be_exported_by_who_reads_it(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    with app.app_context():
        a_batch()
    # Who is refused a list or its export stands in tests/attacks/role_matrix.tsv, for every role.
    for role, kind in ((ADMINISTRATOR, "xlsx"), (AUDITOR, "csv")):
        person = sign_in_as(role)
        for record in VIEWS:
            wanted = 200 if ("can_read", record) in ROLES[role] else 403
            assert person.get(f"/{record}/").status_code == wanted, (role, record)
            assert person.get(f"/{record}/export?format={kind}").status_code == wanted, (role, record)


def test_format_order_and_filter_that_do_not_exist_are_refused_with_what_is_accepted(sales: Person) -> None:
    for query, word in (
        ("format=pdf", "xlsx, csv"),
        ("", "xlsx, csv"),
        ("format=csv&order=password", "accepted"),
        ("format=csv&password=1", "accepted"),
    ):
        answer = sales.get(f"/customers/export?{query}")
        assert answer.status_code == 400, query
        assert word in answer.get_data(as_text=True)


def test_text_never_becomes_a_formula(app: Flask, sales: Person) -> None:
    with app.app_context():
        for number, text in enumerate(EVIL):
            a_customer(f"K-{number}", name=text, contact_name=text)
    book = sheets(sales.get("/customers/export?format=xlsx").get_data())
    cells = [cell for row in book.worksheets[0].iter_rows() for cell in row if cell.value in EVIL]
    assert {cell.value for cell in cells} == set(EVIL)
    assert all(cell.data_type == "s" and cell.quotePrefix for cell in cells)
    values = [
        value for row in csv_rows(sales.get("/customers/export?format=csv").get_data()) for value in row
    ]
    assert {"'" + text for text in EVIL} <= set(values)
    assert not [value for value in values if value.startswith(FORMULA_BEGINS)]


def test_formula_in_every_text_field_of_every_record_stays_text(app: Flask) -> None:
    """Whatever the columns: the writers judge the value, so a table of all beginnings stands for all fields."""
    rows = [[begin + "1" for begin in FORMULA_BEGINS]]
    target = io.BytesIO()
    with app.app_context():
        write_workbook(
            target, Table("=evil", ["=head"] * len(FORMULA_BEGINS), rows, 1, [("=what", "=value")])
        )
    for sheet in sheets(target.getvalue()):
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    heads, first = csv_rows(b"".join(csv_chunks(Table("t", ["=head"], rows))))
    assert heads == ["'=head"]
    assert all(value.startswith("'") for value in first)


def test_numbers_are_numbers_with_their_digits_and_times_are_local(app: Flask, sign_in_as: Any) -> None:
    with app.app_context():
        batch = a_batch("48.25", cast_at=datetime(2026, 3, 1, 16, 30, tzinfo=UTC).isoformat())
        assert batch.volume_m3 == Decimal("48.25")
    person = sign_in_as(AUDITOR)
    person.post("/preferences/columns", {"list": "batches", "columns": ["code", "cast_at", "volume_m3"]})
    sheet = sheets(person.get("/batches/export?format=xlsx").get_data()).worksheets[0]
    heads = [cell.value for cell in sheet[1]]
    row = dict(zip(heads, [cell.value for cell in sheet[2]], strict=True))
    assert row["Cast at (Asia/Shanghai)"] == datetime(2026, 3, 2, 0, 30)  # noqa: DTZ001 - a workbook knows no zones
    found = dict(zip(*csv_rows(person.get("/batches/export?format=csv").get_data()), strict=True))
    assert found["Cast at (Asia/Shanghai)"] == "2026-03-02 00:30:00"


def test_exact_decimals_survive_the_workbook(app: Flask) -> None:
    values = [
        Decimal("0.1"),
        Decimal("28.175"),
        Decimal("99999999999.9999"),
        Decimal("-3.5"),
        Decimal("0.0001"),
    ]
    target = io.BytesIO()
    with app.app_context():
        write_workbook(target, Table("t", ["n"], [[value] for value in values]))
    read = [row[0].value for row in sheets(target.getvalue()).worksheets[0].iter_rows(min_row=2)]
    assert [Decimal(repr(value)) for value in read] == values


def test_chinese_names_of_relations_choices_and_flags_are_words(app: Flask, administrator: Person) -> None:
    with app.app_context():
        region = SERVICES["regions"].add({"code": "R-1", "name": "西南"}, ACTOR)
        a_customer("K-1", region_id=region.id, status="trial")
    rows = csv_rows(administrator.get("/customers/export?format=csv").get_data())
    row = dict(zip(*rows, strict=True))
    assert row["Region"] == "西南"
    assert row["Stage"] == "On trial"


def test_long_list_is_made_by_a_job_and_downloaded(
    app: Flask, sales: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lims.base.views

    monkeypatch.setattr(lims.base.views, "MOST_ROWS_AT_ONCE", 2)
    with app.app_context():
        for number in range(4):
            a_customer(f"K-{number}")
    answer = sales.get("/customers/export?format=csv&order=code")
    assert answer.status_code == 302
    assert "/jobs/" in answer.location
    assert run_waiting(app) == ["done"]
    page = sales.get(answer.location).get_data(as_text=True)
    assert "/file" in page
    got = sales.get(answer.location.rstrip("/") + "/file")
    assert [row[0] for row in csv_rows(got.get_data())] == ["Code", "K-0", "K-1", "K-2", "K-3"]


def test_job_of_someone_who_lost_the_right_meanwhile_makes_no_file(
    app: Flask, sales: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lims.base.views

    monkeypatch.setattr(lims.base.views, "MOST_ROWS_AT_ONCE", 0)
    with app.app_context():
        a_customer("K-1")
    assert sales.get("/customers/export?format=csv").status_code == 302
    with app.app_context(), transaction(ACTOR) as session:
        found = session.scalars(select(User).where(User.username == sales.username)).one()
        found.roles = []
    assert run_waiting(app) == ["failed"]


def test_job_of_a_closed_account_makes_no_file(
    app: Flask, sales: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lims.base.views

    monkeypatch.setattr(lims.base.views, "MOST_ROWS_AT_ONCE", 0)
    assert sales.get("/regions/export?format=csv").status_code == 200  # nothing to write yet
    with app.app_context():
        a_customer("K-1")
    assert sales.get("/customers/export?format=csv").status_code == 302
    with app.app_context(), transaction(ACTOR) as session:
        session.scalars(select(User).where(User.username == sales.username)).one().active = False
    assert run_waiting(app) == ["failed"]


def test_job_writes_only_the_rows_that_its_person_sees(
    app: Flask, sales: Person, sign_in_as: Callable[[str], Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    import lims.base.views

    with app.app_context():
        a_customer("K-1")
    monkeypatch.setattr(lims.base.views, "MOST_ROWS_AT_ONCE", 0)
    # A job of another person, then the list of jobs: sales sees its own alone.
    assert sign_in_as(AUDITOR).get("/customers/export?format=csv").status_code == 302
    assert sales.get("/customers/export?format=csv").status_code == 302
    place = sales.get("/jobs/export?format=csv").location
    assert run_waiting(app) == ["done"] * 3
    rows = csv_rows(sales.get(place + "/file").get_data())
    assert len(rows) - 1 == 2  # the export of customers and this one


def test_rows_are_read_in_chunks_with_the_number_of_statements_that_a_chunk_needs(
    app: Flask, count_sql: Callable[[], Any]
) -> None:
    with app.app_context():
        for number in range(30):
            a_customer(f"K-{number}")
        view = VIEWS["customers"]
        with count_sql() as seen:
            rows = list(rows_of(view, list(view.list_columns), ListQuery()))
        assert len(rows) == 30
        # The laboratory's clock is read at most once in five seconds, whoever asks first.
        assert len([one for one in seen if "FROM laboratory" not in one]) <= 2, seen


def test_a_list_with_columns_that_python_makes_is_exported_too(app: Flask) -> None:
    with app.app_context():
        a_batch()
        view = VIEWS["mix-designs"]
        table = table_of(view, ["code", "water_binder_ratio"], ListQuery(), 1)
        assert list(table.rows) == [["C30-1", Decimal("0.500")]]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Breaks", "Breaks"),
        ("a/b:c*[d]?", "a b c  d"),
        ("'quoted'", "quoted"),
        ("", "1"),
        ("x" * 40, "x" * 31),
    ],
)
def test_sheet_names_are_ones_that_excel_takes(title: str, name: str) -> None:
    assert sheet_name(title) == name


def test_more_rows_than_a_sheet_holds_go_on_to_the_next(
    app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(exports, "MOST_SHEET_ROWS", 4)
    with app.app_context():
        write_workbook(tmp_path / "t.xlsx", Table("t", ["n"], [[number] for number in range(7)]))
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    assert [[row[0].value for row in sheet.iter_rows(min_row=2)] for sheet in book] == [
        [0, 1, 2],
        [3, 4, 5],
        [6],
    ]


def test_text_longer_than_a_cell_is_cut_where_it_shows(app: Flask) -> None:
    target = io.BytesIO()
    with app.app_context():
        write_workbook(target, Table("t", ["n"], [["x" * 40_000]]))
    value = sheets(target.getvalue()).worksheets[0]["A2"].value
    assert len(value) == exports.MOST_CELL_CHARACTERS
    assert value.endswith("…")


def test_export_links_keep_filters_and_order(app: Flask, sales: Person) -> None:
    with app.app_context():
        a_customer("K-1", status="prospect")
    page = sales.get("/customers/?status=prospect&order=-code&page=1").get_data(as_text=True)
    assert "/customers/export?status=prospect&amp;order=-code&amp;format=xlsx" in page
    assert "/customers/export?status=prospect&amp;order=-code&amp;format=csv" in page


def test_several_words_of_a_choice_go_out_as_words(app: Flask, administrator: Person) -> None:
    card = {
        "code": "A-1",
        "name": "Setting",
        "language": "en",
        "body": "Less water.",
        "categories": "slow_setting,low_strength",
    }
    with app.app_context():
        SERVICES["advice-cards"].add(card, ACTOR)
    rows = csv_rows(administrator.get("/advice-cards/export?format=csv").get_data())
    row = next(dict(zip(rows[0], row, strict=True)) for row in rows if row[0] == "A-1")
    assert row["Comes up at complaints about"] == "Slow setting, Low strength"


def test_people_go_out_and_stand_in_lists_by_their_names(
    app: Flask, administrator: Person, count_sql: Callable[[], Any]
) -> None:
    for number in range(3):
        answer = administrator.post("/customers/add", {"code": f"K-{number}", "name": "One", "kind": "mine"})
        assert answer.status_code == 302
    columns = ["created_at", "customer", "created_by"]
    administrator.post("/preferences/columns", {"list": "stage-changes", "columns": columns})
    rows = csv_rows(administrator.get("/stage-changes/export?format=csv").get_data())
    place = rows[0].index("Entered by")
    assert [row[place] for row in rows[1:]] == ["Administrator Test"] * 3
    with count_sql() as seen:
        page = administrator.get("/stage-changes/").get_data(as_text=True)
    assert "user:" not in page
    assert page.count("Administrator Test") >= 3
    assert len([one for one in seen if "ab_user.first_name" in one and " IN " in one]) <= 1, seen
