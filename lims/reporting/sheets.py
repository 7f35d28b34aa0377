"""The columns that a workbook's sheets may show, by kind of sheet: title, unit and how the value is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.display import local_time
from lims.base.words import cited, told
from lims.reporting.control import Series
from lims.reporting.statistics import Group, ResultRow, Verdict
from lims.results.schemas import BASES, RESULT_STATES
from lims.rules.answers import WORDS
from lims.standards.register import REGISTER


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """`form` is the number format, "" for text."""

    title: Any
    read: Callable[[Any], Any]
    unit: str = ""
    form: str = ""
    width: int = 12


def _local(moment: datetime | None) -> datetime | None:
    return local_time(moment).replace(tzinfo=None) if moment is not None else None


def _first_day(month: str) -> date:
    return date.fromisoformat(f"{month}-01")


def verdict_in_words(verdict: Verdict | None) -> str:
    """Accepted, rejected, or why nothing can be said."""
    if verdict is None:
        return ""
    if verdict.accepted is None:
        return str(_("not judged: %(why)s", why=verdict.why))
    return str(_("accepted") if verdict.accepted else _("rejected"))


def rule_in_words(verdict: Verdict | None) -> str:
    """The decision rule that a verdict stands on: code, edition, id, method."""
    if verdict is None:
        return ""
    method = str(WORDS.get(verdict.method, verdict.method))
    return _("%(name)s, %(what)s", name=verdict.rule, what=method) if method else verdict.rule


def rule_named(rule_id: str) -> str:
    """E.g. "ACI 214R-11 (aci214/standard-of-control)"."""
    rule = REGISTER.by_id[rule_id]
    return f"{cited(rule.code, rule.edition)} ({rule.id})"


def _verdict(name: str) -> Callable[[Group], str]:
    return lambda group: verdict_in_words(group.verdicts.get(name))


def _rule(name: str) -> Callable[[Group], str]:
    return lambda group: rule_in_words(group.verdicts.get(name))


NUMBER, ONE, TWO = "0", "0.0", "0.00"

RESULT_COLUMNS = {
    "set": SheetColumn(_l("Set"), lambda row: row.set_code, width=22),
    "batch": SheetColumn(_l("Batch"), lambda row: row.batch_code, width=18),
    "mix": SheetColumn(_l("Mix"), lambda row: row.mix, width=16),
    "grade": SheetColumn(_l("Grade"), lambda row: row.grade, width=8),
    "grade_mpa": SheetColumn(_l("Grade"), lambda row: row.grade_mpa, "MPa", ONE),
    "region": SheetColumn(_l("Region"), lambda row: row.region, width=18),
    "customer": SheetColumn(_l("Customer"), lambda row: row.customer, width=28),
    "cement": SheetColumn(_l("Cement"), lambda row: row.cement, width=28),
    "lot": SheetColumn(_l("Cement lot"), lambda row: row.lot, width=14),
    "element": SheetColumn(_l("Element"), lambda row: row.element, width=20),
    "age_days": SheetColumn(_l("Age"), lambda row: row.age_days, "d", NUMBER, 8),
    "cast_at": SheetColumn(_l("Cast at"), lambda row: _local(row.cast_at), "zone", "yyyy-mm-dd hh:mm", 17),
    "tested_at": SheetColumn(
        _l("Tested at"), lambda row: _local(row.tested_at), "zone", "yyyy-mm-dd hh:mm", 17
    ),
    "off_age": SheetColumn(
        _l("Outside the tolerance of the age"), lambda row: _("yes") if row.off_age else _("no"), width=8
    ),
    "strength_mpa": SheetColumn(_l("Strength"), lambda row: row.strength_mpa, "MPa", ONE),
    "basis": SheetColumn(_l("Basis"), lambda row: str(BASES.get(row.basis, row.basis)), width=26),
    "state": SheetColumn(_l("State"), lambda row: str(RESULT_STATES.get(row.state, row.state))),
    "rule": SheetColumn(_l("Rule"), lambda row: row.rule_id, width=26),
    "edition": SheetColumn(_l("Edition"), lambda row: row.edition, width=18),
    "specimens": SheetColumn(_l("Specimens"), lambda row: row.specimens, "", NUMBER, 8),
    "range_mpa": SheetColumn(_l("Range of the set"), lambda row: row.range_mpa, "MPa", ONE),
    "counts": SheetColumn(_l("Counted"), lambda row: _("yes") if row.counts else _("no"), width=8),
    "forecast_mpa": SheetColumn(_l("Forecast"), lambda row: row.forecast_mpa, "MPa", ONE),
    "lower_90_mpa": SheetColumn(_l("90 % from"), lambda row: row.lower_90_mpa, "MPa", ONE),
    "upper_90_mpa": SheetColumn(_l("90 % to"), lambda row: row.upper_90_mpa, "MPa", ONE),
    "forecast_error_percent": SheetColumn(
        _l("Forecast off by"), lambda row: row.forecast_error_percent, "%", ONE
    ),
}

GROUP_COLUMNS = {
    "name": SheetColumn(_l("Name"), lambda group: group.name or _("none"), width=28),
    "grade": SheetColumn(_l("Grade"), lambda group: group.grade or _("none"), width=8),
    "grade_mpa": SheetColumn(_l("Grade"), lambda group: group.grade_mpa, "MPa", ONE),
    "age_days": SheetColumn(_l("Age"), lambda group: group.age_days, "d", NUMBER, 8),
    "n": SheetColumn(_l("Results"), lambda group: group.n, "", NUMBER, 8),
    "left_out": SheetColumn(_l("Left out"), lambda group: group.left_out, "", NUMBER, 8),
    "off_age": SheetColumn(
        _l("Outside the tolerance of the age"), lambda group: group.off_age, "", NUMBER, 8
    ),
    "mean_mpa": SheetColumn(_l("Mean"), lambda group: group.mean_mpa, "MPa", ONE),
    "deviation_mpa": SheetColumn(_l("Standard deviation"), lambda group: group.deviation_mpa, "MPa", TWO),
    "variation_percent": SheetColumn(_l("Variation"), lambda group: group.variation_percent, "%", ONE),
    "least_mpa": SheetColumn(_l("Lowest"), lambda group: group.least_mpa, "MPa", ONE),
    "most_mpa": SheetColumn(_l("Highest"), lambda group: group.most_mpa, "MPa", ONE),
    "grade_percent": SheetColumn(_l("Mean of the grade"), lambda group: group.grade_percent, "%", NUMBER),
    "within_test_mpa": SheetColumn(
        _l("Within-test deviation"), lambda group: group.within_test_mpa, "MPa", TWO
    ),
    "gb": SheetColumn("GB/T 50107", _verdict("gb"), width=14),
    "gb_rule": SheetColumn(_l("GB/T 50107: rule"), _rule("gb"), width=34),
    "aci": SheetColumn("ACI 318", _verdict("aci"), width=14),
    "aci_rule": SheetColumn(_l("ACI 318: rule"), _rule("aci"), width=34),
    "en": SheetColumn("EN 206", _verdict("en"), width=14),
    "en_rule": SheetColumn(_l("EN 206: rule"), _rule("en"), width=34),
    "control": SheetColumn("ACI 214", lambda group: str(WORDS.get(group.control, group.control)), width=12),
    "control_rule": SheetColumn(
        _l("ACI 214: rule"),
        lambda group: rule_named("aci214/standard-of-control") if group.control else "",
        width=34,
    ),
    "forecast_n": SheetColumn(_l("Forecasts"), lambda group: group.forecast_n, "", NUMBER, 8),
    "forecast_bias_percent": SheetColumn(
        _l("Forecast bias"), lambda group: group.forecast_bias_percent, "%", ONE
    ),
    "forecast_error_percent": SheetColumn(
        _l("Forecast error"), lambda group: group.forecast_error_percent, "%", ONE
    ),
}


@dataclass(frozen=True, slots=True)
class Checked:
    """One comparison of a verdict on a group."""

    group: Group
    verdict: Verdict
    check: Mapping[str, Any]


def checks_of(groups: Iterable[Group]) -> Iterator[Checked]:
    """Every verdict of every group, a row for each comparison; a verdict that could not be given has one row."""
    for group in groups:
        for verdict in group.verdicts.values():
            for check in verdict.checks or ({},):
                yield Checked(group, verdict, check)


def _number(name: str) -> Callable[[Checked], Decimal | None]:
    return lambda row: Decimal(row.check[name]) if name in row.check else None


VERDICT_COLUMNS = {
    "name": SheetColumn(_l("Name"), lambda row: row.group.name or _("none"), width=28),
    "grade": SheetColumn(_l("Grade"), lambda row: row.group.grade or _("none"), width=8),
    "age_days": SheetColumn(_l("Age"), lambda row: row.group.age_days, "d", NUMBER, 8),
    "n": SheetColumn(_l("Results"), lambda row: row.group.n, "", NUMBER, 8),
    "code": SheetColumn(_l("Code"), lambda row: row.verdict.code, width=14),
    "edition": SheetColumn(_l("Edition"), lambda row: row.verdict.edition, width=16),
    "rule": SheetColumn(_l("Rule"), lambda row: row.verdict.rule_id, width=22),
    "method": SheetColumn(
        _l("Method"), lambda row: str(WORDS.get(row.verdict.method, row.verdict.method)), width=28
    ),
    "check": SheetColumn(_l("Condition"), lambda row: told(row.check.get("name", "")), width=40),
    "value_mpa": SheetColumn(_l("Value"), _number("value"), "MPa", TWO),
    "limit_mpa": SheetColumn(_l("Limit"), _number("limit"), "MPa", TWO),
    "passed": SheetColumn(
        _l("Kept"),
        lambda row: "" if "passed" not in row.check else _("yes") if row.check["passed"] else _("no"),
        width=8,
    ),
    "verdict": SheetColumn(_l("Verdict"), lambda row: verdict_in_words(row.verdict), width=24),
}

MONTH_COLUMNS = {
    "month": SheetColumn(_l("Month"), lambda row: _first_day(row.name), "", "yyyy-mm", 10),
    "grade": SheetColumn(_l("Grade"), lambda row: row.grade or _("none"), width=8),
    "age_days": SheetColumn(_l("Age"), lambda row: row.age_days, "d", NUMBER, 8),
    "series": SheetColumn(
        _l("Series"),
        lambda row: f"{row.grade or _('none')} · " + _("%(days)s d", days=row.age_days),
        width=14,
    ),
    "n": SheetColumn(_l("Results"), lambda row: row.n, "", NUMBER, 8),
    "mean_mpa": SheetColumn(_l("Mean"), lambda row: row.mean_mpa, "MPa", ONE),
    "deviation_mpa": SheetColumn(_l("Standard deviation"), lambda row: row.deviation_mpa, "MPa", TWO),
    "forecast_mean_mpa": SheetColumn(_l("Mean forecast"), lambda row: row.forecast_mean_mpa, "MPa", ONE),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One result of a control chart."""

    series: Series
    number: int

    @property
    def row(self) -> ResultRow:
        return self.series.rows[self.number - 1]

    def group_mean(self) -> Decimal | None:
        """The mean of the group of four that this result completes."""
        return next((group.mean for group in self.series.groups if group.last == self.number), None)

    def sums(self, side: str) -> Decimal | None:
        if self.series.sums is None:
            return None
        values = self.series.sums.high_mpa if side == "high" else self.series.sums.low_mpa
        return values[self.number - 1]


def points_of(series: Iterable[Series]) -> Iterator[Point]:
    for item in series:
        for number in range(1, len(item.values) + 1):
            yield Point(item, number)


def _range_at(point: Point) -> Decimal | None:
    return point.series.chart.moving_ranges[point.number - 2] if point.number > 1 else None


def _h(point: Point) -> Decimal | None:
    return point.series.sums.h_mpa if point.series.sums is not None else None


CONTROL_COLUMNS = {
    "series": SheetColumn(_l("Series"), lambda point: point.series.name, width=16),
    "number": SheetColumn(_l("No."), lambda point: point.number, "", NUMBER, 6),
    "set": SheetColumn(_l("Set"), lambda point: point.row.set_code, width=22),
    "cast_at": SheetColumn(
        _l("Cast at"), lambda point: _local(point.row.cast_at), "zone", "yyyy-mm-dd hh:mm", 17
    ),
    "strength_mpa": SheetColumn(_l("Strength"), lambda point: point.row.strength_mpa, "MPa", ONE),
    "centre_mpa": SheetColumn(_l("Centre"), lambda point: point.series.chart.centre, "MPa", TWO),
    "lower_mpa": SheetColumn(_l("Lower limit"), lambda point: point.series.chart.lower, "MPa", TWO),
    "upper_mpa": SheetColumn(_l("Upper limit"), lambda point: point.series.chart.upper, "MPa", TWO),
    "moving_mean_mpa": SheetColumn(
        _l("Moving mean of four"), lambda point: point.series.means[point.number - 1], "MPa", TWO
    ),
    "group_mean_mpa": SheetColumn(_l("Group of four"), lambda point: point.group_mean(), "MPa", TWO),
    "moving_range_mpa": SheetColumn(_l("Moving range"), _range_at, "MPa", TWO),
    "upper_range_mpa": SheetColumn(
        _l("Limit of the moving range"), lambda point: point.series.chart.upper_range, "MPa", TWO
    ),
    "sum_above_mpa": SheetColumn(_l("Sums above"), lambda point: point.sums("high"), "MPa", TWO),
    "sum_below_mpa": SheetColumn(_l("Sums below"), lambda point: point.sums("low"), "MPa", TWO),
    "decision_mpa": SheetColumn("h", _h, "MPa", TWO),
    "signals": SheetColumn(
        _l("Signals"), lambda point: _("; ").join(point.series.signals_at(point.number)), width=60
    ),
}

#: Kind of sheet -> its columns in their usual order.
COLUMNS: dict[str, dict[str, SheetColumn]] = {
    "filters": {},
    "groups": GROUP_COLUMNS,
    "verdicts": VERDICT_COLUMNS,
    "months": MONTH_COLUMNS,
    "control": CONTROL_COLUMNS,
    "results": RESULT_COLUMNS,
}
