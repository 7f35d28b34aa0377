"""The first page by role: panels, each a list, a row of bars or a chart. A panel costs one or two statements."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from flask import current_app, g
from flask_babel import gettext as _
from sqlalchemy import Select, case, func, literal_column, select
from sqlalchemy.orm import joinedload

from lims.accounts.roles import ADMINISTRATOR, AUDITOR, MANAGER, SALES, SERVICE, TECHNICIAN
from lims.aftersales.models import OPEN_STATES, Complaint, Visit, VisitPlan
from lims.aftersales.schemas import CLOCKS, STATES
from lims.audit.models import Finding
from lims.audit.schemas import FINDING_STATES
from lims.base.columns import utc_now
from lims.base.database import current_session, number_of_rows
from lims.base.display import (
    day_begins,
    format_decimal,
    local_time,
    local_today,
    show_ages,
    show_day,
    show_time,
)
from lims.base.laboratory import laboratory
from lims.base.preferences import value_of
from lims.base.security import may, principal
from lims.base.services import SERVICES
from lims.base.signed_in import role_name_of
from lims.base.words import cited
from lims.comparison.programme import old_pits
from lims.customers.models import Customer
from lims.customers.schemas import CUSTOMER_STATUS
from lims.forecasts.models import Forecast
from lims.laboratory.views import guide
from lims.materials.models import CementLot
from lims.mixes.models import MixDesign, MixRevision
from lims.operations.backup import newest_verified_at
from lims.operations.nightly import KIND as BACKUP
from lims.operations.nightly import newest_verified, overdue
from lims.reporting.service import outdated
from lims.reporting.statistics import apart, beside, sprayed
from lims.results.cockpit import Workload, workload
from lims.results.due import due_sets
from lims.results.entry import when_words
from lims.results.equipment import in_force
from lims.results.models import Break, Calibration, SetResult
from lims.rules.service import confirmed_rules
from lims.sharing.models import ShareLink
from lims.sharing.schemas import ANSWER_KINDS
from lims.sharing.service import ShareLinkService, number_of_open_answers, open_answers
from lims.standards.cement import oldest_usable
from lims.standards.grades import grade_of_shape
from lims.standards.register import REGISTER
from lims.standards.specimens import shape_of_rule
from lims.trials.models import Batch, Specimen, SpecimenSet, where_cured_as_standard
from lims.web.addresses import address
from lims.web.complaint_page import span_text
from lims.web.dear_figures import dear

SHOWN = 8
#: Open complaints whose clocks are compared.
MOST_CLOCKS = 200
#: Months of the manager's chart.
CHART_MONTHS = 12
#: What waits is counted so far.
MOST_WAITING = 999
#: States of customers who are not won yet.
PROSPECTS = ("prospect", "trial")
FINDINGS_OPEN = tuple(state for state in FINDING_STATES if state != "closed")
#: Specimens of the auditor's sample of the day.
SAMPLED = 10


@dataclass(slots=True)
class Item:
    """One line: what, about what, when or how much, and where it leads."""

    title: str
    href: str
    about: str = ""
    right: str = ""
    badge: str = ""
    badge_key: str = ""
    mark: str = ""


@dataclass(slots=True)
class Panel:
    """One card of the first page. `bars` are (day, number, href) and `chart` a spec of static/js/series.js."""

    name: str
    title: str
    items: Sequence[Item] = ()
    bars: Sequence[tuple[date, int, str]] = ()
    chart: dict[str, Any] | None = None
    rows: Sequence[Sequence[str]] = ()
    heads: Sequence[str] = ()
    empty: str = ""
    hint: str = ""
    all_url: str = ""
    #: Said beside the title, as that a figure is not of this moment.
    note: str = ""
    count: int | str | None = None
    guide: Sequence[Any] = field(default_factory=list)
    wide: bool = False


def overview() -> dict[str, Any]:
    """What the home page of the asking person shows."""
    user = principal()
    role = (role_name_of(user.id) if user is not None else None) or TECHNICIAN
    panels = [panel for make in PANELS.get(role, PANELS[TECHNICIAN]) if (panel := make()) is not None]
    return {"today": show_day(local_today()), "panels": panels, "role": role}


def _load() -> Workload:
    """Counted once a page: two panels tell of it."""
    if "lims_workload" not in g:
        g.lims_workload = workload(utc_now())
    found: Workload = g.lims_workload
    return found


def _due() -> Panel | None:
    if not may("read", "breaks"):
        return None
    now = utc_now()
    enter = may("write", "breaks")
    items = []
    sets = due_sets(enough=SHOWN)
    load = _load()
    words = when_words()
    for found in sets:
        when = found.when(now)
        items.append(
            Item(
                found.code,
                address("BreaksView.enter", set_id=found.id)
                if enter
                else address("SpecimenSetView.show", record_id=found.id),
                about=_("%(days)s d", days=found.age_days) + " · " + found.mix_code,
                right=show_time(found.due_at, year=False) if found.due_at else "",
                badge=words[when],
                badge_key={"late": "failed", "now": "released"}.get(when, ""),
                mark=f"due-{when}",
            )
        )
    return Panel(
        "due",
        _("Due at the press"),
        items,
        empty=_("Nothing is due within a week."),
        hint=_("Register a batch and its sets appear here when their day comes."),
        all_url=address("BreaksView.due"),
        count=load.now + load.late,
    )


def _workload() -> Panel | None:
    if not may("read", "specimen-sets"):
        return None
    days = _load().days
    bars = [(day, count, address("BreaksView.due")) for day, count in days]
    return Panel("workload", _("The next fourteen days"), bars=bars, count=sum(count for _day, count in days))


@cache
def _waiting_results(state: str) -> Select[Any]:
    """The first results in this state, each with how many there are so far, made once: the technician's first page and
    the manager's ask it. The state stands in the text, so that PostgreSQL knows how few are in it."""
    waiting = (
        select(SetResult.id, SetResult.specimen_set_id, SetResult.strength_mpa)
        .where(SetResult.state == literal_column(f"'{state}'"), SetResult.superseded_at.is_(None))
        .order_by(SetResult.id)
        .limit(number_of_rows(MOST_WAITING + 1))
        .cte("waiting")
    )
    counted = select(func.count()).select_from(waiting).scalar_subquery()
    # Cut before their sets are looked for: PostgreSQL reads all sets to find those of a thousand results.
    shown = select(waiting).order_by(waiting.c.id).limit(number_of_rows(SHOWN)).cte("shown")
    return (
        select(shown.c.id, shown.c.specimen_set_id, shown.c.strength_mpa, SpecimenSet.code, counted)
        .join(SpecimenSet, SpecimenSet.id == shown.c.specimen_set_id)
        .order_by(shown.c.id)
    )


_LATEST_FORECASTS = (
    select(MixDesign.code, Forecast.mix_design_id, Forecast.early_ages, Forecast.strength_mpa)
    .join_from(Forecast, MixDesign, MixDesign.id == Forecast.mix_design_id)
    .order_by(Forecast.id.desc())
    .limit(number_of_rows(4 * SHOWN))
)


def so_far(number: int) -> int | str:
    """How many wait, when nobody counted beyond MOST_WAITING."""
    return number if number <= MOST_WAITING else f"{MOST_WAITING}+"


def _waiting(state: str, name: str, title: str, empty: str) -> Panel | None:
    if not may("read", "set-results"):
        return None
    rows = current_session().connection().execute(_waiting_results(state)).all()
    page = "BreaksView.enter" if may("write", "breaks") else ""
    return Panel(
        name,
        title,
        [
            Item(
                code,
                address(page, set_id=set_id) if page else address("SetResultView.show", record_id=result_id),
                right=f"{strength_mpa:.1f} MPa" if strength_mpa is not None else _("invalid"),
            )
            for result_id, set_id, strength_mpa, code, _number in rows
        ],
        empty=empty,
        all_url=address("SetResultView.list", state=state, superseded="false"),
        count=so_far(rows[0][-1] if rows else 0),
    )


def _to_verify() -> Panel | None:
    return _waiting(
        "entered", "to-verify", _("To verify by another person"), _("Everything entered is verified.")
    )


def _to_release() -> Panel | None:
    return _waiting("verified", "to-release", _("To release"), _("Nothing waits for release."))


def _forecasts() -> Panel | None:
    if not may("read", "forecasts"):
        return None
    # Each break of a mix makes a new one: of a mix the newest is shown.
    newest: dict[int, Any] = {}
    for row in current_session().connection().execute(_LATEST_FORECASTS):
        newest.setdefault(row.mix_design_id, row)
    rows = list(newest.values())[:SHOWN]
    return Panel(
        "forecasts",
        _("Latest forecasts"),
        [
            Item(
                code,
                address("MixDesignView.show", record_id=mix_design_id),
                about=_("from %(ages)s d", ages=show_ages(early_ages))
                if early_ages
                else _("composition alone"),
                right=f"{strength_mpa:.1f} MPa" if strength_mpa is not None else "–",
            )
            for code, mix_design_id, early_ages, strength_mpa in rows
        ],
        empty=_("No forecast yet."),
        hint=_("A forecast is made when a set of breaks is entered."),
        all_url=address("ForecastView.list"),
    )


def _prospects() -> Panel | None:
    if not may("read", "customers"):
        return None
    rows = current_session().scalars(
        select(Customer)
        .where(
            Customer.status.in_(PROSPECTS),
            Customer.retired_at.is_(None),
            *SERVICES["customers"].visible(),
        )
        .options(joinedload(Customer.region))
        .order_by(Customer.changed_at.desc())
        .limit(SHOWN)
    )
    return Panel(
        "prospects",
        _("Prospects and trials"),
        [
            Item(
                item.name,
                address("CustomerView.show", record_id=item.id),
                about=item.region.name if item.region else "",
                badge=str(CUSTOMER_STATUS[item.status]),
                badge_key=item.status,
            )
            for item in rows
        ],
        empty=_("No prospect yet."),
        hint=_("Add a customer with the stage “Prospect”."),
        all_url=address("CustomerView.list", status=PROSPECTS),
    )


def _shares() -> Panel | None:
    if not may("read", "share-links"):
        return None
    rows = current_session().scalars(
        select(ShareLink)
        .where(*SERVICES["share-links"].visible())
        .options(joinedload(ShareLink.trial), joinedload(ShareLink.customer), joinedload(ShareLink.owner))
        .order_by(ShareLink.id.desc())
        .limit(SHOWN)
    )
    return Panel(
        "shares",
        _("Shared trials"),
        [
            Item(
                item.name,
                address("ShareLinkView.show", record_id=item.id),
                about=item.trial.title,
                right=_("until %(day)s", day=show_day(local_time(item.expires_at).date())),
                badge=_("live") if item.live else _("ended"),
                badge_key="active" if item.live else "lapsed",
            )
            for item in rows
        ],
        empty=_("Nothing is shared yet."),
        hint=_("Open a trial and share it with a prospect."),
        all_url=address("ShareLinkView.list"),
    )


def _answers() -> Panel | None:
    """What prospects sent back: to the person whose link it is, and to whoever oversees them."""
    user = principal()
    if user is None or not may("read", "share-answers"):
        return None
    oversees = may("oversee", "share-links")
    found = open_answers(None if oversees else user.id, SHOWN)
    left = ShareLinkService().left_behind() if oversees else []
    items = [
        Item(
            item.company or item.name,
            address("ShareAnswerView.show", record_id=item.id),
            about=item.share_link.name,
            right=show_time(item.created_at, year=False),
            badge=str(ANSWER_KINDS[item.kind]),
            badge_key="open",
            mark="due-now",
        )
        for item in found
    ]
    items += [
        Item(
            item.name,
            address("ShareLinkView.overview"),
            about=_("%(who)s has left; the link shows nothing", who=item.owner_name),
            badge=_("to hand over"),
            badge_key="high",
        )
        for item in left[:SHOWN]
    ]
    return Panel(
        "answers",
        _("Answers from trial sheets"),
        items,
        empty=_("No answer waits."),
        hint=_("What prospects send from their sheets appears here."),
        all_url=address("ShareAnswerView.list"),
        count=number_of_open_answers(None if oversees else user.id) + len(left),
    )


def _clocks() -> Panel | None:
    if not may("read", "complaints"):
        return None
    conditions = (
        Complaint.state.in_(OPEN_STATES),
        Complaint.retired_at.is_(None),
        *SERVICES["complaints"].visible(),
    )
    session = current_session()
    rows = session.scalars(
        select(Complaint)
        .where(*conditions)
        .options(joinedload(Complaint.customer))
        .order_by(Complaint.received_at)
        .limit(MOST_CLOCKS)
    ).all()
    total = session.scalar(select(func.count()).select_from(Complaint).where(*conditions))
    far = utc_now() + timedelta(days=3650)
    items = []
    for item in sorted(rows, key=lambda row: row.next_due_at or far)[:SHOWN]:
        clock = next((c for c in item.clocks if c.state in {"running", "late"}), None)
        right = _("to be closed")
        if clock is not None and clock.due_at is not None:
            left = span_text(clock.due_at, utc_now())
            right = _("%(name)s: %(what)s", name=CLOCKS[clock.name], what=left)
        items.append(
            Item(
                item.title,
                address("ComplaintView.show", record_id=item.id),
                about=item.customer.name,
                right=right,
                badge=_("overdue") if item.overdue else str(STATES[item.state]),
                badge_key="failed" if item.overdue else item.state,
                mark="due-late" if item.overdue else "due-now",
            )
        )
    return Panel(
        "clocks",
        _("Complaints and their clocks"),
        items,
        empty=_("No open complaint."),
        all_url=address("ComplaintView.list", state=OPEN_STATES),
        count=total or 0,
    )


def _visits_due() -> Panel | None:
    """Planned visits that are overdue or come within two weeks."""
    if not may("read", "visit-plans"):
        return None
    today = local_today()
    rows = current_session().scalars(
        select(VisitPlan)
        .where(
            VisitPlan.visit_id.is_(None),
            VisitPlan.dropped_reason.is_(None),
            VisitPlan.retired_at.is_(None),
            VisitPlan.planned_on <= today + timedelta(days=14),
            *SERVICES["visit-plans"].visible(),
        )
        .options(joinedload(VisitPlan.customer))
        .order_by(VisitPlan.planned_on)
        .limit(SHOWN)
    )
    return Panel(
        "visits-due",
        _("Visits to make"),
        [
            Item(
                item.customer.name,
                address(
                    "VisitView.add",
                    customer_id=item.customer_id,
                    site_id=item.site_id or "",
                    purpose=item.purpose,
                )
                if may("write", "visits")
                else address("VisitPlanView.show", record_id=item.id),
                about=item.purpose,
                right=show_day(item.planned_on),
                badge=_("overdue") if item.planned_on < today else "",
                badge_key="failed",
            )
            for item in rows
        ],
        empty=_("No visit is planned."),
        hint=_("Plan the month: who was not seen for long comes first."),
        all_url=address("ServiceView.plan"),
    )


def _follow_ups() -> Panel | None:
    if not may("read", "visits"):
        return None
    today = local_today()
    rows = current_session().scalars(
        select(Visit)
        .where(
            Visit.follow_up_on.is_not(None),
            Visit.followed_up_on.is_(None),
            Visit.retired_at.is_(None),
            *SERVICES["visits"].visible(),
        )
        .options(joinedload(Visit.customer))
        .order_by(Visit.follow_up_on)
        .limit(SHOWN)
    )
    return Panel(
        "follow-ups",
        _("Follow-ups"),
        [
            Item(
                item.customer.name,
                address("VisitView.show", record_id=item.id),
                about=item.purpose,
                right=show_day(item.follow_up_on) if item.follow_up_on else "",
                badge=_("overdue") if item.follow_up_on and item.follow_up_on < today else "",
                badge_key="failed",
            )
            for item in rows
        ],
        empty=_("No follow-up is open."),
        all_url=address("VisitView.list"),
    )


def _old_lots() -> Panel | None:
    if not may("read", "cement-lots"):
        return None
    made_on = func.coalesce(CementLot.produced_on, CementLot.delivered_on)
    oldest = oldest_usable(local_today())
    rows = current_session().scalars(
        select(CementLot)
        .where(
            # The later of the two, as `CementLot.fresh_by`.
            func.coalesce(CementLot.retested_on, made_on) < oldest,
            func.coalesce(made_on, CementLot.retested_on) < oldest,
            CementLot.retired_at.is_(None),
        )
        .options(joinedload(CementLot.cement_product))
        .order_by(made_on.desc())
        .limit(SHOWN)
    )
    return Panel(
        "old-lots",
        _("Lots older than three months"),
        [
            Item(
                item.code,
                address("CementLotView.show", record_id=item.id),
                about=item.cement_product.title,
                right=show_day(made) if (made := item.produced_on or item.delivered_on) else "",
            )
            for item in rows
        ],
        empty=_("No lot waits for a retest."),
        all_url=address("CementLotView.list"),
    )


def _old_samples() -> Panel | None:
    """Regions whose sand and stone were not sampled for a quarter."""
    if not may("read", "aggregate-samples"):
        return None
    pits = old_pits()
    return Panel(
        "old-samples",
        _("Samples to renew"),
        [
            Item(
                pit.source.title,
                address("AggregateSourceView.show", record_id=pit.source.id),
                about=pit.source.region.name if pit.source.region else "",
                right=show_day(pit.sampled_on) if pit.sampled_on else _("never"),
            )
            for pit in pits[:SHOWN]
        ],
        empty=_("Every region was sampled within the last quarter."),
        all_url=address("AggregateReminderView.show"),
        count=len(pits),
    )


def _strengths_by_month() -> list[tuple[Any, ...]]:
    """(month, grade of the mix in MPa, results, sum of MPa, rule that gave them, class and kind of the mix) of 28 days,
    standard curing, cast within the chart's months; a month as "2026-03" by the laboratory's clock, as in the summary."""
    since = utc_now() - timedelta(days=31 * CHART_MONTHS)
    begun = local_time(since).date().replace(day=1)
    # Compared with where each month begins: SQLite knows no zones.
    names = []
    while begun <= local_today():
        following = date(begun.year + begun.month // 12, begun.month % 12 + 1, 1)
        names.append((Batch.cast_at < day_begins(following), f"{begun:%Y-%m}"))
        begun = following
    month = case(*names).label("month")
    rows = current_session().execute(
        select(
            month,
            MixDesign.grade_mpa,
            func.count(),
            func.sum(SetResult.strength_mpa),
            SetResult.rule_id,
            MixDesign.strength_class,
            MixDesign.kind,
        )
        .join(SpecimenSet, SpecimenSet.id == SetResult.specimen_set_id)
        .join(Batch, Batch.id == SpecimenSet.batch_id)
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .join(MixDesign, MixDesign.id == MixRevision.mix_design_id)
        .where(
            SpecimenSet.age_days == 28,
            SetResult.superseded_at.is_(None),
            SetResult.strength_mpa.is_not(None),
            Batch.cast_at >= since,
            where_cured_as_standard(),
            MixDesign.grade_mpa.is_not(None),
        )
        # By its name: PostgreSQL sees no likeness between two lists of parameters.
        .group_by("month", MixDesign.grade_mpa, SetResult.rule_id, MixDesign.strength_class, MixDesign.kind)
    )
    return [tuple(row) for row in rows]


def _strength_chart() -> Panel | None:
    """28-day means by month and grade, standard curing."""
    if not may("read", "set-results"):
        return None
    rows, as_of = dear("strengths by month", _strengths_by_month)
    # As in the summary: mortars and shotcrete are lines of their own, and so are cylinders, or cubes where those are usual;
    # of a class of two numbers each shape is held against its own. Means are rounded half to even, as there.
    found: dict[tuple[str, Decimal, str, str], dict[str, tuple[int, Decimal]]] = defaultdict(dict)
    for month, of_mix, count, total, rule_id, strength_class, kind in rows:
        shape = shape_of_rule(rule_id)
        grade = grade_of_shape(strength_class, of_mix, shape or laboratory().codes.shape)
        assert grade is not None  # the conditions leave no others
        assert total is not None
        if month is None:
            continue  # cast in a month that has not begun: a clock that runs ahead
        line = found["M" if kind == "mortar" else "C", grade, apart(shape), sprayed(kind)]
        n, mpa = line.get(month, (0, Decimal(0)))
        line[month] = (n + int(count), mpa + total)
    months = sorted({name for by_month in found.values() for name in by_month})
    means = [
        (
            beside(beside(f"{letter}{format_decimal(grade)}", other_shape), shotcrete),
            {month: (n, f"{mpa / n:.1f}") for month, (n, mpa) in by_month.items()},
        )
        for (letter, grade, other_shape, shotcrete), by_month in sorted(found.items())
    ]
    chart = {
        "x": months,
        "series": [
            {"name": name, "data": [float(of[month][1]) if month in of else None for month in months]}
            for name, of in means
        ],
        "labels": {"x": _("Month of casting"), "y": "MPa"},
    }
    table = [
        [month, *(f"{of[month][1]} (n = {of[month][0]})" if month in of else "–" for _name, of in means)]
        for month in months
    ]
    return Panel(
        "strength",
        _("28-day strength by month and grade"),
        chart=chart if months else None,
        heads=[_("Month"), *(name for name, _of in means)],
        rows=table,
        note=_("As of %(time)s", time=show_time(as_of, year=False)) if as_of is not None else "",
        empty=_("No 28-day result of the last twelve months."),
        all_url=address("SetResultView.list"),
        wide=True,
    )


def _calibrations() -> Panel | None:
    if not may("read", "calibrations"):
        return None
    today = local_today()
    rows = current_session().scalars(
        select(Calibration)
        .where(Calibration.due_on < today + timedelta(days=60), *in_force())
        .options(joinedload(Calibration.press), joinedload(Calibration.scale), joinedload(Calibration.mould))
        .order_by(Calibration.due_on)
        .limit(SHOWN)
    )
    return Panel(
        "calibrations",
        _("Calibrations running out"),
        [
            Item(
                item.device,
                address("CalibrationView.show", record_id=item.id),
                about=item.certificate_number,
                right=show_day(item.due_on),
                badge=_("ran out") if item.due_on < today else "",
                badge_key="failed",
            )
            for item in rows
        ],
        empty=_("No calibration runs out within sixty days."),
        all_url=address("CalibrationView.list"),
    )


def _audit_sample() -> Panel | None:
    """The same specimens all day: drawn with the date as the seed, of those that were there when it began, so that two
    auditors see the same."""
    if not may("read", "specimens"):
        return None
    session = current_session()
    today = local_today()
    newest = select(Specimen.id).order_by(Specimen.id.desc()).limit(1)
    before = newest.where(Specimen.created_at < day_begins(today)).scalar_subquery()
    # On the first day of a laboratory of those that there are.
    last = session.scalar(select(func.coalesce(before, newest.scalar_subquery()))) or 0
    draw = random.Random(today.toordinal())  # noqa: S311 - a repeatable sample, no secret
    ids = sorted({draw.randint(1, last) for _i in range(SAMPLED)}) if last else []
    rows = session.scalars(
        select(Specimen)
        .where(Specimen.id.in_(ids))
        .options(joinedload(Specimen.specimen_set).joinedload(SpecimenSet.batch))
        .order_by(Specimen.id)
    )
    return Panel(
        "sample",
        _("Sample of the day"),
        [
            Item(
                item.code,
                address("SpecimenView.show", record_id=item.id),
                about=item.specimen_set.batch.code,
                right=_("%(days)s d", days=item.specimen_set.age_days),
            )
            for item in rows
        ],
        empty=_("No specimen yet."),
        hint=_("Ten specimens drawn with today's date as the seed."),
        all_url=address("SampleView.show"),
    )


def _findings() -> Panel | None:
    """Findings that wait for an answer, or for the auditor's word on one; the longest overdue first."""
    if not may("read", "findings"):
        return None
    session = current_session()
    waits = Finding.state.in_(FINDINGS_OPEN)
    rows = list(
        session.scalars(select(Finding).where(waits).order_by(Finding.due_on, Finding.id).limit(SHOWN))
    )
    return Panel(
        "findings",
        _("Findings"),
        [
            Item(
                item.code,
                address("FindingView.show", record_id=item.id),
                about=item.subject,
                right=show_day(item.due_on),
                badge=_("overdue") if item.overdue else str(FINDING_STATES[item.state]),
                badge_key="failed" if item.overdue else item.state,
                mark="due-late" if item.overdue else "",
            )
            for item in rows
        ],
        empty=_("No finding is open."),
        hint=_("Draw an audit sample, or write a finding on the page of a record."),
        all_url=address("FindingView.list", state=FINDINGS_OPEN, order="due_on"),
        count=session.scalar(select(func.count()).select_from(Finding).where(waits)) or 0,
    )


def _amendments() -> Panel | None:
    if not may("read", "breaks"):
        return None
    rows = current_session().scalars(
        select(Break)
        .where(Break.superseded_at.is_not(None))
        .options(joinedload(Break.specimen))
        .order_by(Break.superseded_at.desc())
        .limit(SHOWN)
    )
    return Panel(
        "amendments",
        _("Corrected entries"),
        [
            Item(
                item.specimen.code,
                address("BreakView.show", record_id=item.id),
                right=show_time(item.superseded_at) if item.superseded_at else "",
            )
            for item in rows
        ],
        empty=_("No entry was corrected."),
        all_url=address("BreakView.list", superseded="true"),
    )


def _unconfirmed() -> Panel | None:
    if not may("read", "rules"):
        return None
    confirmed = confirmed_rules()
    missing = [rule for rule in REGISTER.rules if rule.id not in confirmed]
    return Panel(
        "unconfirmed",
        _("Rules not confirmed yet"),
        [
            Item(
                _(rule.title),
                address("RulesView.show", rule_id=rule.id),
                about=f"{cited(rule.code, rule.edition)} · {rule.id}",
            )
            for rule in missing[:SHOWN]
        ],
        empty=_("Every rule is confirmed."),
        all_url=address("RulesView.register"),
        count=len(missing),
    )


def _papers() -> Panel | None:
    """Certificates that a later change of a result has overtaken, then the newest ones."""
    if not may("read", "certificates"):
        return None
    overtaken, newest = outdated(SHOWN)
    items = [
        Item(
            item.code,
            address("CertificateView.show", record_id=item.id),
            about=item.batch.code,
            right=show_time(item.issued_at, year=False),
            badge=_("superseded: reissue") if item in overtaken else "",
            badge_key="failed",
            mark="due-late" if item in overtaken else "",
        )
        for item in (*overtaken, *(other for other in newest if other not in overtaken))
    ]
    return Panel(
        "papers",
        _("Certificates"),
        items[:SHOWN],
        empty=_("No certificate yet."),
        hint=_("Open a batch with released results and press “Certificate”."),
        all_url=address("CertificateView.list"),
        # More than are shown were read of no list: so many at least.
        count=(f"{SHOWN}+" if len(overtaken) == SHOWN else len(overtaken)) or None,
    )


def _guide() -> Panel | None:
    user = principal()
    if user is None or not may("write", "laboratory") or value_of(user.id, "hidden", "", "guide"):
        return None
    steps = guide()
    return None if all(step.done for step in steps) else Panel("guide", _("Setting up"), guide=steps)


def _backups() -> Panel | None:
    """Only when there is something to do: nobody looks for a job that was never asked for."""
    if not may("oversee", "jobs"):
        return None
    now = utc_now()
    newest = newest_verified(now)
    if not overdue(now, newest):
        return None
    # Only now the folders: of backups by hand and before upgrades.
    newest = max(
        filter(None, (newest, newest_verified_at(current_app.config["LIMS_SETTINGS"], now))), default=None
    )
    if not overdue(now, newest):
        return None
    jobs = address("JobView.list", kind=BACKUP)
    return Panel(
        "backups",
        _("Backups"),
        [
            Item(
                _("No verified backup since %(when)s", when=show_time(newest))
                if newest
                else _("No backup was ever verified"),
                jobs,
                about=_("Does the server run at some time of the day, and what do the jobs say?"),
                badge=_("overdue"),
                badge_key="failed",
                mark="due-late",
            )
        ],
        all_url=jobs,
    )


PANELS: dict[str, tuple[Callable[[], Panel | None], ...]] = {
    TECHNICIAN: (_due, _workload, _to_verify, _forecasts, _old_samples),
    SALES: (_answers, _prospects, _visits_due, _shares, _forecasts, _clocks),
    SERVICE: (_clocks, _visits_due, _follow_ups, _old_lots, _old_samples),
    MANAGER: (
        _strength_chart,
        _to_release,
        _papers,
        _answers,
        _clocks,
        _calibrations,
        _forecasts,
        _old_samples,
    ),
    AUDITOR: (_findings, _audit_sample, _amendments, _unconfirmed, _calibrations),
    ADMINISTRATOR: (_backups, _guide, _due, _to_verify, _clocks, _calibrations),
}
