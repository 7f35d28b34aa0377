"""The service at a glance: figures, the month's plan of visits, promises, and scores for managers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from lims.aftersales import figures
from lims.aftersales.models import OPEN_STATES, Complaint, ServiceSettings, VisitPlan
from lims.aftersales.promises import hours_by_day, promises
from lims.aftersales.schemas import CATEGORIES, CLOCKS, PLAN_STATES, ROOT_CAUSES, WEEKDAYS, ServiceSettingsIn
from lims.aftersales.service import ServiceSettingsService
from lims.aftersales.visits import VisitPlanService
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import form_text, local_time, local_today
from lims.base.forms import build_form, posted_values
from lims.base.problems import Conflict, Problem, Refused, refuse
from lims.base.security import current_actor, may, require
from lims.base.services import SERVICES
from lims.base.staff import staff_names
from lims.base.views import (
    GuardedView,
    MenuPlace,
    address_of,
    bounded_int,
    met_another,
    opened_version,
    require_usual_year,
)
from lims.customers.schemas import LAPSE_REASONS

#: Days that the page may look back.
PERIODS = (30, 90, 180, 365)
SETTINGS_SECTIONS = (
    (
        _l("What we promise"),
        ("answer_minutes", "on_site_minutes", "solve_minutes", "time_kind", "escalate_to"),
    ),
    (_l("Working hours"), tuple(WEEKDAYS)),
    (_l("Visits"), ("visit_prospect_days", "visit_trial_days", "visit_active_days", "visit_lapsed_days")),
    (_l("Score of a service person"), ("weight_clocks", "weight_visits", "weight_satisfaction")),
)


class ServiceView(GuardedView):
    """/service/"""

    route_base = "/service"
    default_view = "overview"
    permission_on = "service"
    title = _l("Service")
    menu = MenuPlace("customers", order=5, icon="headset")

    @expose("/")
    @permission_name("read")
    def overview(self) -> ResponseReturnValue:
        self.allow("read")
        days = bounded_int("days", figures.PERIOD_DAYS, 7, 1100)
        now = utc_now()
        today = local_time(now).date()
        complaints = figures.complaints_since(now - timedelta(days=days))
        months, reasons = figures.won_and_lost(today)
        told = (
            figures.forecasts_of_new_customers(now - timedelta(days=days)) if may("read", "forecasts") else []
        )
        mark, marks = figures.satisfaction_since(today - timedelta(days=days))
        return self._page(
            "lims/service.html",
            days=days,
            complaints=len(complaints),
            clocks=[(CLOCKS[name], kept) for name, kept in figures.clocks_kept(complaints).items()],
            by_category=[
                (CATEGORIES.get(key, key), n, key) for key, n in figures.open_by(Complaint.category).items()
            ],
            open_states=OPEN_STATES,
            by_cause=[(ROOT_CAUSES.get(key, key), n, key) for key, n in figures.causes(complaints).items()],
            visits=figures.visits_of_month(today),
            mark=mark,
            marks=marks,
            months=months,
            won=sum(won for _month, won, _lost in months),
            lost=sum(lost for _month, _won, lost in months),
            reasons=[(LAPSE_REASONS.get(key, _("not said")), n) for key, n in reasons.items()],
            forecasts=told[: figures.SHOWN_FORECASTS],
            told=len(told),
            accuracy=figures.accuracy(told),
            periods=PERIODS,
            chart={
                "x": [month for month, _won, _lost in months],
                "series": [
                    {"name": _("Won"), "bars": True, "data": [won for _m, won, _l_ in months]},
                    {"name": _("Lost"), "bars": True, "data": [lost for _m, _w, lost in months]},
                ],
                "whole": True,
                "labels": {"x": _("Month"), "y": _("Customers")},
            },
        )

    @expose("/plan")
    @permission_name("read")
    def plan(self) -> ResponseReturnValue:
        self.allow("read")
        require("read", "visit-plans")
        month = self._month()
        return self._page("lims/visit_plan.html", **self._plan(month))

    @expose("/plan", methods=["POST"])
    @permission_name("read")
    def make_plan(self) -> ResponseReturnValue:
        """Plan the ticked customers of what is proposed."""
        self.allow("read")
        require("write", "visit-plans")
        month = self._month()
        ids = [
            int(text) for text in request.form.getlist("customer_id") if text.isdecimal() and len(text) < 19
        ]
        if not ids:
            flash(_("Tick the customers to be visited."), "warning")
        else:
            made = VisitPlanService().plan_proposed(month, ids, current_actor())
            flash(ngettext("%(num)s visit is planned.", "%(num)s visits are planned.", made), "success")
        return redirect(url_for("ServiceView.plan", month=f"{month:%Y-%m}"))

    @expose("/persons")
    @permission_name("read")
    def persons(self) -> ResponseReturnValue:
        """By the agreed measures; for managers only."""
        self.allow("read")
        require("read", "service-scores")
        days = bounded_int("days", figures.PERIOD_DAYS, 7, 1100)
        names = staff_names()
        found = figures.scores(utc_now() - timedelta(days=days))
        return self._page(
            "lims/service_persons.html",
            days=days,
            scores=[(names.get(str(score.user_id), "–"), score) for score in found],
            weights=promises().weights,
        )

    @expose("/settings", methods=["GET", "POST"])
    @permission_name("read")
    def settings(self) -> ResponseReturnValue:
        self.allow("read")
        require("write", "service-settings")
        problems: list[Problem] = []
        theirs: dict[str, str] = {}
        version, stored = self._stored()
        if request.method == "POST":
            values: dict[str, Any] = posted_values(ServiceSettingsIn, request.form)
            opened = opened_version("0")
            try:
                ServiceSettingsService().save(values, current_actor(), opened)
            except Refused as error:
                problems, version = error.problems, opened
            except Conflict:
                version, stored = self._stored()
                told = {
                    item.name: form_text(item, stored.get(item.name)) for item in ServiceSettingsIn.inputs()
                }
                theirs = {name: text for name, text in told.items() if text != values.get(name, "")}
                problems = [met_another()]
            else:
                flash(_("The promises hold for every clock that starts from now on."), "success")
                return redirect(url_for("ServiceView.overview"))
        else:
            values = stored
        form = build_form(
            ServiceSettingsIn,
            values,
            sections=SETTINGS_SECTIONS,
            problems=problems,
            theirs=theirs,
            version=version,
        )
        page = self._page(
            "lims/simple_form.html",
            form=form,
            title=_("What the service promises"),
            back=url_for("ServiceView.overview"),
        )
        return (page, 409 if theirs else 422) if problems else page

    def _stored(self) -> tuple[int, dict[str, Any]]:
        """The version and the values of the promises; 0 and none while they are the program's."""
        row = (
            current_session()
            .scalars(
                select(ServiceSettings)
                .order_by(ServiceSettings.id)
                .limit(1)
                .execution_options(populate_existing=True)
            )
            .one_or_none()
        )
        if row is None:
            return 0, {}
        named = {
            item.name: getattr(row, item.name)
            for item in ServiceSettingsIn.inputs()
            if hasattr(row, item.name)
        }
        return row.version, {**named, **hours_by_day(row.hours)}

    def _month(self) -> date:
        given = request.args.get("month", "")
        if not given:
            return local_today().replace(day=1)
        try:
            month = date.fromisoformat(f"{given[:7]}-01")
        except ValueError:
            raise refuse("month", _("is not a month; accepted: 2026-03"), given[:20]) from None
        require_usual_year("month", month)
        return month

    def _plan(self, month: date) -> dict[str, Any]:
        after = (month + timedelta(days=32)).replace(day=1)
        today = local_today()
        session = current_session()

        def plans(*conditions: Any) -> list[VisitPlan]:
            query = (
                select(VisitPlan)
                .where(VisitPlan.retired_at.is_(None), *conditions, *SERVICES["visit-plans"].visible())
                .options(joinedload(VisitPlan.customer), joinedload(VisitPlan.site))
                .order_by(VisitPlan.planned_on, VisitPlan.id)
                .limit(500)
            )
            return list(session.scalars(query))

        in_month = plans(VisitPlan.planned_on >= month, VisitPlan.planned_on < after)
        late = plans(
            VisitPlan.planned_on < today, VisitPlan.visit_id.is_(None), VisitPlan.dropped_reason.is_(None)
        )
        weeks: dict[int, list[VisitPlan]] = {}
        for plan in in_month:
            weeks.setdefault(plan.planned_on.isocalendar()[1], []).append(plan)
        return {
            "month": month,
            "before": (month - timedelta(days=1)).replace(day=1),
            "after": after,
            "today": today,
            "weeks": list(weeks.items()),
            "late": late,
            "counts": {state: sum(1 for plan in in_month if plan.state == state) for state in PLAN_STATES},
            "plan_states": PLAN_STATES,
            "proposed": VisitPlanService().propose(month) if after > today else [],
            "may_plan": may("write", "visit-plans"),
            "may_visit": may("write", "visits"),
            "people": staff_names(),
            "visit_days": promises().visit_days,
        }

    def _page(self, template: str, **context: Any) -> str:
        rendered: str = self.render_template(template, view=self, address_of=address_of, **context)
        return rendered
