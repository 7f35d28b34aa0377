"""Cubes that are not of 150 mm: the factor of the set, what is said of it, and strengths beside each other on one scale."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from lims.audit.sampling import recomputed
from lims.base.database import current_session
from lims.base.files import bytes_of
from lims.base.laboratory import laboratory
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.mixes.models import MixDesign
from lims.reporting.certificate import certificate_data, released_results, reservations_of
from lims.reporting.schemas import CertificateIn, SummaryFilters
from lims.reporting.service import CertificateService
from lims.reporting.statistics import grouped, result_rows
from lims.results.due import due_set
from lims.results.entry import EntryIn, doubts, due_entry, entry_warnings, save_entry
from lims.results.schemas import BASES, SetBreaksIn
from lims.results.service import breaks_of, record_set, release, verify
from lims.results.views import NO_STRENGTH
from lims.rules.service import compare, rule_of
from lims.standards.specimens import cube_set, factor_beside_set, untested_factor
from lims.trials.models import SpecimenSet
from lims.web.mix_page import mix_context
from tests.factories import ACTOR, RECIPE, a_batch, a_mix
from tests.reporting.production import CHECKER
from tests.reporting.test_certificates import text_of

LOADS = ["800", "810", "820"]


def a_set(
    grade: int = 70, edge: str = "100", age: int = 3, mix_of: str = "", shape: str = "cube"
) -> SpecimenSet:
    code = mix_of or f"C{grade}-{edge}"
    mix = current_session().scalars(select(MixDesign).where(MixDesign.code == code)).one_or_none()
    if mix is None:
        mix = SERVICES["mix-designs"].add({"code": code, "strength_class": f"C{grade}", **RECIPE}, ACTOR)
    cast_at = (datetime.now(UTC) - timedelta(days=age)).isoformat()
    batch = a_batch("40", mix=mix, cast_at=cast_at, plan_ages=str(age), shape=shape, width_mm=edge)
    (found,) = batch.sets
    return found


def loads(*values: str, **more: Any) -> SetBreaksIn:
    return SetBreaksIn.read({"loads_kn": list(values), "tested_at": datetime.now(UTC).isoformat(), **more})


def released(found: SpecimenSet) -> None:
    verify(found.id, CHECKER)
    release(found.id, CHECKER)


@pytest.mark.parametrize("grade", [60, 70, 100])
def test_100_mm_cubes_from_c60_to_c100_are_entered_with_0_95_and_a_reservation(
    records_on_both: Flask, grade: int
) -> None:
    found = a_set(grade)
    (row,) = json.loads(due_entry([due_set(found.id)]))  # type: ignore[list-item]
    assert row["factor"] == "0.95"  # the preview is the result
    entry = EntryIn.read({
        "key": "once", "set_id": found.id, "loads_kn": LOADS, "tested_at": datetime.now(UTC).isoformat()
    })  # fmt: skip
    first, again = save_entry(entry, ACTOR), save_entry(entry, ACTOR)
    assert first["strength_mpa"] == "77.0"  # (80 + 81 + 82) / 3 x 0.95 = 76.95, half to even
    assert first == again
    (said,) = first["warnings"]
    assert "0.95" in said
    assert "not found by test" in said
    assert entry_warnings(found.id) == [said]
    released(found)
    paper = certificate_data(
        found.batch, released_results(found.batch_id), code="X", issued_at=datetime.now(UTC), issued_by="x"
    )
    (reservation,) = paper["reservations"]
    assert reservation["en"].endswith("from C60 on")
    assert reservations_of(released_results(found.batch_id)) == [reservation["en"]]
    under = compare(found.id, rule_of("gbt50081-2019/cube-set"))
    assert under.answer is not None
    assert under.answer["strength_mpa"] == "77.0"
    (broken, *_more) = breaks_of([specimen.id for specimen in found.specimens]).values()
    assert recomputed(found.specimens[0], broken)


@pytest.mark.parametrize(
    ("family", "rule", "strength", "basis"),
    [
        ("gb", "gbt50081-2019/cylinder-set", "28.5", "middle"),
        ("astm", "aci318/strength-test", "32.4", "mean"),
        ("en", "en206/cylinder-sample", None, "spread"),
    ],
)
def test_three_cylinders_are_judged_as_the_codes_of_the_laboratory_judge_them(
    records: Flask, monkeypatch: pytest.MonkeyPatch, family: str, rule: str, strength: str | None, basis: str
) -> None:
    """230, 236 and 298 kN on 100 mm: the last lies 26 % above the middle one, 30.05 MPa x 0.95; their range is 27 % of the
    mean."""
    facts = replace(laboratory(), code_family=family)
    for module in ("lims.results.service", "lims.results.entry", "lims.trials.service", "lims.trials.models"):
        monkeypatch.setattr(f"{module}.laboratory", lambda: facts)
    found = a_set(30, "100", shape="cylinder")
    (row,) = json.loads(due_entry([due_set(found.id)]))  # type: ignore[list-item]
    typed = {"gb": ("cube-set", "0.95"), "astm": ("mean", "1"), "en": ("range", "1")}
    assert (row["rule"], row["factor"]) == typed[family]
    result = record_set(found.id, loads("230", "236", "298"), ACTOR)
    given = None if result.strength_mpa is None else f"{result.strength_mpa:.1f}"
    assert (result.rule_id, given, result.basis) == (rule, strength, basis)
    assert factor_beside_set(result.rule_id, Decimal(100)) == Decimal(row["factor"])
    beside = compare(found.id, rule_of("gbt50081-2019/cube-set"))
    assert beside.answer is None  # a cylinder's load over the area of a cube is no strength
    assert "Cylinder" in beside.problem
    again = compare(found.id, rule_of("gbt50081-2019/set-of-three"))
    assert again.answer is not None
    assert again.answer["basis"] == "middle"


def test_each_verdict_without_a_strength_is_told_in_its_own_words_when_it_was_saved() -> None:
    assert set(NO_STRENGTH) == set(BASES) - {"mean", "middle"}
    assert len(set(map(str, NO_STRENGTH.values()))) == len(NO_STRENGTH)


@pytest.mark.parametrize(
    ("typed", "strength", "basis"),
    [
        (("640", "650", "660"), "65.0", "mean"),
        (("601.25", "650", "698.75"), "65.0", "mean"),  # exactly 15 % of the mean
        (
            ("601", "650", "699"),
            None,
            "spread",
        ),  # GB/T 50081 would have the mean: neither is 15 % from the middle one
    ],
)
def test_cubes_of_an_en_laboratory_are_a_sample_without_a_factor_between_sizes(
    records: Flask,
    monkeypatch: pytest.MonkeyPatch,
    typed: tuple[str, ...],
    strength: str | None,
    basis: str,
) -> None:
    """100 mm cubes of C60: GB/T 50081 would multiply them by 0.95 and want a test for it."""
    facts = replace(laboratory(), code_family="en")
    for module in ("lims.results.service", "lims.results.entry", "lims.trials.service", "lims.trials.models"):
        monkeypatch.setattr(f"{module}.laboratory", lambda: facts)
    found = a_set(60)
    result = record_set(found.id, loads(*typed), ACTOR)
    assert result.rule_id == "en206/cube-sample"
    given = None if result.strength_mpa is None else f"{result.strength_mpa:.1f}"
    assert (given, result.basis) == (strength, basis)
    assert entry_warnings(found.id) == []
    beside = compare(found.id, rule_of("en206/cube-sample"))
    assert beside.answer is not None
    assert beside.answer["basis"] == basis


@pytest.mark.parametrize(
    ("family", "shape", "width", "least"),
    [
        ("en", "cube", "150", 1),  # EN 206 8.2.1.2: an individual specimen, or the mean of two or more
        ("en", "cylinder", "100", 1),
        ("astm", "cylinder", "150", 2),  # ACI 318 26.12
        ("astm", "cylinder", "100", 3),
        ("gb", "cylinder", "150", 3),
        ("gb", "cube", "150", 3),
    ],
)
def test_a_set_has_as_few_specimens_as_the_codes_make_a_result_of(
    records: Flask, monkeypatch: pytest.MonkeyPatch, family: str, shape: str, width: str, least: int
) -> None:
    """Three at least were asked for of everybody, though the strength of fewer was judged."""
    facts = replace(laboratory(), code_family=family)
    for module in ("lims.results.service", "lims.results.entry", "lims.trials.service", "lims.trials.models"):
        monkeypatch.setattr(f"{module}.laboratory", lambda: facts)
    cast = {
        "mix": a_mix(),
        "cast_at": (datetime.now(UTC) - timedelta(days=3)).isoformat(),
        "plan_ages": "3",
        "shape": shape,
        "width_mm": width,
    }
    batch = a_batch("40", **cast, specimens_per_set=str(least))
    typed = ("640", "650", "660")[:least]
    result = record_set(batch.sets[0].id, loads(*typed), ACTOR)
    assert (result.specimen_count, result.basis) == (least, "mean")
    with pytest.raises(Refused) as refused:
        a_batch("40", **cast, specimens_per_set=str(least - 1))
    (problem,) = refused.value.problems
    accepted = f"{least - 1} is not accepted; accepted: a whole number from {least} to 30"
    assert (problem.field, str(problem.message)) == ("specimens_per_set", accepted)


def test_below_c60_the_factor_is_fixed_and_nothing_is_said(records: Flask) -> None:
    found = a_set(55)
    assert record_set(found.id, loads("600", "600", "600"), ACTOR).strength_mpa == Decimal("57.0")
    assert entry_warnings(found.id) == []


def test_200_mm_cubes_of_c60_still_need_a_factor_found_by_test(records: Flask) -> None:
    with pytest.raises(Refused, match="found by test"):
        a_set(60, "200")  # before they are cast
    found = a_set(50, "200")
    mix = found.batch.mix_revision.mix_design
    SERVICES["mix-designs"].edit(mix.id, {"code": mix.code, "strength_class": "C60"}, mix.version, ACTOR)
    with pytest.raises(Refused, match="found by test"):
        record_set(found.id, loads("2400", "2410", "2420"), ACTOR)


def test_strengths_that_were_reported_have_no_factor_to_reserve(records: Flask) -> None:
    found = a_set(70)
    record_set(found.id, SetBreaksIn.read({"strengths_mpa": ["80", "81", "82"]}), ACTOR)
    assert entry_warnings(found.id) == []


@pytest.mark.parametrize(
    ("edge", "grade", "factor"),
    [
        ("100", "60", "0.95"),
        ("100", "100", "0.95"),
        ("100", "59.9", None),
        ("100", "100.1", None),
        ("200", "60", None),
        ("150", "60", None),
    ],
)
def test_gbt50081_5_0_6_untested_factor(edge: str, grade: str, factor: str | None) -> None:
    taken = untested_factor("cube", Decimal(edge), Decimal(grade))
    assert taken == (None if factor is None else Decimal(factor))
    assert untested_factor("cylinder", Decimal(edge), Decimal(grade)) is None


def test_every_strength_of_a_mix_stands_on_the_scale_of_its_sets(app: Flask, tmp_path: Path) -> None:
    """Sets of 100 and of 150 mm cubes of one concrete: 30, 32 and 34 MPa on the scale of the 150 mm cube."""
    with app.app_context():
        small, usual = a_set(30, "100", 28), a_set(30, "150", 28, mix_of="C30-100")
        record_set(small.id, loads("315.789", "336.842", "357.895"), ACTOR)
        record_set(usual.id, loads("675", "720", "765"), ACTOR)
        for found in (small, usual):
            released(found)
        mix = small.batch.mix_revision.mix_design
        (at_28,) = mix_context(mix)["observed"]
        assert at_28["mean"] == pytest.approx(32, abs=0.001)
        assert {round(value, 2) for _age, value in mix_context(mix)["chart"]["breaks"]} == {30, 32, 34}
        rows = list(result_rows(SummaryFilters.read({"released": "true"})))
        assert [round(row.range_mpa or 0, 2) for row in rows] == [4, 4]
        (group,) = grouped(rows, "grade")
        assert round(group.within_test_mpa, 2) == Decimal("2.36")
        for rule_id in ("gbt50081-2019/set-of-three", "gbt50081-2019/cube-set"):
            answers = [compare(found.id, rule_of(rule_id)).answer for found in (small, usual)]
            assert [answer and answer["strength_mpa"] for answer in answers] == ["32.0", "32.0"]
        (broken, *_more) = breaks_of([small.specimens[0].id]).values()
        assert broken.strength_mpa == Decimal("31.5789")  # the break itself stays F/A


@pytest.mark.parametrize(("edge", "area"), [("100", "10"), ("150", "22.5")])
def test_certificate_prints_the_factor_between_specimens_and_result(
    app: Flask, tmp_path: Path, edge: str, area: str
) -> None:
    measured = {"100": ("31.58", "33.68", "35.79"), "150": ("30", "32", "34")}[edge]
    with app.app_context():
        found = a_set(30, edge, 28)
        record_set(found.id, loads(*(str(Decimal(area) * Decimal(value)) for value in measured)), ACTOR)
        released(found)
        (printed,) = certificate_data(
            found.batch,
            released_results(found.batch_id),
            code="X",
            issued_at=datetime.now(UTC),
            issued_by="x",
        )["sets"]
        content = bytes_of(
            CertificateService().issue(CertificateIn.read({"batch_id": found.batch_id}), ACTOR).file_id or 0
        )
    strengths = [(item["strength_mpa"], item.get("scaled_mpa")) for item in printed["specimens"]]
    if edge == "100":
        assert printed["size_factor"] == "0.95"
        assert strengths == [("31.6", "30.0"), ("33.7", "32.0"), ("35.8", "34.0")]
        assert "尺寸换算系数 0.95" in text_of(content, tmp_path)
    else:
        assert "size_factor" not in printed
        assert strengths == [("30.0", None), ("32.0", None), ("34.0", None)]
        assert "尺寸换算系数" not in text_of(content, tmp_path)


def test_doubts_about_an_entry_are_on_the_scale_of_the_results(records: Flask) -> None:
    """150 mm cubes of 40 MPa: up to 60 MPa surprises nobody. 100 mm cubes of 62 MPa are 58.9 of these."""
    record_set(a_set(30, "150").id, loads("900", "900", "900"), ACTOR)
    small = a_set(30, "100", mix_of="C30-150")
    assert doubts(small.id, loads("620", "620", "620")) == []
    (asked,) = doubts(small.id, loads("640", "640", "640"))
    assert "60.8 MPa" in asked


@given(
    st.sampled_from(["100", "150", "200"]),
    st.lists(st.decimals(min_value=300, max_value=340, places=1), min_size=3, max_size=3),
)
def test_set_of_within_15_percent_is_the_mean_of_its_specimens_on_its_own_scale(
    edge: str, three: list[Decimal]
) -> None:
    verdict = cube_set(Decimal(edge), three, Decimal(40))
    factor = factor_beside_set(verdict.rule_id, Decimal(edge))
    assert factor == verdict.size_factor
    mean = sum(verdict.specimen_strengths_mpa, Decimal(0)) / 3 * factor
    assert verdict.strength_mpa is not None
    assert abs(verdict.strength_mpa - mean) <= Decimal("0.0500001")
    assert factor_beside_set("aci318/strength-test", Decimal(edge)) == 1
