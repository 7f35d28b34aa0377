"""The sheet: frozen forecast, released results beside it, changes said, the same in every form, light on a phone."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from types import SimpleNamespace
from typing import Any

import openpyxl
import pytest
from flask import Flask
from flask_appbuilder.security.sqla.models import User
from sqlalchemy import insert, select

from lims.accounts.roles import MANAGER, TECHNICIAN
from lims.base.actor import system_actor
from lims.base.auditing.models import PersonalValue
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.display import local_time, local_today
from lims.base.problems import Refused
from lims.base.repeats import RequestKey
from lims.base.services import SERVICES
from lims.customers.models import Customer
from lims.forecasts.models import Forecast
from lims.laboratory.service import save_laboratory
from lims.mixes.models import MixDesign
from lims.mixes.service import MixDesignService
from lims.results.service import amend_set, correct_set, record_set, release, result_of, retract, verify
from lims.sharing import gathering
from lims.sharing.answers import keep_answer
from lims.sharing.candidates import candidates
from lims.sharing.drawing import LEFT, RIGHT, WIDTH, strength_svg
from lims.sharing.models import ShareAnswer, ShareView
from lims.sharing.overview import overview
from lims.sharing.redaction import SHAREABLE
from lims.sharing.schemas import AnswerIn, WantedIn
from lims.sharing.service import ShareLinkService, count_view
from lims.trials.models import Batch, BatchLot, Trial
from tests.comparison.test_comparisons import priced, trials_of_both
from tests.conftest import Person
from tests.factories import ACTOR, RECIPE
from tests.sharing.sheets import (
    CHECKER,
    LOADS,
    a_batch,
    a_share,
    a_shown_trial,
    entry,
    link_of,
    mark_of,
    reader,
    salesperson,
    set_of,
)


def text_of(app: Flask, token: str) -> str:
    answer = reader(app).get(f"/s/{token}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_sheet_shows_the_forecast_with_its_band_and_waits_for_the_28_day_result(app: Flask) -> None:
    _link, token = a_share(app)
    page = text_of(app, token)
    assert re.search(r"data-forecast>\d\d\.\d", page)
    assert "data-band" in page
    assert "P(f28 ≥ 30 MPa)" in page
    assert "data-waits" in page
    assert '<svg xmlns="http://www.w3.org/2000/svg" class="picture"' in page
    assert "<script" not in page
    assert "Reader Ltd" in page
    assert "sales@example.com" in page


def test_chance_stays_of_the_grade_it_was_said_of_when_the_mix_is_given_another(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        shown = a_shown_trial()
        mix_id = shown[2].id
    _link, token = a_share(app, trial=shown)
    manager = sign_in_as(MANAGER)

    def given(grade: str) -> str:
        with app.app_context():
            mix = SERVICES["mix-designs"].get(mix_id)
            SERVICES["mix-designs"].edit(mix_id, {"code": mix.code, "grade_mpa": grade}, mix.version, ACTOR)
        return manager.get(f"/mix-designs/{mix_id}").get_data(as_text=True)

    for grade in ("40", ""):
        assert "P(f28 ≥ 30 MPa)" in given(grade)  # of the mix's own page too
        assert "P(f28 ≥ 30 MPa)" in text_of(app, token)
        assert "P(f28 ≥ 30 MPa)" in reader(app).get(f"/s/{token}/sheet.csv").get_data(as_text=True)


def test_28_day_result_appears_beside_the_frozen_forecast_when_it_is_released(app: Flask) -> None:
    with app.app_context():
        shown = a_shown_trial()
    _link, token = a_share(app, trial=shown)
    before = re.search(r"data-forecast>(\d\d\.\d)", text_of(app, token))
    with app.app_context():
        found = set_of(shown[1], 28)
        record_set(found.id, entry(*LOADS[28]), ACTOR)
    assert "data-result" not in text_of(app, token)
    with app.app_context():
        verify(found.id, CHECKER)
    assert "data-result" not in text_of(app, token)
    with app.app_context():
        release(found.id, CHECKER)
    page = text_of(app, token)
    assert "data-result>38.7" in page
    after = re.search(r"data-forecast>(\d\d\.\d)", page)
    assert before is not None
    assert after is not None
    assert before[1] == after[1]


def test_amended_result_changes_the_sheet_and_the_sheet_says_so(app: Flask) -> None:
    with app.app_context():
        shown = a_shown_trial()
    _link, token = a_share(app, trial=shown)
    assert "18.1" in text_of(app, token)
    with app.app_context():
        found = set_of(shown[1], 3)
        present = result_of(found.id)
        assert present is not None
        amend_set(found.id, entry("450", "455", "446"), present.number, ACTOR, "wrong scale, not for readers")
    page = text_of(app, token)
    assert "18.1" not in page
    assert "was taken back on" in page
    with app.app_context():
        verify(found.id, CHECKER)
        release(found.id, CHECKER)
    page = text_of(app, token)
    assert "20.0" in page
    assert "was amended on" in page
    assert "not for readers" not in page


def test_retracted_result_leaves_the_sheet_and_the_sheet_says_so(app: Flask) -> None:
    with app.app_context():
        shown = a_shown_trial()
    _link, token = a_share(app, trial=shown)
    with app.app_context():
        retract(set_of(shown[1], 7).id, "mould was not square", CHECKER)
    page = text_of(app, token)
    assert "27.6" not in page
    assert "The result at 7 d was taken back on" in page
    assert "mould" not in page
    _link, later = a_share(app, trial=shown)
    assert "was taken back" not in text_of(app, later)  # whoever is sent it now has seen no other
    with app.app_context():
        other = a_shown_trial(code="C30-T")
    _link, beside = a_share(app, trial=other, near_ids=str(shown[2].id))
    with app.app_context():
        retract(set_of(shown[1], 3).id, "mould was not square", CHECKER)
    assert "was taken back" not in text_of(app, beside)  # of the trial itself alone


def test_comparison_per_m3_stands_on_every_form_without_a_price_or_a_maker(app: Flask) -> None:
    with app.app_context():
        own, other, _trial = trials_of_both()
        priced(own, other)
        shown = a_shown_trial()
        stronger = SERVICES["mix-designs"].add({"code": "C40-S", "strength_class": "C40", **RECIPE}, ACTOR)
        a_batch(shown[0], stronger, released=())  # cast after what is shared, in the same trial
    _link, token = a_share(app, trial=shown, mix_design_id=shown[2].id, compared_with_id=other.id)
    client = reader(app)
    sheet = client.get(f"/s/{token}/sheet.json").get_json()
    found = sheet["comparison"]
    assert float(found["target_mpa"]) == 38.2  # JGJ 55: C30 + 1.645 x 5
    middle, low, high = (float(value) for value in found["binder_difference_kg_m3"])
    assert low < middle < high
    assert 5 < middle < 25  # the trials were made with 5 % less strength at the same binder
    page = text_of(app, token)
    assert f"{middle:.0f}" in page
    for form in ("json", "csv"):
        page += client.get(f"/s/{token}/sheet.{form}").get_data(as_text=True)
    for word in ("Rival", "Theirs", "RIVAL"):
        assert word not in page
    assert not [name for name in found if "cost" in name or "price" in name]
    with app.app_context(), transaction(ACTOR) as session:
        session.get_one(Trial, shown[0].id).cement_product_id = other.id
    cement = reader(app).get(f"/s/{token}/sheet.json").get_json()["cement"]
    assert "name" not in cement  # another maker's stays a type and a class
    assert cement["cement_type"]


def test_trial_of_another_makers_cement_is_not_compared_the_wrong_way_round(app: Flask) -> None:
    """Of it "ours minus theirs" would be theirs minus ours."""
    with app.app_context():
        own, other, _trial = trials_of_both()
        shown = a_shown_trial()
        with transaction(ACTOR) as session:
            session.get_one(Trial, shown[0].id).cement_product_id = other.id
        given = {"name": "Reader", "trial_id": shown[0].id, "compared_with_id": own.id}
        with pytest.raises(Refused, match="our own cement") as refused:
            ShareLinkService().create(given, ACTOR)
        assert [problem.field for problem in refused.value.problems] == ["compared_with_id"]


def test_comparison_of_a_grade_beyond_jgj_55_is_refused_and_the_trial_is_shared_without(app: Flask) -> None:
    with app.app_context():
        _own, other, _trial = trials_of_both()
        shown = a_shown_trial()
        mix = shown[2]
        SERVICES["mix-designs"].edit(mix.id, {"code": mix.code, "grade_mpa": "130"}, mix.version, ACTOR)
        current_session().info.pop("forecast_mixes", None)
        of_mix, compared = {"trial": shown, "mix_design_id": mix.id}, {"compared_with_id": other.id}
    with pytest.raises(Refused, match="at most 120") as refusal:
        a_share(app, **of_mix, **compared)
    assert [problem.field for problem in refusal.value.problems] == ["compared_with_id"]
    assert a_share(app, **of_mix)


def test_forecast_made_of_unreleased_strengths_stays_inside(app: Flask) -> None:
    with app.app_context():
        shown = a_shown_trial(released=(), entered=(3,))
    _link, token = a_share(app, trial=shown)
    assert "forecast" not in reader(app).get(f"/s/{token}/sheet.json").get_json()
    assert "37.2" not in text_of(app, token)
    with app.app_context():
        found = set_of(shown[1], 3)
        verify(found.id, CHECKER)
        release(found.id, CHECKER)
    _link, token = a_share(app, trial=shown)
    assert reader(app).get(f"/s/{token}/sheet.json").get_json()["forecast"]["mpa"].startswith("37.2")


def test_forecast_from_before_an_unreleased_entry_goes_out_all_the_same(app: Flask) -> None:
    with app.app_context():
        shown = a_shown_trial(released=(3,))
        # The next batch of the same mix has a 3 d entry that nobody has released yet.
        batch = SERVICES["batches"].add(
            {
                "trial_id": shown[0].id,
                "mix_revision_id": shown[1].mix_revision_id,
                "cast_at": (datetime.now(UTC) - timedelta(days=3)).isoformat(),
                "volume_m3": "40",
            },
            ACTOR,
        )
        record_set(set_of(batch, 3).id, entry(*LOADS[3]), ACTOR)
    _link, token = a_share(app, trial=shown)
    assert reader(app).get(f"/s/{token}/sheet.json").get_json()["forecast"]["mpa"].startswith("37.2")


def a_revision(mix: Any, cement_kg_m3: str = "420") -> Any:
    """Another recipe of the mix, as what is cast from now on names it."""
    recipe = {**RECIPE, "cement_kg_m3": cement_kg_m3, "mix_design_id": mix.id, "reason": "more cement"}
    revision = SERVICES["mix-revisions"].add(recipe, ACTOR)
    return SimpleNamespace(id=mix.id, latest_revision_id=revision.id)


def test_half_a_tenth_reads_on_the_sheet_as_on_the_page_of_the_mix(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    """38.45 MPa is 38.4, half to even; as a binary fraction it lies a little above and would be 38.5."""
    with app.app_context():
        shown = a_shown_trial(released=(3, 28))
        a_batch(shown[0], shown[2], released=(3, 28), more_kn=-12)  # 38.7 and 38.2 MPa at 28 d
        a_later_forecast(shown[2], "38.45")
        mix_id = shown[2].id
    _link, token = a_share(app, trial=shown)
    sheet = text_of(app, token)
    assert "data-forecast>38.4 " in sheet
    assert "data-result>38.4 " in sheet
    lines = reader(app).get(f"/s/{token}/sheet.csv").get_data(as_text=True)
    assert "38.4 MPa" in lines
    assert "38.5" not in lines
    page = sign_in_as(MANAGER).get(f"/mix-designs/{mix_id}").get_data(as_text=True)
    assert "data-forecast>38.4 " in page
    assert "data-actual>38.4 " in page


def a_later_forecast(mix: Any, mpa: str, **more: Any) -> None:
    """Like the one that `a_shown_trial` has, said now."""
    with transaction(ACTOR) as session:
        said = session.scalars(select(Forecast).where(Forecast.mix_design_id == mix.id)).first()
        assert said is not None
        left = {"id", "created_at", "changed_at"}
        kept = {c.key: getattr(said, c.key) for c in Forecast.__mapper__.columns if c.key not in left}
        session.add(Forecast(**{**kept, "strength_mpa": Decimal(mpa), **more}))


def shown_by(app: Flask, trial: Any, mix: Any, **more: Any) -> Any:
    """The sheet of a new link to this mix, as JSON."""
    _link, token = a_share(
        app, trial=(trial, None, mix, SimpleNamespace(id=None)), mix_design_id=mix.id, **more
    )
    return reader(app).get(f"/s/{token}/sheet.json").get_json()


def test_cylinders_beside_cubes_move_no_mean_of_the_sheet_nor_of_the_builder(app: Flask) -> None:
    with app.app_context():
        trial, _batch, mix, _customer = a_shown_trial(released=(3, 28))
        a_batch(trial, mix, released=(28,), more_kn=-300, shape="cylinder")
        other = a_shown_trial(released=(28,), code="C30-T")
        a_batch(other[0], other[2], released=(3,), shape="cylinder")
        found = {item.code: item.strengths for item in candidates(WantedIn.read({}))}
        assert found["C30-S"] == {3: Decimal("18.1"), 28: Decimal("38.7")}
    sheet = shown_by(app, trial, mix, near_ids=str(other[2].id))
    told = [(item["age_days"], item["mpa"], item["sets"]) for item in sheet["strengths"]]
    assert told == [(3, "18.1", 1), (28, "38.7", 1)]
    assert (sheet["result"]["mpa"], sheet["result"]["specimens"]) == ("38.7", 3)
    assert [item["age_days"] for item in sheet["near"][0]["strengths"]] == [28]


def test_mixes_beside_a_trial_without_a_result_are_of_one_shape(app: Flask) -> None:
    with app.app_context():
        trial, _batch, mix, _customer = a_shown_trial(released=())
        other = a_shown_trial(released=(28,), code="C30-T")
        a_batch(other[0], other[2], released=(28,))
        a_batch(other[0], other[2], released=(28,), more_kn=-300, shape="cylinder")
    sheet = shown_by(app, trial, mix, near_ids=str(other[2].id))
    assert "strengths" not in sheet or not sheet["strengths"]
    assert [(item["age_days"], item["mpa"]) for item in sheet["near"][0]["strengths"]] == [(28, "38.7")]


def test_forecast_of_cubes_stands_on_no_sheet_of_cylinders(app: Flask) -> None:
    with app.app_context():
        trial, _batch, mix, _customer = a_shown_trial(released=(3, 28))
        elsewhere = SERVICES["trials"].add({"name": "Elsewhere"}, ACTOR)
        a_batch(elsewhere, mix, released=(3,), shape="cylinder")
    assert "forecast" in shown_by(app, trial, mix)
    sheet = shown_by(app, elsewhere, mix)
    assert [item["age_days"] for item in sheet["strengths"]] == [3]
    assert "forecast" not in sheet


def test_grade_of_a_class_of_two_numbers_is_that_of_the_specimens_on_the_sheet(app: Flask) -> None:
    """Its picture, papers and files drew the 37 MPa of cubes through cylinders of C30/37."""
    with app.app_context():
        cubes, _batch, mix, _customer = a_shown_trial(released=(3,))
        given = {"code": mix.code, "strength_class": "C30/37"}
        SERVICES["mix-designs"].edit(mix.id, given, mix.version, ACTOR)
        waits, broken = (SERVICES["trials"].add({"name": name}, ACTOR) for name in ("Waits", "Broken"))
        a_batch(waits, mix, released=(), shape="cylinder")
        a_batch(broken, mix, released=(3,), shape="cylinder")
    grades = [shown_by(app, trial, mix)["grade_mpa"] for trial in (cubes, waits, broken)]
    assert grades == ["37", "30", "30"]


def test_a_recast_mix_shows_recipe_strengths_and_forecast_of_one_recipe(app: Flask) -> None:
    with app.app_context():
        trial, _batch, mix, _customer = a_shown_trial(released=(3, 28))
    former = shown_by(app, trial, mix)
    with app.app_context():
        mix_now = a_revision(mix)
        draft = candidates(WantedIn.read({}))
        assert [item.binder_kg_m3 for item in draft] == [350.0]  # of what was cast
        elsewhere = SERVICES["trials"].add({"name": "Elsewhere"}, ACTOR)
        a_batch(elsewhere, mix_now, released=(3,), more_kn=100)
        a_later_forecast(mix, "44.4")
    # The trial's own batches are by the former recipe, and so is what was forecast of it.
    assert shown_by(app, trial, mix)["forecast"] == former["forecast"]
    sheet = shown_by(app, elsewhere, mix)
    assert (sheet["forecast"]["mpa"], sheet["result"].keys()) == ("44.40", {"expected_on"})
    with app.app_context():
        a_batch(trial, mix_now, released=(3,), more_kn=100)
        found = {item.trial_id: item.strengths for item in candidates(WantedIn.read({"trial_id": trial.id}))}
    sheet = shown_by(app, trial, mix)
    cement = next(item for item in sheet["mix"]["components"] if item["kind"] == "cement")
    assert (cement["mass_kg_m3"], sheet["forecast"]["mpa"]) == ("420", "44.40")
    assert [(item["age_days"], item["mpa"]) for item in sheet["strengths"]] == [(3, "22.5")]
    assert found[trial.id] == {3: Decimal("22.5")}
    with app.app_context():
        other = a_shown_trial(code="C30-T")
    near = shown_by(app, other[0], other[2], near_ids=str(mix.id))["near"][0]
    assert (near["binder_kg_m3"], [item["age_days"] for item in near["strengths"]]) == ("420", [3])


def test_forecast_made_of_an_entry_that_was_put_right_since_stays_inside(app: Flask) -> None:
    with app.app_context():
        trial, _batch, mix, _customer = a_shown_trial(released=(3,))
        other = a_batch(trial, mix, released=(), entered=(3,), more_kn=500)
        a_later_forecast(mix, "77.7")  # of a slip of the key
        found = set_of(other, 3)
        at = datetime.now(UTC) - timedelta(days=37)
        correct_set(found.id, entry(*LOADS[3], at=at), 1, ACTOR, "typed wrong")
    assert shown_by(app, trial, mix)["forecast"]["mpa"] == "37.20"
    with app.app_context():
        a_later_forecast(mix, "38.8")
        verify(found.id, CHECKER)
        release(found.id, CHECKER)
    assert shown_by(app, trial, mix)["forecast"]["mpa"] == "38.80"


def test_newest_forecast_goes_out_until_the_result_is_released_then_that_of_three_days(app: Flask) -> None:
    with app.app_context():
        trial, batch, mix, _customer = a_shown_trial()
        a_later_forecast(mix, "39.9", early_ages="3,7")
        found = set_of(batch, 28)
        record_set(found.id, entry(*LOADS[28]), ACTOR)
        verify(found.id, CHECKER)
    assert shown_by(app, trial, mix)["forecast"]["mpa"] == "39.90"
    with app.app_context():
        release(found.id, CHECKER)
    assert shown_by(app, trial, mix)["forecast"]["mpa"] == "37.20"


def test_result_of_35_days_is_not_that_of_28(app: Flask) -> None:
    with app.app_context():
        trial, batch, mix, _customer = a_shown_trial(released=(3,))
        later = a_batch(trial, mix, released=(), plan_ages="35")
        at = later.cast_at + timedelta(days=35)
        found = set_of(later, 35)
        record_set(found.id, entry(*LOADS[28], at=at), ACTOR)
        verify(found.id, CHECKER)
        release(found.id, CHECKER)
        due = local_time(set_of(batch, 28).due_at).date()
    sheet = shown_by(app, trial, mix)
    assert sheet["result"] == {"expected_on": due.isoformat()}
    assert [item["age_days"] for item in sheet["strengths"]] == [3, 35]


def test_result_that_was_taken_back_is_not_expected_on_the_day_that_is_past(app: Flask) -> None:
    with app.app_context():
        shown = a_shown_trial(released=(3, 28))
        invalid = a_shown_trial(released=(3,), code="C30-I")
    assert shown_by(app, invalid[0], invalid[2])["result"].keys() == {"expected_on"}
    with app.app_context():
        found = set_of(invalid[1], 28)
        record_set(found.id, entry("500", "870", "1300"), ACTOR)
        verify(found.id, CHECKER)
        release(found.id, CHECKER)
        retract(set_of(shown[1], 28).id, "mould", CHECKER)
    assert "result" not in shown_by(app, shown[0], shown[2])
    assert "result" not in shown_by(app, invalid[0], invalid[2])
    with app.app_context():
        waiting = a_shown_trial(released=(3,), code="C30-W")
    _link, token = a_share(app, trial=waiting)
    with app.app_context():
        twin = a_batch(waiting[0], waiting[2], released=(3,), more_kn=100)
        SERVICES["batches"].retire(twin.id, ACTOR)
        assert candidates(WantedIn.read({"trial_id": waiting[0].id}))[0].strengths == {3: Decimal("18.1")}
    assert [item["mpa"] for item in shown_by(app, waiting[0], waiting[2])["strengths"]] == ["18.1"]
    with app.app_context():
        SERVICES["batches"].retire(waiting[1].id, ACTOR)
        assert candidates(WantedIn.read({"trial_id": waiting[0].id}))[0].own is False
    assert "result" not in reader(app).get(f"/s/{token}/sheet.json").get_json()


def test_history_of_another_laboratory_is_handed_out_neither_as_the_trial_nor_beside_it(app: Flask) -> None:
    with app.app_context():
        shown = a_shown_trial()
        theirs = MixDesignService().add_history({"code": "T-1", **RECIPE}, "Their works", ACTOR)
        trial = SERVICES["trials"].add({"name": "History"}, ACTOR)
        a_batch(trial, theirs, released=(3,))
        for field, given in (
            ("near_ids", {"trial_id": shown[0].id, "near_ids": str(theirs.id)}),
            ("trial_id", {"trial_id": trial.id}),
        ):
            with pytest.raises(Refused) as refused:
                ShareLinkService().create({"name": "Reader", **given}, ACTOR)
            (problem,) = refused.value.problems
            assert (problem.field, "Their works" in problem.message) == (field, True)


@pytest.mark.parametrize("kind", ["mix-designs", "trials"])
def test_builder_offers_nothing_that_a_link_would_be_refused_for(app: Flask, kind: str) -> None:
    with app.app_context():
        trial, _batch, mix, _customer = a_shown_trial()
        assert len(candidates(WantedIn.read({}))) == 1
        SERVICES[kind].retire((mix if kind == "mix-designs" else trial).id, ACTOR)
        assert candidates(WantedIn.read({})) == []


def test_mix_that_was_never_cast_is_not_put_beside_the_trial(app: Flask) -> None:
    with app.app_context():
        shown = a_shown_trial()
    with app.app_context(), pytest.raises(Refused) as refused:
        ShareLinkService().create(
            {"trial_id": shown[0].id, "name": "Reader", "near_ids": "999999"}, salesperson(app)
        )
    assert [problem.field for problem in refused.value.problems] == ["near_ids"]


@pytest.mark.postgresql
def test_casting_of_unknown_time_beside_dated_ones_keeps_the_sheet_readable(app: Flask) -> None:
    link_id, token = a_share(app)
    link = link_of(app, link_id)
    with app.app_context(), transaction(ACTOR) as session:
        dated = session.scalars(select(Batch).where(Batch.trial_id == link.trial_id).limit(1)).one()
        of_history = {"trial_id": dated.trial_id, "mix_revision_id": dated.mix_revision_id}
        session.add(Batch(code="H-1", curing="standard", **of_history))
    text_of(app, token)


def test_sheet_counts_its_views_and_takes_an_answer_on_postgresql(postgresql_app: Flask) -> None:
    _link, token = a_share(postgresql_app)
    client = reader(postgresql_app)
    page = client.get(f"/s/{token}")
    assert page.status_code == 200
    assert "data-forecast" in page.get_data(as_text=True)
    for form in ("json", "csv", "xlsx", "pdf"):
        assert client.get(f"/s/{token}/sheet.{form}").status_code == 200
    assert link_of(postgresql_app, _link).counted[0] == 1


def test_every_form_holds_the_same_numbers(app: Flask) -> None:
    _link, token = a_share(app)
    client = reader(app)
    answers = {form: client.get(f"/s/{token}/sheet.{form}") for form in ("json", "csv", "xlsx", "pdf")}
    assert {form: answer.status_code for form, answer in answers.items()} == dict.fromkeys(answers, 200)
    sheet = json.loads(answers["json"].get_data(as_text=True))
    assert [item["mpa"] for item in sheet["strengths"]] == ["18.1", "27.6"]
    assert "18.1" in answers["csv"].get_data().decode("utf-8-sig")
    cells = [
        cell.value
        for row in openpyxl.load_workbook(io.BytesIO(answers["xlsx"].get_data())).active.iter_rows()
        for cell in row
    ]
    assert 18.1 in cells
    assert answers["pdf"].get_data().startswith(b"%PDF")


def test_workbook_of_the_sheet_has_numbers_in_cells_of_their_own_and_text_stays_text(app: Flask) -> None:
    with app.app_context():
        facts = {"name": "12", "phone": "01062781234", "timezone": "Asia/Shanghai", "language": "en"}
        save_laboratory({**facts, "code_family": "gb", "plan_ages": "3,7,28"}, ACTOR)
    _link, token = a_share(app)
    book = openpyxl.load_workbook(io.BytesIO(reader(app).get(f"/s/{token}/sheet.xlsx").get_data())).active
    rows = {row[0].value: row for row in book.iter_rows() if row[0].value is not None}
    named = [(cell.value, cell.data_type) for cell in rows["12"][:4]]
    assert named[0] == ("12", "s")  # a laboratory that is called so
    assert ("01062781234", "s") in named
    assert [cell.value for cell in rows["Grade"][1:3]] == [30, "MPa"]
    middle, unit = rows["Median"][1:3]
    assert (unit.value, middle.data_type, middle.number_format) == ("MPa", "n", "0.0")
    low, high, unit = rows["90 % interval"][1:4]
    assert low.value < middle.value < high.value
    assert (low.number_format, high.number_format, unit.value) == ("0.0", "0.0", "MPa")
    heads = next(row for row in book.iter_rows() if row[1].value == "Mean, MPa")
    first = [book.cell(heads[0].row + 1, column) for column in range(1, 5)]
    assert [(cell.value, cell.number_format) for cell in first] == [
        (3, "0"), (18.1, "0.0"), (1, "0"), (3, "0")
    ]  # fmt: skip
    assert [(cell.value, cell.data_type) for cell in rows["Cement"][1:3]] == [(350, "n"), ("kg/m³", "s")]
    cells = [str(cell.value) for row in book.iter_rows() for cell in row]
    assert not [text for text in cells if re.search(r"^\d.*\d (MPa|kg/m³|%)$", text)]


def test_what_was_broken_after_three_months_stands_inside_the_picture(app: Flask) -> None:
    curve = {"ages_days": [1.0, 28.0, 91.0], "mpa": [10.0, 38.0, 42.0]}
    pictures = {}
    for age in (28, 90, 180, 365):
        sheet = {"drawn": curve, "strengths": [{"age_days": age, "mpa": "38.7"}]}
        with app.test_request_context():
            pictures[age] = str(strength_svg(sheet))
        (at,) = re.findall(r'<circle class="broken"[^>]* cx="([\d.]+)"', pictures[age])
        assert LEFT < float(at) <= WIDTH - RIGHT
    ticks = re.findall(r'text-anchor="middle">(\d+)<', pictures[365])
    assert ticks == ["1", "3", "7", "14", "28", "56", "91", "180", "365"]
    assert 'text-anchor="middle">180<' not in pictures[90]


def test_what_is_not_ticked_is_on_no_form(app: Flask) -> None:
    _link, token = a_share(app, shows="forecast")
    sheet = json.loads(reader(app).get(f"/s/{token}/sheet.json").get_data(as_text=True))
    assert "strengths" not in sheet
    assert "mix" not in sheet
    assert sheet["drawn"] is None
    assert "forecast" in sheet


@pytest.mark.parametrize(("language", "word"), [("zh", "强度"), ("zh_TW", "強度"), ("en", "Contact")])
def test_sheet_speaks_the_language_it_was_made_in(app: Flask, language: str, word: str) -> None:
    with app.app_context():
        card = {"name": "Card", "body": "Body"}
        cards = {
            key: SERVICES["advice-cards"].add({"code": f"X-{key}", "language": key, **card}, ACTOR).id
            for key in ("en", "zh", "zh_TW")
        }
    link_id, token = a_share(app, language=language, card_ids=",".join(map(str, cards.values())))
    assert link_of(app, link_id).as_sent["cards"] == [cards[language]]
    page = text_of(app, token)
    assert word in page
    assert {"zh": 'lang="zh-Hans"', "zh_TW": 'lang="zh-Hant"', "en": 'lang="en"'}[language] in page


def test_page_with_all_it_loads_is_far_below_300_kb(app: Flask) -> None:
    _link, token = a_share(app)
    client = reader(app)
    page = text_of(app, token)
    weight = len(page.encode())
    for address in set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page)):
        with client.get(address) as loaded:
            assert loaded.status_code == 200
            weight += len(loaded.get_data())
    assert weight < 60_000


def test_sheet_takes_few_statements(
    app: Flask, count_sql: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    _link, token = a_share(app)
    client = reader(app)
    client.get(f"/s/{token}")
    with count_sql() as seen:
        assert client.get(f"/s/{token}").status_code == 200
    assert len(seen) <= 16, seen


def test_request_for_a_trial_opens_a_prospect_with_a_task_and_tells_the_salesperson(
    app: Flask, sales: Person
) -> None:
    with app.app_context():
        shown = a_shown_trial()
    _link, token = a_share(app, trial=shown, customer_id=None)
    client = reader(app)
    sent = {
        "mark": mark_of(app, token),
        "kind": "trial",
        "name": "Ms Zhao",
        "company": "North Quarry Mixing",
        "contact": "139 0000 0000",
        "message": "Our sand is from the river.",
    }
    answer = client.post(f"/s/{token}/answer", data=sent)
    assert answer.status_code == 303
    assert "Thank you" in client.get(answer.headers["Location"]).get_data(as_text=True)
    with app.app_context():
        prospect = SERVICES["customers"].page(search="North Quarry").items[0]
        assert prospect.status == "prospect"
        assert prospect.contact_name == "Ms Zhao"
        assert prospect.owner_id == link_of(app, _link).owner_id
        assert SERVICES["visit-plans"].page(filters={"customer_id": prospect.id}).total == 1
    home = sales.get("/").get_data(as_text=True)
    assert "North Quarry Mixing" in home


def asked_for(app: Flask, token: str) -> dict[str, str]:
    """A trial, by the form of the sheet."""
    return {
        "mark": mark_of(app, token),
        "kind": "trial",
        "name": "Ms Zhao",
        "company": "North",
        "contact": "139",
    }


def test_answer_that_is_sent_twice_is_kept_once_with_one_task(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who taps again on a poor line; another message is another answer."""
    link_id, token = a_share(app, customer_id=None)
    sent = {**asked_for(app, token), "message": "a"}
    client = reader(app)
    assert [client.post(f"/s/{token}/answer", data=sent).status_code for _tap in (1, 2)] == [303, 303]
    assert link_of(app, link_id).answers == 1
    with app.app_context():
        assert SERVICES["visit-plans"].page().total == 1
    thanked = client.post(f"/s/{token}/answer", data={**sent, "message": "b"})
    assert link_of(app, link_id).answers == 2
    with app.app_context():
        assert SERVICES["customers"].page(search="North").total == 1  # the prospect that the first one opened
    client.get(thanked.location)
    assert link_of(app, link_id).views == 1  # the form's; the thanks are none
    monkeypatch.setattr("lims.sharing.answers.utc_now", lambda: utc_now() + timedelta(minutes=61))
    assert client.post(f"/s/{token}/answer", data=sent).status_code == 303
    assert link_of(app, link_id).answers == 3  # the same words an hour later are said again


@pytest.mark.parametrize("kind", ["regions", "customers", "prospects"])
def test_trial_can_be_asked_for_when_customer_region_or_prospect_went_out_of_use(
    app: Flask, kind: str
) -> None:
    with app.app_context():
        shown = a_shown_trial()
        region = SERVICES["regions"].add({"code": "R1", "name": "South"}, ACTOR)
        with transaction(ACTOR) as session:
            session.get_one(Trial, shown[0].id).region_id = region.id
    link_id, token = a_share(app, trial=shown, customer_id=shown[3].id if kind == "customers" else None)
    sent = asked_for(app, token)
    if kind == "prospects":
        assert reader(app).post(f"/s/{token}/answer", data={**sent, "message": "first"}).status_code == 303
    with app.app_context():
        prospect = SERVICES["customers"].find(name="North")
        gone = {"regions": region, "customers": shown[3], "prospects": prospect}[kind]
        SERVICES["regions" if kind == "regions" else "customers"].retire(gone.id, ACTOR)
    assert reader(app).post(f"/s/{token}/answer", data=sent).status_code == 303
    with app.app_context():
        answer = SERVICES["share-answers"].page(filters={"share_link_id": link_id}).items[0]
        assert (answer.customer.name, answer.customer.retired_at) == ("North", None)
        assert SERVICES["visit-plans"].page(filters={"customer_id": answer.customer_id}).total == 1
        assert answer.customer.region_id == (None if kind == "regions" else region.id)


@pytest.mark.postgresql
def test_two_first_readers_of_a_day_are_two_views(postgresql_app: Flask) -> None:
    link_id, _token = a_share(postgresql_app)
    first = {"share_link_id": link_id, "views": 1}

    def second() -> None:
        with postgresql_app.app_context():
            count_view(link_id)

    with ThreadPoolExecutor(1) as pool, postgresql_app.app_context():
        with transaction(system_actor("share-view")) as session:
            session.connection().execute(insert(ShareView).values(day=local_today(), **first))
            waiting = pool.submit(second)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
        waiting.result(timeout=30)
    assert link_of(postgresql_app, link_id).views == 2


def test_trial_of_a_cement_is_found_without_a_lot_too(app: Flask) -> None:
    with app.app_context():
        trial, _batch, mix, _customer = a_shown_trial()
        found = candidates(WantedIn.read({"cement_product_id": trial.cement_product_id}))
        assert [item.mix_design_id for item in found] == [mix.id]


def test_builder_narrows_and_orders_by_what_is_asked_for(app: Flask) -> None:
    with app.app_context():
        add = {name: service.add for name, service in SERVICES.items()}
        region = add["regions"]({"code": "R1", "name": "South"}, ACTOR)
        sources = [
            add["aggregate-sources"]({"code": f"A{n}", "name": "Pit", "kind": "fine"}, ACTOR) for n in (1, 2)
        ]
        sand, other_sand = (
            add["aggregate-samples"](
                {"code": f"{found.code}-1", "aggregate_source_id": found.id, "sampled_on": "2026-01-05"},
                ACTOR,
            )
            for found in sources
        )
        first, second, strong = (
            a_shown_trial(released=(), code=code) for code in ("C30-A", "C30-B", "C30-C")
        )
        theirs = add["cement-products"]({"code": "P2", "name": "Other", "cement_type": "P.O"}, ACTOR)
        lot = add["cement-lots"]({"code": "L2", "cement_product_id": theirs.id}, ACTOR)
        history = MixDesignService().add_history({"code": "T-1", **RECIPE}, "Their works", ACTOR)
        a_batch(first[0], history, released=())
        with transaction(ACTOR) as session:
            session.get_one(Trial, first[0].id).region_id = region.id
            session.get_one(Batch, first[1].id).aggregate_sample_id = sand.id
            of_second = {"batch_id": second[1].id, "kind": "fine_aggregate"}
            session.add(BatchLot(**of_second, aggregate_sample_id=other_sand.id))
            session.add(BatchLot(**of_second, aggregate_sample_id=sand.id, retired_at=utc_now()))
            session.get_one(Batch, strong[1].id).cement_lot_id = lot.id
            session.get_one(MixDesign, strong[2].id).grade_mpa = Decimal(45)
        own = first[0].cement_product_id
        for asked, codes in (
            ({}, ["C30-C", "C30-B", "C30-A"]),
            ({"region_id": region.id}, ["C30-A"]),
            ({"aggregate_source_id": sources[0].id}, ["C30-A"]),
            ({"aggregate_source_id": sources[1].id}, ["C30-B"]),
            ({"cement_product_id": own}, ["C30-B", "C30-A"]),
            ({"cement_product_id": theirs.id}, ["C30-C"]),  # the lot says which cement it was
            ({"grade_mpa": "20"}, ["C30-B", "C30-A"]),
            ({"grade_mpa": "36"}, ["C30-B", "C30-A", "C30-C"]),  # the nearest grade first
            ({"grade_mpa": "40"}, ["C30-C", "C30-B", "C30-A"]),
            ({"grade_mpa": "41"}, ["C30-C"]),
            (
                {"grade_mpa": "45", "trial_id": first[0].id},
                ["C30-A", "C30-C"],
            ),  # the own one whatever its grade
        ):
            found = candidates(WantedIn.read({name: str(value) for name, value in asked.items()}))
            assert [item.code for item in found] == codes, asked


def test_overview_counts_the_answers_of_its_thirty_days(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    link_id, _token = a_share(app)
    with app.app_context():
        with transaction(ACTOR) as session:
            session.add(ShareAnswer(share_link_id=link_id, kind="question", name="Li", contact="1"))
        for days, answers in ((29, 1), (31, 0)):
            later = utc_now() + timedelta(days=days)
            monkeypatch.setattr("lims.sharing.overview.utc_now", lambda later=later: later)
            (sharer,) = overview()["sharers"]
            assert (sharer.answers, sharer.open_answers) == (answers, 1)


def test_exported_links_say_how_often_they_were_seen_and_answered(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    link_id, _token = a_share(app)
    with app.app_context(), transaction(ACTOR) as session:
        session.add(ShareView(share_link_id=link_id, day=local_today(), views=7))
        session.add(ShareAnswer(share_link_id=link_id, kind="question", name="Li", contact="1"))
    text = sign_in_as(MANAGER).get("/share-links/export?format=csv").get_data(as_text=True)
    (row,) = csv.DictReader(text.removeprefix("\ufeff").splitlines())
    assert (row["Views"], row["Answers"], row["Open answers"]) == ("7", "1", "1")


def test_question_of_a_known_customer_opens_nothing_new(app: Flask) -> None:
    link_id, token = a_share(app)
    with app.app_context():
        before = SERVICES["customers"].page().total
    reader(app).post(
        f"/s/{token}/answer",
        data={
            "mark": mark_of(app, token),
            "kind": "question",
            "name": "Li",
            "contact": "li@example.com",
            "message": "Why?",
        },
    )
    sent = {"mark": mark_of(app, token), "kind": "trial", "name": "Li", "contact": "1"}
    reader(app).post(f"/s/{token}/answer", data=sent)
    with app.app_context():
        assert SERVICES["customers"].page().total == before
        asked, answer = SERVICES["share-answers"].page(filters={"share_link_id": link_id}).items
        plan = SERVICES["visit-plans"].page().items[0]
        owner = link_of(app, link_id).owner_id
        assert (asked.customer_id, plan.customer_id, plan.user_id) == (
            answer.customer_id,
            asked.customer_id,
            owner,
        )
        assert isinstance(answer, ShareAnswer)
        assert answer.message == "Why?"
        assert answer.created_by == f"reader:link-{link_id}"


def test_refused_answer_names_the_field_and_keeps_what_was_typed(app: Flask) -> None:
    _link, token = a_share(app)
    answer = reader(app).post(
        f"/s/{token}/answer",
        data={"mark": mark_of(app, token), "kind": "question", "name": "Li", "message": "typed text"},
    )
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "typed text" in page
    assert "Phone or e-mail" in page


def test_sales_shares_and_sees_nothing_of_customers_of_other_regions(app: Flask, sales: Person) -> None:
    with app.app_context():
        far = SERVICES["regions"].add({"code": "R-FAR", "name": "Far"}, ACTOR)
        trial, _batch, mix, customer = a_shown_trial(code="C30-F")
        with transaction(ACTOR) as session:
            session.get_one(Customer, customer.id).region_id = far.id
        open_trial = SERVICES["trials"].add({"name": "Nobody's"}, ACTOR)
        open_mix = SERVICES["mix-designs"].add({"code": "C30-O", "strength_class": "C30", **RECIPE}, ACTOR)
        a_batch(open_trial, open_mix, released=(3,))
        given = {"name": "Far reader"}
        of_trial, _token = ShareLinkService().create({**given, "trial_id": trial.id}, ACTOR)
        to_customer = {**given, "trial_id": open_trial.id, "customer_id": customer.id}
        of_customer, _token = ShareLinkService().create(to_customer, ACTOR)
        answer = {"kind": "question", "name": "Li", "contact": "1", "company": "Far Mixing"}
        kept = [keep_answer(link, AnswerIn.read(answer)).id for link in (of_trial, of_customer)]
        links = [of_trial.id, of_customer.id]
    page = sales.get("/share-links/add").get_data(as_text=True)
    assert ("C30-O" in page, "C30-F" in page) == (True, False)
    sent = {"name": "n", "shows": "strengths", "language": "en", "days": "3"}
    for chosen, near in ((f"{trial.id}-{mix.id}", ""), (f"{open_trial.id}-{open_mix.id}", str(mix.id))):
        for path in ("/share-links/preview", "/share-links/add"):
            assert sales.post(path, {**sent, "chosen": chosen, "near_ids": near}).status_code == 422
    for path in [*(f"/share-links/{key}" for key in links), *(f"/share-answers/{key}" for key in kept)]:
        assert sales.get(path).status_code == 404
    for path in ("/", "/share-links/", "/share-answers/"):
        page = sales.get(path).get_data(as_text=True)
        assert not [text for text in ("Far reader", "Far Mixing") if text in page]


def test_prospect_of_another_region_is_told_to_nobody_by_the_answer_to_a_link_for_all(
    app: Flask, sales: Person
) -> None:
    with app.app_context():
        far = SERVICES["regions"].add({"code": "R-FAR", "name": "Far"}, ACTOR)
        trial = SERVICES["trials"].add({"name": "Fair", "region_id": far.id}, ACTOR)
        mix = SERVICES["mix-designs"].add({"code": "C30-O", "strength_class": "C30", **RECIPE}, ACTOR)
        a_batch(trial, mix, released=(3,))
        link, _token = ShareLinkService().create({"name": "Fair", "trial_id": trial.id}, ACTOR)
        asked = {"kind": "trial", "name": "Li Na", "contact": "139", "company": "Far Mixing"}
        answer = keep_answer(link, AnswerIn.read(asked))
        link_id, key, prospect = link.id, answer.id, answer.customer_id
    one = (f"/share-answers/{key}", f"/api/v1/share-answers/{key}")
    assert [sales.get(path).status_code for path in one] == [404, 404]
    for path in ("/share-answers/", "/api/v1/share-answers/", f"/share-links/{link_id}"):
        answered = sales.get(path)
        assert answered.status_code == 200
        assert "Far Mixing" not in answered.get_data(as_text=True)
    seller = salesperson(app).user_id
    with app.app_context():
        ShareLinkService().hand_over(link_id, seller or 0, ACTOR)
    page = sales.get(one[0]).get_data(as_text=True)  # whose link it is now answers
    assert "Far Mixing" in page
    assert f"/customers/{prospect}" not in page


def test_erasing_the_person_of_a_prospect_takes_name_and_number_off_what_they_answered(app: Flask) -> None:
    link_id, _token = a_share(app, customer_id=None)
    with app.app_context():
        link, asked = ShareLinkService().get(link_id), {"kind": "trial", "company": "North"}
        kept = [
            keep_answer(link, AnswerIn.read({**asked, "name": name, "contact": contact}))
            for name, contact in (("Li Na", "139 0000"), ("Li Na", "li@example.com"), ("Wang Wu", "777"))
        ]
        ids, prospect = [answer.id for answer in kept], kept[0].customer_id
        SERVICES["customers"].erase_contact(prospect, ACTOR)  # type: ignore[attr-defined]
        current_session().expire_all()
        mark = SERVICES["customers"].get(prospect or 0).contact_name
        found = [current_session().get_one(ShareAnswer, key) for key in ids]
        assert [(item.name, item.contact) for item in found] == [
            (mark, mark),
            (mark, mark),
            ("Wang Wu", "777"),
        ]
        values = current_session().scalars(select(PersonalValue.value)).all()
        assert "777" in values
        assert not [value for value in values if value in {"Li Na", "139 0000", "li@example.com"}]


def test_new_address_ends_the_old_one(app: Flask, sales: Person) -> None:
    link_id, token = a_share(app)
    page = sales.post(f"/share-links/{link_id}/renew").get_data(as_text=True)
    new = re.search(r"/s/([\w-]{43})", page)
    assert new is not None
    assert reader(app).get(f"/s/{token}").status_code == 404
    assert reader(app).get(f"/s/{new[1]}").status_code == 200


def test_link_that_has_ended_gets_no_new_address_and_who_left_is_handed_none(app: Flask) -> None:
    service, seller = ShareLinkService(), salesperson(app)
    with app.app_context():
        shown = a_shown_trial()
    owned, _token = a_share(app, seller, trial=shown)
    other, _token = a_share(app, ACTOR, trial=shown)
    with app.app_context():
        with transaction(ACTOR) as session:
            session.get_one(User, seller.user_id).active = False
        assert [link.id for link in service.left_behind()] == [owned]
        for key in (seller.user_id or 0, 0, 2**31):
            with pytest.raises(Refused, match="no active account"):
                service.hand_over(other, key, ACTOR)
        service.revoke(other, ACTOR)
        for key in (owned, other):
            with pytest.raises(Refused, match="has ended"):
                service.renew(key, ACTOR)
        service.revoke(owned, ACTOR)
        assert service.left_behind() == []


def test_link_is_handed_to_nobody_who_cannot_deal_with_its_answers(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    link_id, _token = a_share(app)
    with app.app_context():
        bench = current_session().query(User).filter_by(username="technician").one().id
        owner = ShareLinkService().get(link_id).owner_id
    manager = sign_in_as(MANAGER)
    page = manager.get(f"/share-links/{link_id}").get_data(as_text=True)
    assert ("Sales Test</option>" in page, "Technician Test</option>" in page) == (True, False)
    refused = manager.post(f"/share-links/{link_id}/hand-over", {"owner_id": str(bench)})
    assert refused.status_code == 422
    said = "“Technician Test” cannot deal with its answers; accepted: "
    assert said in unescape(refused.get_data(as_text=True))
    assert link_of(app, link_id).owner_id == owner


def test_builder_offers_the_own_trial_first_and_the_link_it_makes_opens(app: Flask, sales: Person) -> None:
    with app.app_context():
        trial, _batch, mix, customer = a_shown_trial()
        other = a_shown_trial(released=(3, 7, 28), code="C30-T")
        other_id = other[2].id
    query = f"customer_id={customer.id}&cement_kg_m3=350&water_kg_m3=175"
    page = sales.get(f"/share-links/add?{query}").get_data(as_text=True)
    assert page.index("C30-S") > 0
    assert "own trial" in page
    assert ">38.7</td>" in page
    assert page.count('name="shows"') == len(SHAREABLE)
    sent = {
        "chosen": f"{trial.id}-{mix.id}",
        "near_ids": str(other_id),
        "customer_id": str(customer.id),
        "name": "Reader Ltd",
        "shows": ["forecast", "strengths", "near"],
        "language": "en",
        "days": "30",
    }
    preview = sales.post("/share-links/preview", sent)
    assert preview.status_code == 200
    assert "data-forecast" in preview.get_data(as_text=True)
    with app.app_context():
        assert SERVICES["share-links"].page().total == 0
    made = sales.post("/share-links/add", sent)
    found = re.search(r"http://localhost:8000/s/([\w-]{43})", made.get_data(as_text=True))
    assert found is not None
    sheet = text_of(app, found[1])
    assert "Nearest trials" in sheet
    assert "38.7" in sheet
    assert "C30-T" not in sheet
    with app.app_context():
        link = SERVICES["share-links"].page().items[0].id
    assert "Forecast, Released strengths, Nearest trials" in sales.get(f"/share-links/{link}").get_data(
        as_text=True
    )


def test_mix_leads_a_salesperson_to_the_builder_with_its_recipe_where_its_own_trial_is_chosen(
    app: Flask, sales: Person, sign_in_as: Callable[[str], Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        trial, _batch, mix, _customer = a_shown_trial()
        monkeypatch.setitem(RECIPE, "cement_kg_m3", "250")
        a_shown_trial(code="C30-T")  # the newest, which comes first where no recipe is asked for
    page = sales.get(f"/mix-designs/{mix.id}").get_data(as_text=True)
    asked = re.search(r'href="(/share-links/add\?[^"]+)"', page)
    assert asked is not None
    page = sales.get(unescape(asked[1])).get_data(as_text=True)
    assert 'name="cement_kg_m3"' in page
    assert re.findall(r'name="chosen" value="([\d-]+)" checked', page) == [f"{trial.id}-{mix.id}"]
    assert "/share-links/add" not in sign_in_as(TECHNICIAN).get(f"/mix-designs/{mix.id}").get_data(
        as_text=True
    )


def test_builder_proposes_a_trial_with_something_released_and_advice_that_holds_for_any(
    app: Flask, sales: Person
) -> None:
    with app.app_context():
        shown = a_shown_trial(released=(3,), code="C30-R")
        a_shown_trial(released=(), code="C30-U")  # the newest, which would come first
    page = sales.get("/share-links/add").get_data(as_text=True)
    assert page.index("C30-U") < page.index("C30-R")
    assert page.count("nothing released yet") == 1
    assert re.findall(r'name="chosen" value="([\d-]+)" checked', page) == [f"{shown[0].id}-{shown[2].id}"]
    cards = [label for label in re.findall(r"<label.*?</label>", page) if 'name="card_ids"' in label]
    ticked = [label for label in cards if "checked" in label]
    assert len(ticked) == 9  # three rules in each language: the sheet takes its own
    assert [title for title in ("No damp, lumpy", "Acid grounds") if title in "".join(ticked)] == [
        "No damp, lumpy"
    ]


def test_link_whose_page_is_loaded_again_is_made_once(app: Flask, sales: Person) -> None:
    with app.app_context():
        trial, _batch, mix, _customer = a_shown_trial()
    key = re.search(r'name="form_key" value="([^"]+)"', sales.get("/share-links/add").get_data(as_text=True))
    assert key is not None
    sent = {"chosen": f"{trial.id}-{mix.id}", "name": "Reader Ltd", "shows": "forecast", "form_key": key[1]}
    sent |= {"language": "en", "days": "30", "password": "tell-nobody"}
    assert sales.post("/share-links/add", sent).status_code == 200
    again = sales.post("/share-links/add", sent)
    assert again.status_code == 302
    assert "is made already" in sales.get(again.location).get_data(as_text=True)
    with app.app_context():
        assert SERVICES["share-links"].page().total == 1
    assert (
        sales.post("/share-links/add", {**sent, "days": "31"}).status_code == 200
    )  # went back and changed it
    with app.app_context():
        assert SERVICES["share-links"].page().total == 2


def test_what_is_kept_of_a_request_tells_nobody_whether_he_guessed_its_password(app: Flask) -> None:
    with app.app_context():
        sent = {"trial_id": str(a_shown_trial()[0].id), "name": "Reader", "days": "30"}
        hashes = set()
        for guess in ("tell-nobody", "no-longer"):
            ShareLinkService().create({**sent, "password": guess}, ACTOR, f"key {guess}")
            hashes |= set(current_session().scalars(select(RequestKey.sent_sha256)))
        assert len(hashes) == 1


def test_looking_for_trials_again_keeps_what_was_filled_in_below(app: Flask, sales: Person) -> None:
    with app.app_context():
        _trial, _batch, _mix, customer = a_shown_trial()
        other = a_shown_trial(released=(3, 7, 28), code="C30-T")
    sent = {
        "find": "1",
        "customer_id": str(customer.id),
        "cement_kg_m3": "350",
        "chosen": f"{other[0].id}-{other[2].id}",
        "shows": ["strengths"],
        "note": "As promised <today>",
        "days": "12",
        "name": "",
        "proposed_name": "",
    }
    page = sales.post("/share-links/add", sent).get_data(as_text=True)
    ticked = re.findall(r'name="(?:chosen|shows)" value="([^"]+)" checked', page)
    assert ticked == [sent["chosen"], "strengths"]
    assert "As promised &lt;today&gt;" in page
    assert re.search(r'name="days"[^>]* value="12"', page)
    assert re.search(r'name="name"[^>]* value="Reader Ltd"', page)  # the customer that is asked for now
    with app.app_context():
        assert SERVICES["share-links"].page().total == 0
    # A trial that is not among what is found is not sent unseen.
    page = sales.post("/share-links/add", {**sent, "chosen": "999-999", "name": "My own"}).get_data(
        as_text=True
    )
    assert re.findall(r'name="chosen" value="([^"]+)" checked', page) != ["999-999"]
    assert re.search(r'name="name"[^>]* value="My own"', page)


@pytest.mark.parametrize(
    ("later", "most", "shown"),
    [
        ({}, 12, ("18.6", "27.6")),  # the mean of both
        ({}, 1, ("19.0", None)),  # the newest batches alone
        ({"curing": "steam"}, 12, ("18.1", "27.6")),  # what was cured otherwise says nothing of the mix
        ({"curing_temperature_c": "5"}, 12, ("18.1", "27.6")),
    ],
)
def test_builder_offers_the_strengths_that_the_sheet_then_shows(
    app: Flask, sales: Person, monkeypatch: pytest.MonkeyPatch, later: dict[str, str], most: int,
    shown: tuple[str, str | None],
) -> None:  # fmt: skip
    monkeypatch.setattr(gathering, "MOST_BATCHES", most)
    with app.app_context():
        trial, _batch, mix, customer = a_shown_trial()
        a_batch(trial, mix, released=(3,), more_kn=20, **later)
    page = sales.get(f"/share-links/add?trial_id={trial.id}").get_data(as_text=True)
    row = page[page.index("C30-S</span>") :].split("</tr>")[0]
    assert re.findall(r'num">(\d\d\.\d|–)</td>', row)[-3:] == [strength or "–" for strength in shown] + ["–"]
    _link, token = a_share(app, trial=(trial, None, mix, customer), mix_design_id=mix.id)
    sheet = json.loads(reader(app).get(f"/s/{token}/sheet.json").get_data(as_text=True))
    assert [item["mpa"] for item in sheet["strengths"]] == [strength for strength in shown if strength]


def test_views_answers_and_state_stand_in_the_list(app: Flask, sales: Person) -> None:
    link_id, token = a_share(app)
    for _look in range(3):
        text_of(app, token)
    assert link_of(app, link_id).views == 3
    page = sales.get("/share-links/").get_data(as_text=True)
    assert "Reader" in page
    assert sales.get(f"/share-links/{link_id}").status_code == 200


def test_person_of_an_answer_is_erased_from_its_page_by_whom_the_right_was_given(
    app: Flask, sales: Person, sign_in_as: Callable[[str], Person]
) -> None:
    link_id, _token = a_share(app, customer_id=None)
    with app.app_context():
        given = AnswerIn.read({"kind": "question", "name": "Mr Bai", "contact": "139 0000"})
        key = keep_answer(ShareLinkService().get(link_id), given).id
    page, erase = f"/share-answers/{key}", f"/share-answers/{key}/erase"
    assert erase not in sales.get(page).get_data(as_text=True)
    assert sales.post(erase).status_code == 403
    manager = sign_in_as(MANAGER)
    assert f'action="{erase}"' in manager.get(page).get_data(as_text=True)
    assert manager.post(erase).status_code == 302
    shown = manager.get(page).get_data(as_text=True)
    assert not [text for text in ("Mr Bai", "139 0000", erase) if text in shown]
    step = f"/api/v1/share-answers/{key}/steps/erase"
    assert sales.client.post(step, headers={"X-CSRFToken": sales.token}).status_code == 403
