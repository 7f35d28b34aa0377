"""How the service does: clocks kept, complaints by cause, visits, satisfaction, customers won and lost, scores of
persons, and what was forecast for new customers beside what came out. Every figure counts what may be seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import func, select

from lims.aftersales.models import OPEN_STATES, Complaint, Survey, Visit, VisitPlan
from lims.aftersales.promises import promises
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import local_time, local_today
from lims.base.services import SERVICES
from lims.customers.models import Customer, StageChange
from lims.customers.regions import seen_customers, seen_through
from lims.forecasts.history import LEARNED_FROM_C, is_of_shape, recasts, shapes_forecast
from lims.forecasts.models import Forecast
from lims.forecasts.service import TARGET_DAYS
from lims.mixes.models import MixDesign, MixRevision
from lims.results.models import SetResult
from lims.standards.specimens import shape_of_rule
from lims.trials.models import Batch, SpecimenSet, Trial, where_cured_as_standard

#: Days that the figures look back, unless said otherwise.
PERIOD_DAYS = 90
#: Months of customers won and lost.
MONTHS = 12
#: Forecasts for new customers that are shown.
SHOWN_FORECASTS = 20
BEST_MARK = 5


@dataclass(slots=True)
class Kept:
    """Of one clock: how many were kept, missed, still run in time, run late."""

    counts: Counter[str] = field(default_factory=Counter)

    @property
    def judged(self) -> int:
        return self.counts["kept"] + self.counts["missed"] + self.counts["late"]

    @property
    def percent(self) -> int | None:
        """Kept of those that were to be; None when there were none."""
        return round(100 * self.counts["kept"] / self.judged) if self.judged else None


@dataclass(frozen=True, slots=True)
class Score:
    """A service person by the agreed measures, each 0 to 100 or None without a case; `total` by the weights."""

    user_id: int
    clocks: int | None
    clocks_n: int
    visits: int | None
    visits_n: int
    satisfaction: int | None
    satisfaction_n: int
    total: int | None


def complaints_since(since: datetime) -> list[Complaint]:
    query = select(Complaint).where(
        Complaint.received_at >= since,
        Complaint.state != "withdrawn",
        Complaint.retired_at.is_(None),
        *SERVICES["complaints"].visible(),
    )
    return list(current_session().scalars(query))


def clocks_kept(complaints: Sequence[Complaint]) -> dict[str, Kept]:
    """By clock."""
    found = {"answer": Kept(), "on_site": Kept(), "solve": Kept()}
    for complaint in complaints:
        for clock in complaint.clocks:
            if clock.state != "off":
                found[clock.name].counts[clock.state] += 1
    return found


def open_by(column: Any) -> dict[str, int]:
    """Open complaints by a column of theirs, the most frequent first."""
    rows = current_session().execute(
        select(column, func.count())
        .where(
            Complaint.state.in_(OPEN_STATES),
            Complaint.retired_at.is_(None),
            *SERVICES["complaints"].visible(),
        )
        .group_by(column)
        .order_by(func.count().desc())
    )
    return {str(key or ""): int(count) for key, count in rows}


def causes(complaints: Sequence[Complaint]) -> dict[str, int]:
    """Root causes of those that are over."""
    counted = Counter(item.root_cause for item in complaints if item.root_cause is not None)
    return dict(counted.most_common())


def visits_of_month(month: date) -> dict[str, int]:
    """Plans of the month of this day: done, still open, overdue, fallen away; and visits made at all."""
    first = month.replace(day=1)
    after = (first + timedelta(days=32)).replace(day=1)
    today = local_today()
    counts = Counter()  # type: Counter[str]
    plans = current_session().scalars(
        select(VisitPlan).where(
            VisitPlan.planned_on >= first,
            VisitPlan.planned_on < after,
            VisitPlan.retired_at.is_(None),
            *SERVICES["visit-plans"].visible(),
        )
    )
    for plan in plans:
        late = plan.state == "planned" and plan.planned_on < today
        counts["overdue" if late else plan.state] += 1
    counts["made"] = (
        current_session().scalar(
            select(func.count())
            .select_from(Visit)
            .where(
                Visit.visited_on >= first,
                Visit.visited_on < after,
                Visit.retired_at.is_(None),
                *SERVICES["visits"].visible(),
            )
        )
        or 0
    )
    return dict(counts)


def satisfaction_since(since: date) -> tuple[Decimal | None, int]:
    """Mean mark, 1 to 5, of surveys, visits and closed complaints, and how many marks."""
    session = current_session()
    marks: list[Decimal] = [
        survey.mean_score
        for survey in session.scalars(
            select(Survey).where(
                Survey.answered_on >= since, Survey.retired_at.is_(None), *SERVICES["surveys"].visible()
            )
        )
    ]
    for column, day, record in (
        (Visit.satisfaction, Visit.visited_on, Visit),
        (Complaint.satisfaction, Complaint.agreed_on, Complaint),
    ):
        query = select(column).where(
            column.is_not(None),
            day >= since,
            record.retired_at.is_(None),
            *SERVICES[record.record_name].visible(),
        )
        marks += [Decimal(mark) for mark in session.scalars(query) if mark is not None]
    if not marks:
        return None, 0
    return (sum(marks, Decimal(0)) / len(marks)).quantize(Decimal("0.01")), len(marks)


def won_and_lost(today: date) -> tuple[list[tuple[str, int, int]], dict[str, int]]:
    """(month, won, lost) of the last twelve months, and the reasons of those lost."""
    start = today.replace(day=1)
    for _month in range(MONTHS - 1):
        start = (start - timedelta(days=1)).replace(day=1)
    months: dict[str, list[int]] = {}
    day = start
    while day <= today:
        months[f"{day:%Y-%m}"] = [0, 0]
        day = (day + timedelta(days=32)).replace(day=1)
    reasons: Counter[str] = Counter()
    since = datetime(start.year, start.month, 1, tzinfo=utc_now().tzinfo) - timedelta(days=1)
    query = select(StageChange).where(
        StageChange.created_at >= since,
        StageChange.after.in_(("active", "lapsed")),
        *seen_through(StageChange.customer_id),
    )
    for change in current_session().scalars(query):
        month = f"{local_time(change.created_at):%Y-%m}"
        if month not in months:
            continue
        if change.after == "active":
            # Who bought before they were entered was not won in that month.
            months[month][0] += change.before != ""
        elif change.before in {"active", "trial"}:
            months[month][1] += 1
            reasons[change.reason or ""] += 1
    return [(month, won, lost) for month, (won, lost) in months.items()], dict(reasons.most_common())


@dataclass(frozen=True, slots=True)
class Told:
    """What was forecast for one mix of a new customer, and the mean of its released results; None: none yet."""

    customer: Customer
    mix_id: int
    mix: str
    said: Decimal
    low: Decimal | None
    high: Decimal | None
    came: Decimal | None
    n: int

    @property
    def error_percent(self) -> Decimal | None:
        """Forecast minus actual, of the actual."""
        return None if self.came is None else 100 * (self.said / self.came - 1)

    @property
    def inside(self) -> bool | None:
        """Did the actual fall into the 90 % interval?"""
        if self.came is None or self.low is None or self.high is None:
            return None
        return self.low <= self.came <= self.high


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of the mixes with a released result: how many, mean signed error, mean absolute error, share inside the band."""

    n: int
    signed_percent: Decimal | None
    mape_percent: Decimal | None
    inside: int
    banded: int

    @property
    def inside_percent(self) -> int | None:
        return round(100 * self.inside / self.banded) if self.banded else None


class _Came(NamedTuple):
    """A 28-d result."""

    revision_id: int
    strength_mpa: Decimal
    entered_at: datetime
    is_released: bool


def forecasts_of_new_customers(since: datetime) -> list[Told]:
    """What was said of mixes cast for customers who became trial or active customers since then, beside what came out.

    Only a forecast made before the result (or that held it out) counts, and only a released result that stands: of the
    shape that is forecast, of the recipe that the mix had then, cured as the standard says.
    """
    session = current_session()
    new = select(StageChange.customer_id).where(
        StageChange.created_at >= since, StageChange.after.in_(("trial", "active"))
    )
    rows = session.execute(
        select(MixRevision.mix_design_id, Customer)
        .join(Batch, Batch.mix_revision_id == MixRevision.id)
        .join(Trial, Trial.id == Batch.trial_id)
        .join(Customer, Customer.id == Trial.customer_id)
        .where(Customer.id.in_(new), Customer.retired_at.is_(None), *seen_customers())
        .distinct()
    )
    customers: dict[int, Customer] = {int(mix_id): customer for mix_id, customer in rows}
    if not customers:
        return []
    shapes, recast = shapes_forecast(customers), recasts(customers)
    came: dict[int, list[_Came]] = defaultdict(list)
    results = session.execute(
        select(
            MixRevision.mix_design_id,
            MixRevision.id,
            SetResult.rule_id,
            SetResult.strength_mpa,
            SetResult.created_at,
            SetResult.state,
        )
        .join(Batch, Batch.mix_revision_id == MixRevision.id)
        .join(SpecimenSet, SpecimenSet.batch_id == Batch.id)
        .join(SetResult, SetResult.specimen_set_id == SpecimenSet.id)
        .where(
            MixRevision.mix_design_id.in_(customers),
            SpecimenSet.age_days == TARGET_DAYS,
            SetResult.superseded_at.is_(None),
            SetResult.strength_mpa > 0,
            where_cured_as_standard(LEARNED_FROM_C),
        )
    )
    for mix_id, revision_id, rule_id, strength, at, state in results:
        if is_of_shape(shape_of_rule(rule_id), revision_id, shapes):
            came[mix_id].append(_Came(revision_id, Decimal(strength or 0), at, state == "released"))
    said: dict[int, tuple[Forecast, list[_Came]]] = {}
    forecasts = session.scalars(
        select(Forecast)
        .where(
            Forecast.mix_design_id.in_(customers),
            Forecast.age_days == TARGET_DAYS,
            Forecast.strength_mpa.is_not(None),
        )
        .order_by(Forecast.id)
    )
    for forecast in forecasts:
        mix_id, at = forecast.mix_design_id, forecast.created_at
        own = [
            item
            for item in came[mix_id]
            if mix_id not in recast or recast[mix_id].so_cast(item.revision_id, at)
        ]
        if not own or forecast.held_out or at <= min(item.entered_at for item in own):
            said[mix_id] = forecast, own
    codes = dict(
        session.execute(select(MixDesign.id, MixDesign.code).where(MixDesign.id.in_(customers))).all()
    )
    found = []
    for mix_id, (forecast, own) in said.items():
        assert forecast.strength_mpa is not None  # the conditions leave no others
        values = [item.strength_mpa for item in own if item.is_released]
        found.append(
            Told(
                customers[mix_id],
                mix_id,
                codes[mix_id],
                forecast.strength_mpa,
                forecast.lower_90_mpa,
                forecast.upper_90_mpa,
                sum(values, Decimal(0)) / len(values) if values else None,
                len(values),
            )
        )
    found.sort(key=lambda row: (row.came is None, row.customer.name, row.mix))
    return found


def accuracy(told: Sequence[Told]) -> Accuracy:
    errors = [row.error_percent for row in told if row.error_percent is not None]
    banded = [row.inside for row in told if row.inside is not None]
    n = len(errors)
    return Accuracy(
        n,
        sum(errors, Decimal(0)) / n if n else None,
        sum((abs(error) for error in errors), Decimal(0)) / n if n else None,
        sum(banded),
        len(banded),
    )


def scores(since: datetime) -> list[Score]:
    """Every service person with a case since then, the best first."""
    session = current_session()
    clocks: dict[int, Kept] = defaultdict(Kept)
    marks: dict[int, list[int]] = defaultdict(list)
    for complaint in complaints_since(since):
        if complaint.owner_id is None:
            continue
        for clock in complaint.clocks:
            if clock.state in {"kept", "missed", "late"}:
                clocks[complaint.owner_id].counts[clock.state] += 1
        if complaint.satisfaction is not None:
            marks[complaint.owner_id].append(complaint.satisfaction)
    first = local_time(since).date()
    today = local_today()
    plans: dict[int, Counter[str]] = defaultdict(Counter)
    for plan in session.scalars(
        select(VisitPlan).where(
            VisitPlan.user_id.is_not(None),
            VisitPlan.planned_on.between(first, today),
            VisitPlan.retired_at.is_(None),
        )
    ):
        assert plan.user_id is not None
        if plan.state == "planned" and plan.planned_on == today:
            continue  # its day is not over
        plans[plan.user_id][plan.state] += 1
    for visit in session.scalars(
        select(Visit).where(
            Visit.user_id.is_not(None),
            Visit.satisfaction.is_not(None),
            Visit.visited_on >= first,
            Visit.retired_at.is_(None),
        )
    ):
        assert visit.user_id is not None
        assert visit.satisfaction is not None
        marks[visit.user_id].append(visit.satisfaction)
    found = [_score(key, clocks[key], plans[key], marks[key]) for key in {*clocks, *plans, *marks}]
    found.sort(key=lambda score: (-(score.total if score.total is not None else -1), score.user_id))
    return found


def _score(user_id: int, kept: Kept, plans: Counter[str], marks: Sequence[int]) -> Score:
    planned = plans["done"] + plans["planned"]
    visits = round(100 * plans["done"] / planned) if planned else None
    satisfaction = round(100 * (sum(marks) / len(marks) - 1) / (BEST_MARK - 1)) if marks else None
    measures = {"clocks": kept.percent, "visits": visits, "satisfaction": satisfaction}
    weights = promises().weights
    counted = {name: value for name, value in measures.items() if value is not None and weights[name]}
    weight = sum(weights[name] for name in counted)
    total = round(sum(weights[name] * value for name, value in counted.items()) / weight) if weight else None
    return Score(
        user_id, kept.percent, kept.judged, visits, planned, satisfaction, len(marks), total
    )  # fmt: skip
