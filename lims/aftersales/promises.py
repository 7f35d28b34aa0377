"""What the service promises, as pages and services need it: the stored row, or the defaults of the schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

from flask import g
from sqlalchemy import select

from lims.aftersales.clocks import Hours, WorkingWeek
from lims.aftersales.models import Holiday, ServiceSettings
from lims.aftersales.schemas import WEEKDAYS, ServiceSettingsIn
from lims.base.database import current_session
from lims.base.laboratory import laboratory

STAGES = ("prospect", "trial", "active", "lapsed")


@dataclass(frozen=True, slots=True)
class Promises:
    """Limits in minutes, the week in which working time is counted (None: any time), and who is told."""

    answer_minutes: int
    on_site_minutes: int
    solve_minutes: int
    week: WorkingWeek | None
    escalate_to: tuple[str, ...]
    visit_days: Mapping[str, int]
    weights: Mapping[str, int]


def promises() -> Promises:
    """Read once a request, job or command."""
    kept: Promises | None = g.get("lims_promises")
    if kept is None:
        session = current_session()
        row = session.scalars(select(ServiceSettings).order_by(ServiceSettings.id).limit(1)).one_or_none()
        kept = g.lims_promises = _of(row if row is not None else ServiceSettingsIn.read({}))
    return kept


def forget_promises() -> None:
    """After the settings or the holidays have changed."""
    g.pop("lims_promises", None)


def _of(source: Any) -> Promises:
    return Promises(
        answer_minutes=source.answer_minutes,
        on_site_minutes=source.on_site_minutes,
        solve_minutes=source.solve_minutes,
        week=_week(source.hours) if source.time_kind == "working" else None,
        escalate_to=tuple(role.strip() for role in source.escalate_to.split(",") if role.strip()),
        visit_days={stage: getattr(source, f"visit_{stage}_days") for stage in STAGES},
        weights={name: getattr(source, f"weight_{name}") for name in ("clocks", "visits", "satisfaction")},
    )


def _week(hours: str) -> WorkingWeek:
    days = tuple(hours_of_text(text) for text in hours.split(","))
    monday = next((span for span in days if span is not None), None)
    special: dict[date, Hours | None] = {
        day: (days[0] or monday) if working else None for day, working in named_days().items()
    }
    return WorkingWeek(ZoneInfo(laboratory().timezone), days, special)


def hours_of_text(text: str) -> Hours | None:
    """08:00-17:30 as two times; None for "-"."""
    if text.strip() in {"", "-"}:
        return None
    begin, _dash, end = text.partition("-")
    return time.fromisoformat(begin), time.fromisoformat(end)


def hours_by_day(hours: str) -> dict[str, str]:
    """The stored text as the fields of the form."""
    return dict(zip(WEEKDAYS, hours.split(","), strict=True))


def named_days() -> dict[date, bool]:
    """What the list of holidays says of single days: day -> is it worked?"""
    query = select(Holiday.day, Holiday.working).where(Holiday.retired_at.is_(None))
    named: dict[date, bool] = dict(current_session().execute(query).all())
    return named
