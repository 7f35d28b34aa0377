"""Numbers of the first page."""

from __future__ import annotations

from typing import Any

from flask import url_for
from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from lims.aftersales.models import Complaint
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import local_time
from lims.base.security import may
from lims.forecasts.models import Forecast
from lims.mixes.models import MixDesign
from lims.results.models import SetResult
from lims.results.views import due_sets
from lims.trials.models import Batch

SHOWN = 8


def overview() -> dict[str, Any]:
    """Counts, the sets due next and the latest forecasts, as far as the role may see them."""
    session = current_session()
    now = utc_now()
    stats = []

    def add(name: str, label: str, value: int | None, href: str, icon: str, colour: str) -> None:
        if may("read", name):
            stats.append({"label": label, "value": value or 0, "href": href, "icon": icon, "colour": colour})

    sets = due_sets() if may("read", "breaks") else []
    due_now = sum(1 for item in sets if item.due_from is not None and item.due_from <= now)
    add("breaks", _("sets due now"), due_now, url_for("BreaksView.due"), "gauge", "teal")
    waiting = session.scalar(
        select(func.count()).where(SetResult.state == "entered", SetResult.superseded_at.is_(None))
    )
    add(
        "set-results",
        _("to verify"),
        waiting,
        url_for("SetResultView.list", state="entered"),
        "check",
        "yellow",
    )
    add(
        "mix-designs",
        _("mixes"),
        session.scalar(select(func.count(MixDesign.id))),
        url_for("MixDesignView.list"),
        "layers",
        "azure",
    )
    complaints = session.scalar(select(func.count(Complaint.id)).where(Complaint.closed_at.is_(None)))
    add("complaints", _("open complaints"), complaints, url_for("ComplaintView.list"), "headset", "red")
    if not may("read", "complaints"):
        add(
            "batches",
            _("batches"),
            session.scalar(select(func.count(Batch.id))),
            url_for("BatchView.list"),
            "box",
            "purple",
        )
    rows = (
        session.scalars(
            select(Forecast)
            .options(joinedload(Forecast.mix_design))
            .order_by(Forecast.id.desc())
            .limit(SHOWN)
        ).all()
        if may("read", "forecasts")
        else []
    )
    enter = may("write", "breaks")
    return {
        "today": f"{local_time(now):%Y-%m-%d}",
        "stats": stats,
        "due": [
            {
                "code": item.code,
                "age_days": item.age_days,
                "due": f"{local_time(item.due_at):%m-%d %H:%M}" if item.due_at else "",
                "when": "late"
                if item.due_until and item.due_until < now
                else "now"
                if item.due_from and item.due_from <= now
                else "next",
                "href": url_for("BreaksView.enter", set_id=item.id)
                if enter
                else url_for("SpecimenSetView.show", record_id=item.id),
            }
            for item in sets[:SHOWN]
        ],
        "forecasts": [
            {
                "mix": item.mix_design.code,
                "ages": item.early_ages or "0",
                "strength": f"{item.strength_mpa:.1f}" if item.strength_mpa is not None else "–",
                "href": url_for("MixDesignView.show", record_id=item.mix_design_id),
            }
            for item in rows
        ],
    }
