"""The strength picture of a mix: breaks, curve and band, forecast, and the result once it is there."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import numpy as np
from flask_babel import gettext as _
from sqlalchemy import select, true

from lims.aftersales.advice import matching_cards, situations_of_mix
from lims.base.database import current_session
from lims.base.display import format_decimal
from lims.base.security import may
from lims.forecasts.history import LEARNED_FROM_C, as_cast
from lims.forecasts.models import Forecast
from lims.forecasts.service import PREFERRED_AGES, TARGET_DAYS
from lims.mixes.models import MixDesign, MixRevision
from lims.mixes.schemas import COMPONENT_KINDS
from lims.results.models import Break, SetResult
from lims.sharing.schemas import WantedIn
from lims.standards.grades import grade_of_shape
from lims.standards.specimens import commonest_shape, factor_beside_set, shape_of_rule
from lims.strength.curves import aci209, band, ec2, fit_curve
from lims.trials.models import Batch, Specimen, SpecimenSet, cured_as_standard, where_cured_as_standard

CHART_AGES = (0.5, 91.0)
SHOWN_FORECASTS = 8


def mix_context(mix: MixDesign) -> dict[str, Any]:
    """What the page of a mix shows beyond its record: nine statements, two more of a mix that was revised."""
    revised = as_cast([mix.id]).get(mix.id)
    session = current_session()
    # Who reads no results sees what is released, here as on every paper.
    seen = true() if may("read", "set-results") else SetResult.state == "released"
    rows = session.execute(
        select(
            SpecimenSet.age_days,
            Break.strength_mpa,
            SetResult.rule_id,
            Specimen.width_mm,
            Batch.curing,
            Batch.curing_temperature_c,
        )
        .join(Specimen, Specimen.id == Break.specimen_id)
        .join(SpecimenSet, SpecimenSet.id == Specimen.specimen_set_id)
        .join(SetResult, (SetResult.specimen_set_id == SpecimenSet.id) & SetResult.superseded_at.is_(None))
        .join(Batch, Batch.id == SpecimenSet.batch_id)
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .where(MixRevision.mix_design_id == mix.id, Break.superseded_at.is_(None), seen)
        .order_by(SpecimenSet.age_days, Break.id)
    ).all()
    results = session.execute(
        select(SpecimenSet.age_days, SetResult.strength_mpa, SetResult.rule_id, Batch.mix_revision_id)
        .join(SpecimenSet, SpecimenSet.id == SetResult.specimen_set_id)
        .join(Batch, Batch.id == SpecimenSet.batch_id)
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .where(
            MixRevision.mix_design_id == mix.id,
            SetResult.superseded_at.is_(None),
            SetResult.strength_mpa.is_not(None),
            where_cured_as_standard(LEARNED_FROM_C),  # which is what is forecast
            seen,
        )
    ).all()
    said = list(
        session.scalars(
            select(Forecast).where(Forecast.mix_design_id == mix.id).order_by(Forecast.id.desc()).limit(40)
        )
    )
    as_standard = [cured_as_standard(curing, t, LEARNED_FROM_C) for *_break, curing, t in rows]
    # A forecast stands for the recipe by which the mix is cast now and for the shape that it is broken as more often, and so
    # does what it is held against.
    of_mix = [
        (age, Decimal(strength or 0), shape_of_rule(rule_id))
        for age, strength, rule_id, revision_id in results
        if revised is None or revision_id in revised.revisions
    ]
    wanted = commonest_shape(shape for _age, _mpa, shape in of_mix)
    at_target = [mpa for age, mpa, shape in of_mix if age == TARGET_DAYS and shape in ("", wanted)]
    drawn = ("", wanted or commonest_shape(shape_of_rule(row.rule_id) for row in rows))
    grade_mpa = grade_of_shape(mix.strength_class, mix.grade_mpa, drawn[1])
    by_age: dict[int, list[float]] = defaultdict(list)
    for age, strength, rule_id, width_mm, _curing, _temperature in rows:
        # On the scale of the results and of the forecast, in which sets of any size stand beside each other, and cubes and
        # cylinders do not.
        if shape_of_rule(rule_id) in drawn:
            by_age[int(age)].append(float(strength * factor_beside_set(rule_id, width_mm)))
    came_mpa = sum(at_target, Decimal(0)) / len(at_target) if at_target else None
    actual = None if came_mpa is None else float(came_mpa)
    of_recipe = [
        item for item in said if revised is None or not revised.since or item.created_at >= revised.since
    ]
    forecast = _shown(of_recipe, actual is not None)
    context: dict[str, Any] = {
        "observed": [
            {"age_days": age, "count": len(v), "mean": sum(v) / len(v)} for age, v in sorted(by_age.items())
        ],
        "actual": actual,
        # Half to even, as papers, lists and sheets say it: 38.45 is no 38.5 for being a binary fraction.
        "actual_text": "" if came_mpa is None else f"{came_mpa:.1f}",
        "forecast": forecast,
        "said_of_mpa": None if forecast is None else forecast.grade_mpa or grade_mpa,
        "history": said[:SHOWN_FORECASTS],
        "error_percent": None,
        "inside": None,
        "standard_curing": all(as_standard),
        "cured_as_standard": any(as_standard),
        "learned_from_c": [format_decimal(end) for end in LEARNED_FROM_C],
        "component_kinds": COMPONENT_KINDS,
        "chart": None,
        "advice": matching_cards(*situations_of_mix(mix)) if may("read", "advice-cards") else [],
        **recipe_context(mix),
    }
    if forecast is not None and forecast.strength_mpa is not None and actual:
        context["error_percent"] = (float(forecast.strength_mpa) / actual - 1) * 100
        assert forecast.lower_90_mpa is not None
        assert forecast.upper_90_mpa is not None
        context["inside"] = float(forecast.lower_90_mpa) <= actual <= float(forecast.upper_90_mpa)
    if any(value > 0 for values in by_age.values() for value in values) or forecast is not None:
        context["chart"] = chart_spec(by_age, forecast, float(grade_mpa) if grade_mpa else None)
    return context


def _shown(said: list[Forecast], known: bool) -> Forecast | None:
    """The latest forecast; once the result is known, the one made from about three days."""
    if known:
        for ages in PREFERRED_AGES:
            for item in said:
                if item.early_ages == ages:
                    return item
    return said[0] if said else None


def chart_spec(
    by_age: dict[int, list[float]], forecast: Forecast | None, grade_mpa: float | None
) -> dict[str, Any]:
    """Points and lines for static/js/chart.js, ages in days, strengths in MPa."""
    early = [
        float(age) for age in (forecast.early_ages.split(",") if forecast and forecast.early_ages else [])
    ]
    basis = {float(a): v for a, v in by_age.items() if not forecast or float(a) in early or not early}
    ages = [age for age, values in basis.items() if sum(values) > 0]
    means = [sum(basis[age]) / len(basis[age]) for age in ages]
    spec: dict[str, Any] = {
        "ages": list(CHART_AGES),
        "breaks": [[age, round(value, 3)] for age, values in sorted(by_age.items()) for value in values],
        "grade": grade_mpa,
        "labels": {
            "breaks": _("Breaks"),
            "curve": _("Fitted curve"),
            "band50": _("50 % band"),
            "band90": _("90 % band"),
            "forecast": _("Forecast"),
            "grade": _("Grade"),
            "age": _("Age, days"),
        },
    }
    median = (
        float(forecast.strength_mpa) if forecast is not None and forecast.strength_mpa is not None else None
    )
    if median is not None:
        ages, means = [*ages, float(TARGET_DAYS)], [*means, median]
    if not ages:
        return spec
    # The forecast weighs most: the curve is drawn through it.
    weights = [1.0] * (len(ages) - 1) + [9.0 if median is not None else 1.0]
    grid = np.geomspace(*CHART_AGES, 60)
    curve = fit_curve(ages, means, weights)
    middle = curve(grid)
    spec["curve"] = _points(grid, middle)
    if median is not None and forecast is not None:
        known = max(early) if early else None
        for name, low, high in (
            ("band50", forecast.lower_50_mpa, forecast.upper_50_mpa),
            ("band90", forecast.lower_90_mpa, forecast.upper_90_mpa),
        ):
            half = (
                float(np.log(median / float(low or median))),
                float(np.log(float(high or median) / median)),
            )
            lower, upper = band(grid, middle, known, float(TARGET_DAYS), half)
            spec[name] = {"lower": _points(grid, lower), "upper": _points(grid, upper)}
        spec["forecast"] = [float(TARGET_DAYS), median]
        spec["references"] = [
            {"name": "EC2, s 0.25", "data": _points(grid, ec2(grid, median))},
            {"name": "ACI 209", "data": _points(grid, aci209(grid, median))},
        ]
    return spec


def _points(ages: Any, values: Any) -> list[list[float]]:
    return [[round(float(a), 3), round(float(v), 3)] for a, v in zip(ages, values, strict=True)]


def recipe_context(mix: MixDesign) -> dict[str, Any]:
    """The composition as a bar, and every revision in use beside the others: what changed stands out."""
    revisions = [item for item in mix.revisions if item.components and item.retired_at is None]
    latest = revisions[-1] if revisions else None
    parts = []
    if latest is not None:
        total = sum((item.mass_kg_m3 for item in latest.components), Decimal(0))
        for item in latest.components:
            if item.mass_kg_m3 and total:
                share = item.mass_kg_m3 * 100 / total
                parts.append(
                    {
                        "kind": item.kind,
                        "label": item.name or str(COMPONENT_KINDS[item.kind]),
                        "mass": format_decimal(item.mass_kg_m3),
                        "percent": f"{share:.1f}",
                        "width": float(share),
                    }
                )
    kinds = [kind for kind in COMPONENT_KINDS if any(r.mass_of(kind) for r in revisions)]
    rows: list[dict[str, Any]] = [
        {
            "label": str(COMPONENT_KINDS[kind]),
            "unit": "kg/m³",
            "values": [format_decimal(r.mass_of(kind)) for r in revisions],
        }
        for kind in kinds
    ]
    rows += [
        {
            "label": _("Water to binder"),
            "unit": "",
            "values": [
                "–" if r.water_binder_ratio is None else f"{r.water_binder_ratio:.3f}" for r in revisions
            ],
        },
        {
            "label": _("Sand ratio"),
            "unit": "%",
            "values": [_sand_ratio(r) for r in revisions],
        },
    ]
    if may("read", "prices"):
        costs = ["–" if r.cost_per_m3 is None else f"{r.cost_per_m3:.2f}" for r in revisions]
        rows.append({"label": _("Cost"), "unit": _("per m³"), "values": costs})
    for row in rows:
        row["changed"] = [
            index > 0 and value != row["values"][index - 1] for index, value in enumerate(row["values"])
        ]
    return {
        "parts": parts,
        "revisions": revisions,
        "revision_rows": rows,
        "recipe_asked": _asked(mix, latest) if latest is not None and mix.kind == "concrete" else {},
    }


def _asked(mix: MixDesign, latest: MixRevision) -> dict[str, str]:
    """Grade and recipe as who builds a trial sheet is asked for them: the nearest trial to a mix is its own."""
    masses = {
        name: latest.mass_of(name.removesuffix("_kg_m3"))
        for name in WantedIn.model_fields
        if "_kg_m3" in name
    }
    grade = {"grade_mpa": mix.grade_mpa} if mix.grade_mpa else {}
    return {name: format_decimal(value) for name, value in (grade | masses).items() if value}


def _sand_ratio(revision: MixRevision) -> str:
    """Sand to all aggregate by mass, %."""
    sand, stone = revision.mass_of("fine_aggregate"), revision.mass_of("coarse_aggregate")
    return f"{sand * 100 / (sand + stone):.1f}" if sand + stone else "–"
