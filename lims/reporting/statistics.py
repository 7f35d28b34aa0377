"""Results as numbers: which sets a summary is about, their groups, and the verdicts of the codes on each.

Rows come by one statement (and the forecasts of their mixes by few more); means, deviations and verdicts are exact
decimals through the rules of lims/standards, each verdict with the rule and the edition that gave it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import case, func, or_, select

from lims.base.database import among, current_session
from lims.base.display import format_decimal, laboratory_zone
from lims.base.laboratory import laboratory
from lims.base.words import cited
from lims.customers.models import Customer
from lims.forecasts.history import Recast, is_of_shape, recasts, shapes_forecast
from lims.forecasts.models import Forecast
from lims.materials.models import CementLot, CementProduct, Region
from lims.mixes.models import MixDesign, MixRevision
from lims.mixes.schemas import MIX_KINDS
from lims.reporting.schemas import ACCEPTANCE_DAYS, SummaryFilters
from lims.results.models import Break, SetResult
from lims.rules.answers import refusal
from lims.rules.service import evaluate
from lims.standards.acceptance import (
    ACI_CONSECUTIVE_TESTS,
    EN206_CONTINUOUS_RESULTS,
    EN206_INITIAL_RESULTS,
    EN206_SIGMA_RESULTS,
    aci214_standard_of_control,
    aci214_within_test_deviation,
    en206_each,
)
from lims.standards.errors import RuleInputError
from lims.standards.grades import grade_of_shape
from lims.standards.register import REGISTER
from lims.standards.register.rule import plain
from lims.standards.rounding import exact_context
from lims.standards.specimens import commonest_shape, factor_beside_set, shape_of_rule
from lims.standards.statistics import mean, sample_deviation
from lims.trials.models import Batch, Specimen, SpecimenSet, Trial, cured_as_standard
from lims.trials.schemas import SHAPES
from lims.trials.service import batches_of_seen

#: Verdicts of a summary: name -> rules that may give it.
GB, ACI, EN = "gbt50107-2010/lot", "aci318/acceptance", ("en206/initial", "en206/continuous")
ACI214 = "aci214/standard-of-control"
#: ACI 214: a standard of control is named from this many tests on; fewer say too little about s (R).
CONTROL_FROM = 15


def apart(shape: str) -> str:
    """A shape in words where it is not the laboratory's own, else "": a cylinder bears about four fifths of what a cube
    does, so the two are neither put together nor judged together."""
    return str(SHAPES[shape]) if shape and shape != laboratory().codes.shape else ""


def sprayed(kind: str) -> str:
    """ "Shotcrete" of a mix of that kind, else "": it is neither put together nor judged together with what is cast."""
    return str(MIX_KINDS[kind]) if kind == "shotcrete" else ""


def beside(name: str, what: str) -> str:
    """The name of a group, with what it is told apart by, as its shape: "C30 · Cylinder"."""
    return f"{name} · {what}" if name and what else name


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One set's result that counts, with all that it can be grouped by."""

    set_id: int
    set_code: str
    batch_id: int
    batch_code: str
    element: str
    mix_id: int
    mix: str
    grade_mpa: Decimal | None
    grade: str
    region: str
    customer: str
    cement: str
    lot: str
    age_days: int
    cast_at: datetime | None
    tested_at: datetime | None
    strength_mpa: Decimal | None
    basis: str
    state: str
    rule_id: str
    edition: str
    specimens: int
    range_mpa: Decimal | None
    standard: bool
    entered_at: datetime
    region_id: int | None = None
    customer_id: int | None = None
    revision_id: int = 0
    #: cube or cylinder, "" of what was reported.
    shape: str = ""
    #: `apart` of the shape.
    apart: str = ""
    #: Of a mortar, which codes for concrete do not judge.
    mortar: bool = False
    #: Broken outside the tolerance of its age, where the laboratory's code states one. It counts: a certificate says so too.
    off_age: bool = False
    #: `sprayed` of the kind of the mix.
    sprayed: str = ""
    forecast_mpa: Decimal | None = None
    lower_90_mpa: Decimal | None = None
    upper_90_mpa: Decimal | None = None

    @property
    def counts(self) -> bool:
        """Does it stand for the concrete: a valid set under standard curing?"""
        return self.strength_mpa is not None and self.strength_mpa > 0 and self.standard

    @property
    def of_grade(self) -> str:
        """The grade with what it is told apart by, "C30 · Cylinder", "C25 · Shotcrete"; "" of a mix without one."""
        return beside(self.beside(self.grade), self.sprayed)

    @property
    def graded(self) -> str:
        """What groups are told apart by: `of_grade`, and of a mix without a grade shape and kind alone."""
        return self.of_grade or beside(self.apart, self.sprayed) or self.sprayed

    def beside(self, name: str) -> str:
        """A name under which this result may stand beside the laboratory's others."""
        return beside(name, self.apart)

    @property
    def forecast_error_percent(self) -> Decimal | None:
        """How far the forecast was from what came, per cent of what came."""
        if self.forecast_mpa is None or not self.strength_mpa:
            return None
        with localcontext(exact_context()):
            return 100 * (self.forecast_mpa / self.strength_mpa - 1)


def result_rows(filters: SummaryFilters) -> Iterator[ResultRow]:
    """Results in the order of casting, of customers whom the asking person may know of. Invalid sets and other curing are
    there too; `counts` tells them apart."""
    zone = laboratory_zone()
    since, until = filters.instants(zone)
    broken = (
        select(
            Specimen.specimen_set_id.label("set_id"),
            func.min(Break.tested_at).label("tested_at"),
            func.min(Break.strength_mpa).label("least"),
            func.max(Break.strength_mpa).label("most"),
            func.min(Specimen.width_mm).label("width_mm"),  # a set has specimens of one size
            func.max(case((Break.age_within.is_(False), 1), else_=0)).label("off_age"),
        )
        .join(Specimen, Specimen.id == Break.specimen_id)
        .where(Break.superseded_at.is_(None))
        .group_by(Specimen.specimen_set_id)
    )
    if since is not None:
        broken = broken.where(Break.tested_at >= since)
    if until is not None:
        broken = broken.where(Break.tested_at < until)
    tested = broken.subquery()
    cement_id = func.coalesce(CementLot.cement_product_id, Trial.cement_product_id)
    query = (
        select(
            SpecimenSet.id,
            SpecimenSet.code,
            Batch.id,
            Batch.code,
            Batch.element,
            MixDesign.id,
            MixDesign.code,
            MixDesign.grade_mpa,
            MixDesign.strength_class,
            Region.name,
            Customer.name,
            CementProduct.code,
            CementProduct.name,
            CementLot.code,
            SpecimenSet.age_days,
            Batch.cast_at,
            tested.c.tested_at,
            SetResult.strength_mpa,
            SetResult.basis,
            SetResult.state,
            SetResult.rule_id,
            SetResult.edition,
            SetResult.specimen_count,
            tested.c.least,
            tested.c.most,
            tested.c.width_mm,
            Batch.curing,
            Batch.curing_temperature_c,
            SetResult.created_at,
            MixDesign.laboratory,
            Trial.region_id,
            Trial.customer_id,
            Batch.mix_revision_id,
            MixDesign.kind,
            tested.c.off_age,
        )
        .select_from(SetResult)
        .join(SpecimenSet, SpecimenSet.id == SetResult.specimen_set_id)
        .join(tested, tested.c.set_id == SpecimenSet.id)
        .join(Batch, Batch.id == SpecimenSet.batch_id)
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .join(MixDesign, MixDesign.id == MixRevision.mix_design_id)
        .join(Trial, Trial.id == Batch.trial_id)
        .outerjoin(Region, Region.id == Trial.region_id)
        .outerjoin(Customer, Customer.id == Trial.customer_id)
        .outerjoin(CementLot, CementLot.id == Batch.cement_lot_id)
        .outerjoin(CementProduct, CementProduct.id == cement_id)
        .where(SetResult.superseded_at.is_(None), *batches_of_seen(Batch.trial_id))
        # Of imported history, of which nobody knows when it was cast, first: PostgreSQL would put it last.
        .order_by(Batch.cast_at.asc().nulls_first(), SpecimenSet.id)
    )
    if filters.released:
        query = query.where(SetResult.state == "released")
    if filters.grade_mpa is not None:
        # Of a class of two numbers either may stand in the mix: which of them results go by, hangs on their shape.
        of_two = MixDesign.strength_class.contains("/")
        query = query.where(or_(MixDesign.grade_mpa == filters.grade_mpa, of_two))
    for wanted, column in (
        (filters.region_id, Trial.region_id),
        (filters.customer_id, Trial.customer_id),
        (filters.cement_product_id, cement_id),
        (filters.age_days, SpecimenSet.age_days),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    for row in current_session().execute(query.execution_options(yield_per=1_000)):
        found = _row(row)
        if filters.grade_mpa is None or found.grade_mpa == filters.grade_mpa:
            yield found


def _row(row: Any) -> ResultRow:
    (
        set_id, set_code, batch_id, batch_code, element, mix_id, mix, grade_mpa, strength_class, region, customer,
        cement_code, cement_name, lot, age_days, cast_at, tested_at, strength, basis, state, rule_id, edition,
        specimens, least, most, width, curing, temperature, entered_at, made_by, region_id, customer_id, revision_id,
        kind, off_age,
    ) = row  # fmt: skip
    shape = shape_of_rule(rule_id)
    grade_mpa = grade_of_shape(strength_class, grade_mpa, shape or laboratory().codes.shape)
    mortar = kind == "mortar"
    letter = "M" if mortar else "C"
    return ResultRow(
        set_id,
        set_code,
        batch_id,
        batch_code,
        element or "",
        mix_id,
        mix if made_by == current_app.config.get("LIMS_LABORATORY", "own") else f"{made_by}: {mix}",
        grade_mpa,
        strength_class or (f"{letter}{format_decimal(grade_mpa)}" if grade_mpa is not None else ""),
        region or "",
        customer or "",
        f"{cement_code} {cement_name}" if cement_code else "",
        lot or "",
        age_days,
        cast_at,
        tested_at,
        strength,
        basis,
        state,
        rule_id,
        edition,
        specimens,
        _range(least, most, factor_beside_set(rule_id, width)) if specimens in {2, 3} else None,
        cured_as_standard(curing, temperature),
        entered_at,
        region_id,
        customer_id,
        revision_id,
        shape,
        apart(shape),
        mortar,
        bool(off_age) and laboratory().codes.age_judged,
        sprayed(kind),
    )


def _range(least: Decimal | None, most: Decimal | None, factor: Decimal) -> Decimal | None:
    """Between the weakest and the strongest specimen of a set, on the scale of its result."""
    if least is None or most is None:
        return None
    with localcontext(exact_context()):
        return (most - least) * factor


def with_forecasts(rows: Iterable[ResultRow]) -> list[ResultRow]:
    """Rows of 28 d with what had been forecast for their mix: the newest forecast from early breaks that had not seen
    the result, because it was made before or because the result was held out."""
    found = list(rows)
    mixes = {row.mix_id for row in found if row.age_days == ACCEPTANCE_DAYS}
    said: dict[int, list[Any]] = defaultdict(list)
    query = (
        select(
            Forecast.mix_design_id,
            Forecast.strength_mpa,
            Forecast.lower_90_mpa,
            Forecast.upper_90_mpa,
            Forecast.created_at,
            Forecast.held_out,
            Forecast.early_ages,
        )
        .where(
            among(Forecast.mix_design_id, mixes),
            Forecast.age_days == ACCEPTANCE_DAYS,
            Forecast.strength_mpa.is_not(None),
            Forecast.early_ages != "",
        )
        .order_by(Forecast.id.desc())
    )
    for item in current_session().execute(query) if mixes else ():
        said[item.mix_design_id].append(item)
    for items in said.values():
        items.sort(key=lambda item: -item.early_ages.count(","))  # stable: newest first among equals
    recast = recasts(mixes) if mixes else {}
    # Of cubes and cylinders of one mix one is forecast, by all that was broken of it: not by what these filters leave.
    mixed = {row.mix_id for row in found if row.apart and row.mix_id in mixes}
    shapes = shapes_forecast(mixed) if mixed else {}
    return [
        _forecast_of(row, said.get(row.mix_id, ()), recast.get(row.mix_id))
        if is_of_shape(row.shape, row.revision_id, shapes)
        else row
        for row in found
    ]


def _forecast_of(row: ResultRow, said: Sequence[Any], recast: Recast | None) -> ResultRow:
    if row.age_days != ACCEPTANCE_DAYS:
        return row
    for item in said:
        if recast is not None and not recast.so_cast(row.revision_id, item.created_at):
            continue  # said of the mix by another recipe
        if item.held_out or item.created_at <= row.entered_at:
            return replace(
                row,
                forecast_mpa=item.strength_mpa,
                lower_90_mpa=item.lower_90_mpa,
                upper_90_mpa=item.upper_90_mpa,
            )
    return row


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says about a group. `accepted` is None where the rule cannot judge, `why` then says so."""

    rule_id: str
    code: str
    edition: str
    accepted: bool | None
    method: str = ""
    why: str = ""
    checks: tuple[dict[str, Any], ...] = ()

    @property
    def rule(self) -> str:
        """Rule and edition, as they stand beside every verdict."""
        return f"{cited(self.code, self.edition)} ({self.rule_id})"


@dataclass(frozen=True, slots=True)
class Group:
    """Results of one grade and age, of all or of one region, customer or cement. Decimals are unrounded."""

    name: str
    grade: str
    grade_mpa: Decimal | None
    age_days: int
    n: int
    left_out: int
    mean_mpa: Decimal | None = None
    deviation_mpa: Decimal | None = None
    least_mpa: Decimal | None = None
    most_mpa: Decimal | None = None
    within_test_mpa: Decimal | None = None
    control: str = ""
    forecast_n: int = 0
    forecast_bias_percent: Decimal | None = None
    forecast_error_percent: Decimal | None = None
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    #: Of `n`, those that were broken outside the tolerance of their age.
    off_age: int = 0

    @property
    def variation_percent(self) -> Decimal | None:
        if self.deviation_mpa is None or not self.mean_mpa:
            return None
        with localcontext(exact_context()):
            return 100 * self.deviation_mpa / self.mean_mpa

    @property
    def grade_percent(self) -> Decimal | None:
        """The mean as a share of the grade."""
        if self.mean_mpa is None or not self.grade_mpa:
            return None
        with localcontext(exact_context()):
            return 100 * self.mean_mpa / self.grade_mpa


KEYS: dict[str, Callable[[ResultRow], str]] = {
    "grade": lambda row: row.of_grade,
    "region": lambda row: row.region,
    "customer": lambda row: row.customer,
    "cement": lambda row: row.cement,
    "mix": lambda row: row.beside(row.mix),
    # Every maker numbers its own lots.
    "lot": lambda row: row.beside(f"{row.cement.partition(' ')[0]}:{row.lot}" if row.lot else ""),
}
#: What tells apart those of one name: their strengths are not judged together.
SAME_NAME: dict[str, Callable[[ResultRow], int]] = {
    "region": lambda row: row.region_id or 0,
    "customer": lambda row: row.customer_id or 0,
}


def grouped(rows: Iterable[ResultRow], by: str) -> list[Group]:
    """Groups by a dimension, each of one grade, age and shape of specimen, cast or sprayed, so that a code may judge it; in
    the order of names, those without a name or a grade last."""
    key, other = KEYS[by], SAME_NAME.get(by, lambda _row: 0)
    found: dict[tuple[str, Decimal, str, int, int, bool], list[ResultRow]] = defaultdict(list)
    for row in rows:
        grade = (row.grade_mpa or Decimal(0), row.graded)
        found[key(row), *grade, row.age_days, other(row), row.mortar].append(row)
    return [
        group_of(name, members)
        for (name, *_others), members in sorted(
            found.items(), key=lambda item: (not item[0][0], item[0][0], not item[0][1], item[0][1:])
        )
    ]


def group_of(name: str, rows: Sequence[ResultRow]) -> Group:
    """The figures of results of one grade, age and shape of specimen, cast or sprayed, in the order of casting."""
    counted = [row for row in rows if row.counts]
    strengths = [row.strength_mpa for row in counted if row.strength_mpa is not None]
    first = rows[0]
    errors = [error for row in counted if (error := row.forecast_error_percent) is not None]
    if not strengths:
        return Group(name, first.graded, first.grade_mpa, first.age_days, 0, len(rows))
    deviation = sample_deviation(strengths) if len(strengths) > 1 else None
    shape = commonest_shape(row.shape for row in counted)
    verdicts = verdicts_on(
        first.grade_mpa,
        first.age_days,
        strengths,
        shape,
        mortar=first.mortar,
        shotcrete=bool(first.sprayed),
    )
    control = ""
    cast = not first.mortar and not first.sprayed
    judged = first.grade_mpa is not None and first.age_days == ACCEPTANCE_DAYS and cast
    if deviation is not None and len(strengths) >= CONTROL_FROM and judged:
        control = aci214_standard_of_control(deviation, first.grade_mpa, mean(strengths))
    with localcontext(exact_context()):
        return Group(
            name,
            first.graded,
            first.grade_mpa,
            first.age_days,
            len(strengths),
            len(rows) - len(strengths),
            mean(strengths),
            deviation,
            min(strengths),
            max(strengths),
            _within_test(counted),
            control,
            len(errors),
            mean(errors) if errors else None,
            mean([abs(error) for error in errors]) if errors else None,
            verdicts,
            sum(row.off_age for row in counted),
        )


def _within_test(rows: Sequence[ResultRow]) -> Decimal | None:
    """Scatter inside the sets, of the commoner number of specimens."""
    ranges: dict[int, list[Decimal]] = defaultdict(list)
    for row in rows:
        if row.range_mpa is not None:
            ranges[row.specimens].append(row.range_mpa)
    if not ranges:
        return None
    count, values = max(ranges.items(), key=lambda item: len(item[1]))
    return aci214_within_test_deviation(values, count)


def verdicts_on(
    grade_mpa: Decimal | None,
    age_days: int,
    strengths: Sequence[Decimal],
    shape: str = "",
    *,
    mortar: bool = False,
    shotcrete: bool = False,
) -> dict[str, Verdict]:
    """GB/T 50107, ACI 318 and EN 206 on results in the order of casting, or why one of them cannot judge: GB/T 50107 cubes
    alone, ACI 318 cylinders, none of them what was sprayed, for which GB 50086, ACI 318 itself (cores of panels) and
    EN 14487 have conditions of their own (R)."""
    if grade_mpa is None or age_days != ACCEPTANCE_DAYS or mortar or shotcrete:
        why = (
            _("it judges concrete, and these are mortars")
            if mortar
            else _("it judges cast concrete, and this was sprayed")
            if shotcrete
            else _("the mix has no grade")
            if grade_mpa is None
            else _("acceptance is by sets of %(days)s d", days=ACCEPTANCE_DAYS)
        )
        return {name: _silent(rule_id, why) for name, rule_id in (("gb", GB), ("aci", ACI), ("en", EN[0]))}
    values = [_plain(value) for value in strengths]
    return {
        "gb": _judged(GB, {"grade_mpa": _plain(grade_mpa), "strengths_mpa": values})
        if shape != "cylinder"
        else _silent(GB, _("it judges cubes, and these are cylinders")),
        "aci": _silent(ACI, _("it judges cylinders, and these are cubes"))
        if shape == "cube"
        else _judged(ACI, {"fc_mpa": _plain(grade_mpa), "strengths_mpa": values})
        if len(values) >= ACI_CONSECUTIVE_TESTS
        else _silent(ACI, _("needs %(n)s consecutive tests", n=ACI_CONSECUTIVE_TESTS)),
        "en": _en206(_plain(grade_mpa), values),
    }


def _en206(grade: str, values: Sequence[str]) -> Verdict:
    """Continuous production from 35 results on, which give their own s; before that every three results as initial.
    What is left of groups of three has no mean to be judged by, but each result is held against fck - 4 (8.2.1.3)."""
    initial, continuous = EN
    if len(values) >= EN206_SIGMA_RESULTS >= EN206_CONTINUOUS_RESULTS:
        return _judged(continuous, {"fck_mpa": grade, "strengths_mpa": values})
    step = EN206_INITIAL_RESULTS
    whole, over = divmod(len(values), step)
    judged = [
        _judged(initial, {"fck_mpa": grade, "strengths_mpa": values[start : start + step]})
        for start in range(0, whole * step, step)
    ]
    # The rule judges three results; criterion 2 is asked of all at once, so that none stands outside it.
    single = en206_each(Decimal(grade), [Decimal(value) for value in values])
    if single.passed and not whole:
        return _silent(initial, _("needs %(n)s results", n=step))
    method = (
        _("initial production, %(n)s groups of three; results outside a group: %(over)s", n=whole, over=over)
        if over
        else _("initial production, %(n)s groups of three", n=whole)
    )
    found = next(
        (item for item in judged if not item.accepted), judged[0] if judged else _silent(initial, "")
    )
    if single.passed or found.accepted is False:
        return replace(found, method=method)
    return replace(found, accepted=False, method=method, checks=(*found.checks[:-1], plain(single)))


def _judged(rule_id: str, given: dict[str, Any]) -> Verdict:
    rule = REGISTER.by_id[rule_id]
    try:
        answer, own = evaluate(rule, given)
    except RuleInputError as error:
        return _silent(rule_id, refusal(rule, error))
    edition = f"{rule.edition} · {own.number}" if own is not None else rule.edition
    return Verdict(
        rule_id,
        rule.code,
        edition,
        bool(answer["accepted"]),
        str(answer["method"]),
        "",
        tuple(answer["checks"]),
    )


def _silent(rule_id: str, why: str) -> Verdict:
    rule = REGISTER.by_id[rule_id]
    return Verdict(rule_id, rule.code, rule.edition, None, "", why)


def _plain(value: Decimal) -> str:
    return f"{value:f}"


@dataclass(frozen=True, slots=True)
class Month:
    """A month of one grade and age, by the day of testing."""

    name: str
    grade: str
    age_days: int
    n: int
    mean_mpa: Decimal
    deviation_mpa: Decimal | None
    forecast_mean_mpa: Decimal | None


def by_month(rows: Iterable[ResultRow]) -> list[Month]:
    """Months in order, of the results that count and have a day."""
    zone = laboratory_zone()
    found: dict[tuple[str, Decimal, str, int], list[ResultRow]] = defaultdict(list)
    for row in rows:
        if row.counts and row.tested_at is not None:
            month = f"{row.tested_at.astimezone(zone):%Y-%m}"
            found[month, row.grade_mpa or Decimal(0), row.graded, row.age_days].append(row)
    months = []
    for (name, _mpa, grade, age), members in sorted(found.items(), key=lambda item: item[0]):
        strengths = [row.strength_mpa for row in members if row.strength_mpa is not None]
        said = [row.forecast_mpa for row in members if row.forecast_mpa is not None]
        months.append(
            Month(
                name,
                grade,
                age,
                len(strengths),
                mean(strengths),
                sample_deviation(strengths) if len(strengths) > 1 else None,
                mean(said) if said else None,
            )
        )
    return months
