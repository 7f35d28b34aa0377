"""Cubes that are not of 150 mm: the factor of the set, what is said of it, and strengths beside each other on one scale."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from lims.audit.sampling import recomputed
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.reporting.certificate import certificate_data, released_results
from lims.results.due import due_set
from lims.results.entry import EntryIn, due_entry, entry_warnings, reservations_of, save_entry
from lims.results.schemas import SetBreaksIn
from lims.results.service import breaks_of, record_set, release, verify
from lims.rules.service import compare, rule_of
from lims.standards.specimens import untested_factor
from lims.trials.models import SpecimenSet
from tests.factories import ACTOR, RECIPE, a_batch
from tests.reporting.production import CHECKER

LOADS = ["800", "810", "820"]


def a_set(grade: int = 70, edge: str = "100", age: int = 3, **more: Any) -> SpecimenSet:
    mix = SERVICES["mix-designs"].add(
        {"code": f"C{grade}-{edge}", "strength_class": f"C{grade}", **RECIPE}, ACTOR
    )
    cast_at = (datetime.now(UTC) - timedelta(days=age)).isoformat()
    batch = a_batch("40", mix=mix, cast_at=cast_at, plan_ages=str(age), shape="cube", width_mm=edge, **more)
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
    assert reservations_of(found.batch_id) == [f"{found.code}: {said}"]
    released(found)
    paper = certificate_data(
        found.batch, released_results(found.batch_id), code="X", issued_at=datetime.now(UTC), issued_by="x"
    )
    (reservation,) = paper["reservations"]
    assert reservation["en"].endswith("from C60 on")
    under = compare(found.id, rule_of("gbt50081-2019/cube-set"))
    assert under.answer is not None
    assert under.answer["strength_mpa"] == "77.0"
    (broken, *_more) = breaks_of([specimen.id for specimen in found.specimens]).values()
    assert recomputed(found.specimens[0], broken)


def test_below_c60_the_factor_is_fixed_and_nothing_is_said(records: Flask) -> None:
    found = a_set(55)
    assert record_set(found.id, loads("600", "600", "600"), ACTOR).strength_mpa == Decimal("57.0")
    assert entry_warnings(found.id) == []


def test_200_mm_cubes_of_c60_still_need_a_factor_found_by_test(records: Flask) -> None:
    found = a_set(60, "200")
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
