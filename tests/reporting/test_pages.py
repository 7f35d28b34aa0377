"""Summary and control charts as pages, and R3: what is not released leaves by no door of a role outside the laboratory."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import openpyxl
import pytest
from flask import Flask
from flask_appbuilder.security.sqla.models import User
from sqlalchemy import select

from lims.accounts.roles import MANAGER
from lims.base.database import current_session
from lims.base.jobs import run_waiting
from lims.base.services import SERVICES
from lims.base.views import VIEWS
from lims.reporting import views
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_customer, a_mix
from tests.prepared import begun_with
from tests.reporting.production import ACCEPTED, a_production, broken, set_of

#: A strength, load and mean that occur nowhere else.
SECRET = ("77.31", "1739.48", "77.3")


@pytest.fixture
def manager(sign_in_as: Callable[[str], Person]) -> Person:
    return sign_in_as(MANAGER)


def made() -> SimpleNamespace:
    batches = a_production(ACCEPTED)
    secret = a_production(("77.31", "77.31", "77.31"), code="C30-S", grade="C70", state="verified")
    entered = a_batch(plan_ages="28", cast_at="2026-02-03T02:00:00+00:00")
    broken(entered, "77.31", state="entered")
    return SimpleNamespace(first=batches[0].id, secret=[batch.id for batch in secret])


@pytest.fixture
def production(app: Flask) -> SimpleNamespace:
    with app.app_context():
        return begun_with(made)


def cells(content: bytes) -> str:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return "\n".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row)


def test_page_shows_figures_verdicts_rule_and_edition(production: SimpleNamespace, manager: Person) -> None:
    page = manager.get("/summary/").get_data(as_text=True)
    for words in ("38.4", "2.20", "GB/T 50107-2010", "EN 206:2013+A2:2021", "accepted"):
        assert words in page, words
    assert "it judges cylinders, and these are cubes" in page  # ACI 318


def test_a_set_broken_off_its_age_is_told_beside_the_verdict_and_in_the_workbook(
    app: Flask, production: SimpleNamespace, manager: Person
) -> None:
    assert "off age" not in manager.get("/summary/").get_data(as_text=True)
    with app.app_context():
        mix = a_mix("C30-LATE")
        late = a_batch(plan_ages="28", cast_at="2026-02-03T02:00:00+00:00", mix=mix)
        until = set_of(late).due_until
        assert until is not None
        broken(late, "38.0", tested_at=(until + timedelta(hours=3)).isoformat())
    page = manager.get("/summary/").get_data(as_text=True)
    assert "1 off age" in page
    assert "whoever accepts the lot decides" in page
    book = openpyxl.load_workbook(io.BytesIO(manager.get("/summary/workbook").get_data()))
    head, *rows = book["By grade"].iter_rows(values_only=True)
    assert sum(row[head.index("Outside the tolerance of the age")] for row in rows) == 1


def test_filters_narrow_the_page_and_the_workbook_alike(production: SimpleNamespace, manager: Person) -> None:
    query = "go=1&since=2026-02-02&until=2026-02-05&age_days=28&released=true"
    page = manager.get(f"/summary/?{query}").get_data(as_text=True)
    assert "4 results" in page
    assert f"/summary/workbook?{query.replace('&', '&amp;')}" in page
    answer = manager.get(f"/summary/workbook?{query}")
    assert "monthly-summary-2026-02-02_2026-02-05.xlsx" in answer.headers["Content-Disposition"]
    book = openpyxl.load_workbook(io.BytesIO(answer.get_data()))
    assert book["Results"].max_row == 5


def test_wrong_filter_is_said_at_its_field(manager: Person) -> None:
    answer = manager.get("/summary/?go=1&since=yesterday")
    assert answer.status_code == 422
    assert "is not a day" in answer.get_data(as_text=True)
    assert manager.get("/summary/workbook?go=1&since=yesterday").status_code == 400
    assert manager.get("/control-charts/?go=1&by=moon").status_code == 422


def test_empty_laboratory_gets_a_hint(manager: Person) -> None:
    assert "No result fits" in manager.get("/summary/").get_data(as_text=True)
    assert "Too few results" in manager.get("/control-charts/").get_data(as_text=True)


def test_large_summary_is_made_by_a_job(
    app: Flask, production: SimpleNamespace, manager: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_ROWS_AT_ONCE", 3)
    place = manager.get("/summary/workbook").location
    assert "/jobs/" in place
    assert run_waiting(app) == ["done"]
    book = openpyxl.load_workbook(io.BytesIO(manager.get(place + "/file").get_data()))
    assert book["Results"].max_row == 11


def test_control_chart_of_a_grade_and_of_a_mix(production: SimpleNamespace, manager: Person) -> None:
    page = manager.get("/control-charts/").get_data(as_text=True)
    assert "C30" in page
    assert "Groups of four" in page
    assert 'data-series="strengths-spec"' in page
    page = manager.get("/control-charts/?go=1&by=mix&of=C30-P&age_days=28&released=true").get_data(
        as_text=True
    )
    assert "C30-P: 10 sets" in page


def test_r3_unreleased_results_reach_sales_by_no_page_export_or_api(
    app: Flask, production: SimpleNamespace, sales: Person, manager: Person
) -> None:
    # The manager sees them, so the test would notice them.
    seen = manager.get("/summary/?go=1&age_days=28").get_data(as_text=True)
    assert "77.3" in seen
    asked = "go=1&released=false&age_days=28"
    addresses = [
        f"/summary/?{asked}",
        f"/summary/workbook?{asked}",
        f"/control-charts/?{asked}&by=mix&of=C30-S",
        f"/batches/{production.secret[0]}",
        *(f"/mix-designs/{key}" for key in (1, 2, 3)),
        *(f"/trials/{key}" for key in (1, 2, 3)),
        "/",
        "/certificates/export?format=csv",
        "/api/v1/certificates/",
        "/api/v1/set-results/",
        "/api/v1/breaks/",
    ]
    for record, view in VIEWS.items():
        if getattr(view, "list_columns", None):
            addresses += [f"/{record}/export?format={kind}" for kind in ("csv", "xlsx")]
    for address in addresses:
        answer = sales.get(address)
        assert answer.status_code < 500, address
        content = answer.get_data()
        text = cells(content) if content.startswith(b"PK") else content.decode("utf-8", "replace")
        assert not any(secret in text for secret in SECRET), address
        if address.startswith("/summary/workbook"):
            assert "38.9" in text  # what is released is there


def test_r3_a_job_of_sales_leaves_unreleased_results_out(
    app: Flask, production: SimpleNamespace, sales: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_ROWS_AT_ONCE", 1)
    place = sales.get("/summary/workbook?go=1&released=false&age_days=28").location
    assert run_waiting(app) == ["done"]
    text = cells(sales.get(place + "/file").get_data())
    assert "38.9" in text
    assert not any(secret in text for secret in SECRET)


def test_sales_is_told_that_only_released_results_are_shown(
    production: SimpleNamespace, sales: Person, manager: Person
) -> None:
    told = "Your role sees released results only."
    assert told in sales.get("/summary/").get_data(as_text=True)
    assert told not in manager.get("/summary/").get_data(as_text=True)


def test_sales_sees_results_of_customers_of_own_regions_alone_on_page_chart_and_workbook(
    app: Flask, sales: Person, manager: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        regions = [SERVICES["regions"].add({"code": c, "name": c}, ACTOR).id for c in ("R-OUR", "R-FAR")]
        user = current_session().scalars(select(User).where(User.username == sales.username)).one()
        SERVICES["region-staff"].add({"region_id": regions[0], "user_id": user.id}, ACTOR)
        for name, region in zip(("Nearby Ltd", "Faraway Ltd"), regions, strict=True):
            customer = a_customer(f"K-{region}", name=name, region_id=region)
            a_production(("38.9",), code=f"MIX-{region}", customer_id=customer.id)
    seen = manager.get("/summary/").get_data(as_text=True)
    assert "Faraway Ltd" in seen
    assert "those of your regions only" not in seen
    page = sales.get("/summary/").get_data(as_text=True)
    assert "Nearby Ltd" in page
    assert "1 result" in page
    assert "those of your regions only" in page
    chart = sales.get("/control-charts/?go=1&by=mix&age_days=28&released=true").get_data(as_text=True)
    monkeypatch.setattr(views, "MOST_ROWS_AT_ONCE", 0)
    place = sales.get("/summary/workbook").location
    assert run_waiting(app) == ["done"]
    book = cells(sales.get(place + "/file").get_data())
    assert f"MIX-{regions[0]}" in book
    assert "those of your regions only" in book
    for text in (page, chart, book):
        assert not any(name in text for name in ("Faraway Ltd", f"MIX-{regions[1]}"))
