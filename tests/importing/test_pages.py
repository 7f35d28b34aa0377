"""The pages of importing: upload, mapping, preview, apply, by role."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import openpyxl
import pytest
from flask import Flask

from lims.accounts.roles import AUDITOR, MANAGER, SALES, SERVICE, TECHNICIAN
from lims.accounts.service import AccountEdit, edit_user, find_user, values_of
from lims.base.auditing.models import AuditTransaction
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.jobs import Job, run_waiting
from lims.base.services import SERVICES
from lims.customers.models import Customer
from lims.importing import imports, views
from lims.importing.imports import TEMPLATES
from lims.importing.models import ImportMapping, ImportRow, ImportRun
from lims.results.models import SetResult
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_customer
from tests.importing.workbooks import filled, workbook


def send(person: Person, content: bytes, name: str = "k.xlsx", **more: Any) -> Any:
    return person.post("/import/", {"file": (io.BytesIO(content), name), **more})


def test_a_template_goes_from_upload_to_preview_to_import_and_again_changes_nothing(
    app: Flask, sales: Person
) -> None:
    content = filled("customers", {"code": "K-7", "name": "Seven Ltd", "kind": "precast"})
    sent = send(sales, content)
    assert sent.status_code == 302
    shown = sales.get(sent.location)
    text = shown.get_data(as_text=True)
    assert shown.status_code == 200
    assert 'data-count="new">1<' in text
    with app.app_context():
        assert current_session().query(Customer).count() == 0
    done = sales.post(sent.location + "/apply")
    assert done.status_code == 302
    assert "Imported, all of it" in sales.get(sent.location).get_data(as_text=True)
    with app.app_context():
        customer = current_session().query(Customer).one()
        link = current_session().query(ImportRow).one()
        assert (link.record_name, link.record_id, link.row, link.action) == (
            "customers",
            customer.id,
            6,
            "new",
        )
        page_url = f"/customers/{customer.id}"
    again = send(sales, content)
    assert "there is nothing to import" in sales.get(again.location).get_data(as_text=True)
    refused = sales.post(sent.location + "/apply")
    assert refused.status_code == 422
    with app.app_context():
        assert current_session().query(Customer).count() == 1
    assert page_url


def test_a_record_says_from_which_row_of_which_file_it_came(
    app: Flask, sales: Person, sign_in_as: Callable[[str], Person]
) -> None:
    sent = send(sales, filled("customers", {"code": "K-7", "name": "Seven Ltd"}), "mine.xlsx")
    sales.post(sent.location + "/apply")
    page = sign_in_as(MANAGER).get("/customers/1").get_data(as_text=True)
    assert "Came from" in page
    assert "mine.xlsx, Data, row 6" in page
    assert "mine.xlsx" not in sales.get("/customers/1").get_data(as_text=True)  # who may not read import runs


def test_a_preview_shows_old_and_new_and_writes_nothing(app: Flask, sales: Person) -> None:
    with app.app_context():
        a_customer("K-7", name="Old Ltd")
    sent = send(sales, filled("customers", {"code": "K-7", "name": "New Ltd"}))
    text = sales.get(sent.location).get_data(as_text=True)
    assert "Old Ltd" in text
    assert "New Ltd" in text
    assert 'data-count="changed">1<' in text
    with app.app_context():
        assert current_session().query(Customer).one().name == "Old Ltd"


def test_import_that_would_do_something_else_by_now_is_shown_again_and_not_written(
    app: Flask, sales: Person
) -> None:
    with app.app_context():
        key = a_customer("K-7", name="Old Ltd").id
    sent = send(sales, filled("customers", {"code": "K-7", "name": "New Ltd"}))

    def seen(page: str) -> dict[str, str]:
        found = re.search(r'name="seen" value="([0-9a-f]{64})"', page)
        assert found is not None
        return {"seen": found[1]}

    looked_at = seen(sales.get(sent.location).get_data(as_text=True))
    with app.app_context():
        service = SERVICES["customers"]
        service.edit(key, {"code": "K-7", "name": "Renamed Ltd"}, service.get(key).version, ACTOR)
    answer = sales.post(sent.location + "/apply", looked_at)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "has changed since this was shown" in page
    assert "Renamed Ltd" in page
    with app.app_context():
        assert current_session().query(Customer).one().name == "Renamed Ltd"
    assert sales.post(sent.location + "/apply", seen(page)).status_code == 302
    with app.app_context():
        assert current_session().query(Customer).one().name == "New Ltd"


def test_refusals_name_the_cell_and_the_marked_workbook_carries_them(app: Flask, sales: Person) -> None:
    content = filled(
        "customers", {"code": "K 7", "name": "Seven"}, {"code": "K-8", "name": "Eight", "kind": "shop"}
    )
    sent = send(sales, content)
    text = sales.get(sent.location).get_data(as_text=True)
    assert ">A6<" in text
    assert ">C7<" in text
    assert "K 7" in text
    assert 'id="apply"' not in text
    assert sales.post(sent.location + "/apply").status_code == 422
    marked = openpyxl.load_workbook(io.BytesIO(sales.get(sent.location + "/marked.xlsx").get_data()))
    sheet = marked["Data"]
    assert sheet["A6"].comment is not None
    assert "is not a code" in sheet["A6"].comment.text
    assert sheet["C7"].fill.fgColor.rgb.endswith("F8B4B4")
    listed = marked["Refused 未通过"]
    assert [cell.value for cell in listed[2]][:2] == ["Data", "A6"]
    with app.app_context():
        assert current_session().query(Customer).count() == 0


def test_a_free_form_sheet_is_mapped_once_and_remembered(app: Flask, sales: Person) -> None:
    rows = [
        ["客户一览"],
        [],
        ["编码", "客户名称", "电话", "x"],
        ["K-1", "Eins", "023", 1],
        ["K-2", "Zwei", None, 2],
    ]
    content = workbook(rows)
    sent = send(sales, content, "list.xlsx")
    mapping = sales.get(sent.location).location
    page = sales.get(mapping).get_data(as_text=True)
    assert 'value="code" selected' in page
    assert 'value="name" selected' in page
    posted = {
        "template": "customers",
        "sheet": "Sheet",
        "header_row": "3",
        "field_A": "code",
        "field_B": "name",
        "field_C": "phone",
        "every_kind": "dealer",
        "code": "sales-list",
    }
    assert sales.post(mapping, posted).status_code == 302
    text = sales.get(sent.location).get_data(as_text=True)
    assert 'data-count="new">2<' in text
    looked_at = {"seen": re.findall(r'name="seen" value="([0-9a-f]{64})"', text)[0]}
    assert sales.post(mapping, {**posted, "field_C": "contact_name"}).status_code == 302  # on another tab
    assert sales.post(sent.location + "/apply", looked_at).status_code == 409
    assert sales.post(mapping, posted).status_code == 302
    assert sales.post(sent.location + "/apply", looked_at).status_code == 302
    with app.app_context():
        kinds = {customer.code: customer.kind for customer in current_session().query(Customer)}
        assert kinds == {"K-1": "dealer", "K-2": "dealer"}
        assert current_session().query(ImportMapping).one().code == "sales-list"
    rows.append(["K-3", "Drei", None, 3])
    again = send(sales, workbook(rows), "list2.xlsx")
    text = sales.get(again.location).get_data(as_text=True)
    assert 'data-count="new">1<' in text
    assert 'data-count="same">2<' in text
    with app.app_context():
        SERVICES["import-mappings"].retire(1, ACTOR)
    again = send(sales, workbook(rows), "list3.xlsx")
    unread = sales.get(again.location).location  # what was put away reads nothing
    for answer in (sales.post(unread, posted), send(sales, workbook(rows), mapping="sales-list")):
        assert answer.status_code == 422
        assert "is out of use" in answer.get_data(as_text=True)


def test_file_with_other_heads_than_its_named_mapping_is_shown_with_its_own(
    app: Flask, sales: Person
) -> None:
    sent = send(sales, workbook([["客户编号", "客户名称"], ["K-1", "甲"]]), "a.xlsx", template="customers")
    chosen = {"template": "customers", "sheet": "Sheet", "header_row": "1", "code": "crm"}
    mapped = {**chosen, "field_A": "code", "field_B": "name", "shown": "customers|Sheet|1"}
    assert sales.post(sent.location + "/mapping", mapped).status_code == 302
    other = workbook([["电话", "客户编号", "客户名称"], ["023", "K-2", "乙"]])
    sent = send(sales, other, "b.xlsx", mapping="crm")
    answer = sales.get(sent.location)
    assert answer.status_code == 422
    assert "column A is headed “电话” here and was “客户编号”" in answer.get_data(as_text=True)
    page = sales.get(sent.location + "/mapping").get_data(as_text=True)
    chosen_fields = re.findall(r'name="field_([A-C])".*?<option value="(\w+)" selected', page, re.DOTALL)
    assert chosen_fields == [("A", "phone"), ("B", "code"), ("C", "name")]


def test_file_without_a_row_of_heads_is_told_on_the_page_where_another_is_chosen(sales: Person) -> None:
    sent = send(sales, b'"' * 2000, "quotes.csv")
    refused = sales.get(sales.get(sent.location).location)
    text = refused.get_data(as_text=True)
    assert refused.status_code == 422
    assert "quotes.csv has no row of heads; accepted: a sheet with names above its columns" in text
    assert 'action="/import/"' in text


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"field_B": ""}, "needed"),
        ({"field_B": "code"}, "already"),
        ({"field_B": "nothing"}, "not a field"),
        ({"decimal_mark": ";"}, "accepted"),
        ({"date_form": "moon"}, "accepted"),
        ({"time_of_day": "25:00"}, "HH:MM"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused_with_its_choices_kept(
    sales: Person, change: dict[str, str], word: str
) -> None:
    sent = send(sales, workbook([["编码", "客户名称"], ["K-1", "Eins"]]))
    posted = {
        "template": "customers",
        "sheet": "Sheet",
        "header_row": "1",
        "field_A": "code",
        "field_B": "name",
    }
    answer = sales.post(sent.location + "/mapping", {**posted, **change})
    assert answer.status_code == 422
    assert word in answer.get_data(as_text=True)


def test_two_columns_that_say_the_same_are_shown_as_not_settled(
    sign_in_as: Callable[[str], Person],
) -> None:
    manager = sign_in_as(MANAGER)
    rows = [["配合比编号", "水泥", "水", "碎石5-10", "碎石10-20"], ["A", 350, 175, 420, 630]]
    sent = send(manager, workbook(rows), template="mixes")
    page = manager.get(manager.get(sent.location).location).get_data(as_text=True)
    assert page.count('value="coarse_aggregate_kg_m3" selected') == 2
    assert "Column E: is read from column D already" in page


def test_history_counts_as_released_and_is_imported_by_who_may_release(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    technician, manager = sign_in_as(TECHNICIAN), sign_in_as(MANAGER)
    row = {
        "lab": "old",
        "mix_id": "M-1",
        "age_days": 28,
        "strength_mpa": 41,
        "cement_kg_m3": 300,
        "water_kg_m3": 170,
    }
    content = filled("history", row)
    assert 'value="history"' not in technician.get("/import/").get_data(as_text=True)
    assert technician.get(
        send(technician, content, template="history").location or "/import/99"
    ).status_code in {403, 404}
    sent = send(manager, content, template="history")
    assert manager.post(sent.location + "/apply").status_code == 302
    with app.app_context():
        assert [result.state for result in current_session().query(SetResult)] == ["released"]


def test_another_row_of_heads_keeps_what_was_chosen_for_the_whole_file(sales: Person) -> None:
    sent = send(sales, workbook([["编码", "客户名称"], ["客户名称", "编码"], ["Eins", "K-1"]]))
    chosen = {"template": "customers", "sheet": "Sheet", "shown": "customers|Sheet|1", "header_row": "2"}
    chosen |= {
        "field_A": "code",
        "field_B": "name",
        "every_kind": "dealer",
        "code": "our-list",
        "date_form": "mdy",
    }
    for button in ({"look": "1"}, {}):  # who checks the rows at once looks at the columns first, too
        answer = sales.post(sent.location + "/mapping", {**chosen, **button})
        page = answer.get_data(as_text=True)
        assert answer.status_code == 200
        assert 'name="shown" value="customers|Sheet|2"' in page
        assert (
            re.findall(r'<option value="(\w+)" selected>', page.partition('name="field_A"')[2])[0] == "name"
        )
        assert 'name="every_kind" maxlength="200" value="dealer"' in page
        assert 'value="our-list"' in page
        assert '<option value="mdy" selected>' in page
        assert ("look at them first" in page) is not bool(button)


def test_looking_again_at_the_same_heads_keeps_every_column(sales: Person) -> None:
    sent = send(sales, workbook([["编码", "客户名称"], ["K-1", "Eins"]]))
    chosen = {"template": "customers", "sheet": "Sheet", "shown": "customers|Sheet|1", "header_row": "1"}
    page = sales.post(sent.location + "/mapping", {**chosen, "field_A": "phone", "look": "1"}).get_data(
        as_text=True
    )
    assert re.findall(r'<option value="(\w+)" selected>', page.partition('name="field_A"')[2])[0] == "phone"


def test_row_of_heads_that_the_sheet_has_not_is_refused_with_the_columns_kept(sales: Person) -> None:
    sent = send(sales, workbook([["编码", "客户名称"], ["K-1", "Eins"]]))
    chosen = {"template": "customers", "sheet": "Sheet", "shown": "customers|Sheet|1", "header_row": "七"}
    answer = sales.post(sent.location + "/mapping", {**chosen, "field_A": "phone", "look": "1"})
    assert answer.status_code == 422
    assert "1 to 2" in answer.get_data(as_text=True)
    assert '<option value="phone" selected>' in answer.get_data(as_text=True)


def test_who_may_import_what_follows_from_what_they_may_write(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    sales, technician, auditor = (sign_in_as(role) for role in (SALES, TECHNICIAN, AUDITOR))
    customers = filled("customers", {"code": "K-7", "name": "Seven"})
    mixes = filled("mixes", {"code": "M-1", "cement_kg_m3": 300, "water_kg_m3": 170})
    assert send(sales, customers).status_code == 302
    taken = send(technician, mixes)
    assert taken.status_code == 302
    assert send(auditor, customers).status_code == 403
    assert auditor.get("/import/").status_code == 403
    # Without saying what it is, the file finds its template: the next page asks for the right.
    assert sales.get(send(sales, mixes).location).status_code == 403
    assert sales.get(taken.location).status_code == 403
    assert sales.post(taken.location + "/apply").status_code == 403
    assert technician.get(send(technician, customers).location).status_code == 403
    page = sales.get("/import/").get_data(as_text=True)
    assert "customers.xlsx" in page
    assert "mixes.xlsx" not in page


def test_names_that_several_templates_have_are_settled_by_a_person(sales: Person) -> None:
    """Code and name are those of a mix as well."""
    page = sales.get(send(sales, b"code,name\nK-1,One Ltd\n", "k.csv").location)
    assert page.status_code == 302
    mapping = sales.get(page.location).get_data(as_text=True)
    assert '<option value="customers" selected>' in mapping
    assert 'value="name" selected' in mapping


def test_every_template_can_be_downloaded(technician: Person) -> None:
    for name in TEMPLATES:
        answer = technician.get(f"/import/templates/{name}.xlsx")
        assert answer.status_code == 200
        assert openpyxl.load_workbook(io.BytesIO(answer.get_data())).sheetnames[0] == "Data"
    assert technician.get("/import/templates/none.xlsx").status_code == 404


def test_sheet_with_what_is_stored_is_given_to_who_may_import_it_and_changes_nothing(
    app: Flask, sign_in_as: Callable[[str], Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    manager, sales = sign_in_as(MANAGER), sign_in_as(SALES)
    with app.app_context():
        batch = a_batch("40", plan_ages="3")
        loads = SetBreaksIn.read({"loads_kn": ["424", "401", "396"], "tested_at": utc_now().isoformat()})
        record_set(batch.sets[0].id, loads, ACTOR)
    for name, rows in (("breaks", 3), ("batches", 1), ("mixes", 1)):
        address = f"/import/templates/{name}/filled.xlsx"
        assert address in manager.get("/import/").get_data(as_text=True)
        assert sales.get(address).status_code == 403
        sent = send(manager, manager.get(address).get_data())
        assert f'data-count="same">{rows}<' in manager.get(sent.location).get_data(as_text=True)
    assert manager.get("/import/templates/none/filled.xlsx").status_code == 404
    monkeypatch.setattr(views, "MOST_ROWS_AT_ONCE", 2)
    answer = manager.get("/import/templates/breaks/filled.xlsx")
    assert answer.status_code == 400
    assert "more than 2 records" in answer.get_data(as_text=True)


def test_characters_that_a_person_names_hold_for_a_sheet_that_is_mapped_by_hand(
    app: Flask, sales: Person
) -> None:
    """These bytes are Chinese too: read without asking, the name would be another."""
    content = "Customer code,Customer name\nK-1,Größe\n".encode("cp1252")
    page = send(sales, content, "k.csv", template="customers", encoding="cp1252").location
    mapping = sales.get(page).location
    assert "Größe" in sales.get(mapping).get_data(as_text=True)
    form = {"template": "customers", "sheet": "k", "header_row": "1", "field_A": "code", "field_B": "name"}
    assert sales.post(mapping, form).status_code == 302
    assert sales.post(page + "/apply").status_code == 302
    with app.app_context():
        assert current_session().query(Customer).one().name == "Größe"


def test_file_with_customers_of_other_regions_is_hidden_from_who_may_not_know_of_them(
    app: Flask, sales: Person, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        SERVICES["regions"].add({"code": "R1", "name": "West"}, ACTOR)
    content = filled("customers", {"code": "K-7", "name": "Seven Ltd", "region_id": "R1", "phone": "4711"})
    page = send(sign_in_as(MANAGER), content).location
    for path in ("", "/marked.xlsx"):
        assert sales.get(page + path).status_code == 404
        assert sign_in_as(SERVICE).get(page + path).status_code == 200  # who may read all regions
    assert sales.post(page + "/apply").status_code == 404
    assert sales.get(send(sales, content).location + "/marked.xlsx").status_code == 200


def test_large_file_knows_of_what_its_sender_may_know_of_and_writes_what_they_may_write_by_then(
    app: Flask, sales: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "AT_ONCE", replace(imports.AT_ONCE, file_bytes=10))

    def imported(content: bytes) -> tuple[str, str]:
        page = send(sales, content, "k.csv", template="customers").location
        assert sales.post(page + "/apply").status_code == 302
        (state,) = run_waiting(app)
        with app.app_context():
            job = current_session().query(Job).order_by(Job.id.desc()).first()
            assert job is not None
            return state, str(job.message)

    with app.app_context():
        far = SERVICES["regions"].add({"code": "R1", "name": "West"}, ACTOR)
        key = a_customer("K-7", name="Seven Ltd", region_id=far.id).id
    assert "1 cells are refused" in imported(b"code,name\nK-7,Mine Ltd\n")[1]
    assert imported(b"code,name\nK-8,Eight Ltd\n") == ("done", "1 new, 0 changed, 0 the same.")
    with app.app_context():
        assert SERVICES["customers"].get(key).name == "Seven Ltd"
        written = current_session().query(AuditTransaction).order_by(AuditTransaction.id)
        assert {item.source for item in written if item.reason.startswith("import ")} == {""}
    page = send(sales, b"code,name\nK-9,Nine Ltd\n", "k.csv", template="customers").location
    assert sales.post(page + "/apply").status_code == 302
    with app.app_context():
        user = find_user("sales")
        assert user is not None
        edit_user(user.id, AccountEdit.read({**values_of(user), "role": TECHNICIAN}), ACTOR)
    assert run_waiting(app) == ["failed"]
    with app.app_context():
        job = current_session().query(Job).order_by(Job.id.desc()).first()
        assert job is not None
        assert job.message == "Your role does not allow this."
        assert SERVICES["customers"].find(code="K-9") is None


def test_the_uploaded_bytes_come_back_as_they_were(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    manager = sign_in_as(MANAGER)
    content = filled("customers", {"code": "K-7", "name": "Seven"})
    sent = send(manager, content)
    assert manager.get(sent.location + "/file").get_data() == content
    with app.app_context():
        run = current_session().query(ImportRun).one()
        import hashlib

        assert run.sha256 == hashlib.sha256(content).hexdigest()
    assert sign_in_as(SALES).get(sent.location + "/file").status_code == 403


@pytest.mark.parametrize(
    "path", ["/import/99", "/import/99/mapping", "/import/99/marked.xlsx", "/import/99/file"]
)
def test_a_file_that_is_not_there_is_404(sign_in_as: Callable[[str], Person], path: str) -> None:
    assert sign_in_as(MANAGER).get(path).status_code == 404


def test_an_upload_without_a_file_or_of_no_table_is_refused_on_the_page(sales: Person) -> None:
    assert sales.post("/import/").status_code == 422
    assert send(sales, b"not a workbook", "x.xlsx").status_code == 422
    assert send(sales, b"%PDF", "x.pdf").status_code == 422
    assert send(sales, filled("customers", {"code": "K"}), template="moon").status_code == 422


def test_pages_read_chinese(sales: Person) -> None:
    sales.get("/lang/zh")
    assert "导入工作簿" in sales.get("/import/").get_data(as_text=True)
