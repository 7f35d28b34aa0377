"""Pages of reporting: the summary and its workbook, control charts, certificates, and the public check of a paper."""

from __future__ import annotations

import hashlib
import io
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.database import transaction
from lims.base.display import local_today, show_time
from lims.base.exports import MOST_ROWS_AT_ONCE, XLSX, as_person
from lims.base.files import download, file_response, keep_file, stored_file
from lims.base.forms import build_form
from lims.base.jobs import RunningJob, enqueue, job_kind
from lims.base.problems import Conflict, NotFound, Problem, Refused, refuse
from lims.base.security import current_actor, may, require
from lims.base.views import GuardedView, MenuPlace, RecordView, address_of
from lims.customers.regions import own_regions
from lims.reporting.certificate import reservations_of, verify_address
from lims.reporting.control import (
    SIGNALS,
    addresses_of,
    charted,
    charts_of,
    names_of,
    series_of,
)
from lims.reporting.models import Certificate
from lims.reporting.schemas import (
    ACCEPTANCE_DAYS,
    DIMENSIONS,
    CertificateIn,
    ChartFilters,
    ReissueIn,
    SummaryFilters,
)
from lims.reporting.service import CertificateService, verified
from lims.reporting.sheets import verdict_in_words
from lims.reporting.statistics import by_month, grouped, result_rows, with_forecasts
from lims.reporting.workbook import write_summary
from lims.rules.answers import WORDS
from lims.rules.service import unconfirmed

#: The groups that the page of the summary shows, in order.
SHOWN_GROUPS = ("grade", "region", "customer", "cement")


def sees_unreleased() -> bool:
    """Results that are not released stay with those who may read results at all."""
    return may("read", "set-results")


def given_filters(schema: type[SummaryFilters]) -> dict[str, str]:
    """What stands in the address; a page that is opened without filters shows released 28-day results."""
    names = {item.name for item in schema.inputs()}
    given = {name: value[:60] for name, value in request.args.items() if name in names}
    if "go" not in request.args:
        given = {"released": "true", "age_days": str(ACCEPTANCE_DAYS), **given}
    elif "released" not in given:
        given["released"] = "false"
    return given


def within_role(filters: Any) -> Any:
    """The same filters, narrowed to what the person may see."""
    return filters if filters.released or sees_unreleased() else filters.model_copy(update={"released": True})


class SummaryView(GuardedView):
    """/summary/: figures and verdicts of a period, and the workbook of the same filters."""

    route_base = "/summary"
    default_view = "figures"
    permission_on = "summary"
    title = _l("Summary")
    menu = MenuPlace("reports", order=5, icon="chart")

    @expose("/")
    @permission_name("read")
    def figures(self) -> ResponseReturnValue:
        self.allow("read")
        given = given_filters(SummaryFilters)
        problems: tuple[Problem, ...] = ()
        filters = None
        try:
            filters = within_role(SummaryFilters.read(given))
        except Refused as error:
            problems = tuple(error.problems)
        form = build_form(SummaryFilters, given, problems=problems)
        context: dict[str, Any] = {"groups": [], "months": None, "rows": 0}
        if filters is not None:
            rows = with_forecasts(result_rows(filters))
            months = by_month(rows)
            context = {
                "rows": len(rows),
                "counted": sum(row.counts for row in rows),
                "off_age": any(row.counts and row.off_age for row in rows),
                "groups": [(name, grouped(rows, name)) for name in SHOWN_GROUPS],
                "months": months,
                "month_chart": _month_chart(months),
            }
        page: str = self.render_template(
            "lims/summary.html",
            view=self,
            form=form,
            periods=_periods(),
            query=urlencode({key: value for key, value in request.args.items() if key != "_l_"}),
            sees_unreleased=sees_unreleased(),
            sees_all_regions=own_regions() is None,
            group_titles={
                "grade": _("By grade"),
                "region": _("By region"),
                "customer": _("By customer"),
                "cement": _("By cement"),
            },
            dimensions=DIMENSIONS,
            verdict_in_words=verdict_in_words,
            words=WORDS,
            one=_one,
            **context,
        )
        return (page, 422) if problems else page

    @expose("/workbook")
    @permission_name("read")
    def workbook(self) -> ResponseReturnValue:
        """The filters of the page as .xlsx; a large one is made by a job."""
        self.allow("read")
        filters = within_role(SummaryFilters.read(given_filters(SummaryFilters)))
        actor = current_actor()
        if sum(1 for _row in result_rows(filters)) > MOST_ROWS_AT_ONCE:
            job = enqueue("summary", {"filters": as_json(filters)}, actor)
            return redirect(url_for("JobView.show", record_id=job.id))
        target = io.BytesIO()
        layout = write_summary(target, filters, actor.label)
        return file_response(target.getvalue(), XLSX, workbook_name(layout.file_name, filters))


def as_json(filters: SummaryFilters) -> dict[str, Any]:
    """Filters as the arguments of a job."""
    return {
        name: value if isinstance(value, bool) or value is None else str(value)
        for name, value in filters.values().items()
    }


def workbook_name(name: str, filters: SummaryFilters) -> str:
    """The layout's name with the period, else with today."""
    period = "_".join(day.isoformat() for day in (filters.since, filters.until) if day is not None)
    return f"{name}-{period or local_today().isoformat()}.xlsx"


@job_kind("summary", title=_l("Summary as a workbook"))
def make_summary(job: RunningJob, **arguments: Any) -> dict[str, Any]:
    """The workbook of these filters, as the person may see them when the job runs. Raises: Forbidden, Refused."""
    filters = SummaryFilters.read(arguments["filters"])
    with as_person(job.actor), TemporaryDirectory() as folder:
        if job.actor.user_id is not None:
            require("read", "summary")
            filters = within_role(filters)
        path = Path(folder) / "summary.xlsx"
        layout = write_summary(path, filters, job.actor.label, job.progress)
        with transaction(job.actor, "summary") as session:
            stored = keep_file(session, path.read_bytes(), XLSX)
    return {"file_id": stored.id, "file_name": workbook_name(layout.file_name, filters)}


def _one(value: Decimal | None, places: int = 1) -> str:
    """A figure as it is shown; the unrounded one stands in the workbook."""
    return "–" if value is None else f"{value:.{places}f}"


def _periods() -> list[tuple[str, str]]:
    """This month, the last one and this year, as links."""
    today = local_today()
    first = today.replace(day=1)
    last_month = (
        first.replace(year=first.year - 1, month=12)
        if first.month == 1
        else first.replace(month=first.month - 1)
    )
    before_first = first.fromordinal(first.toordinal() - 1)
    spans = (
        (_("This month"), first, today),
        (_("Last month"), last_month, before_first),
        (_("This year"), today.replace(month=1, day=1), today),
    )
    kept = {
        name: value
        for name, value in request.args.items()
        if name in {item.name for item in SummaryFilters.inputs()}
    }
    if "go" not in request.args:
        kept = {"released": "true", "age_days": str(ACCEPTANCE_DAYS), **kept}
    return [
        (label, "?" + urlencode({**kept, "since": since.isoformat(), "until": until.isoformat(), "go": "1"}))
        for label, since, until in spans
    ]


def _month_chart(months: Any) -> dict[str, Any] | None:
    """Mean by month, a line for each grade and age; forecasts beside the actual."""
    x = sorted({month.name for month in months})
    if len(x) < 2:
        return None
    names: dict[tuple[str, int], dict[str, Any]] = {}
    for month in months:
        names.setdefault((month.grade, month.age_days), {})[month.name] = month
    largest = sorted(names.items(), key=lambda item: -sum(m.n for m in item[1].values()))[:3]
    series: list[dict[str, Any]] = []
    for (grade, age), by_name in largest:
        label = f"{grade or _('none')} · " + _("%(days)s d", days=age)
        series.append(
            {
                "name": label,
                "data": [round(float(by_name[m].mean_mpa), 2) if m in by_name else None for m in x],
            }
        )
        said = [
            round(float(by_name[m].forecast_mean_mpa), 2)
            if m in by_name and by_name[m].forecast_mean_mpa is not None
            else None
            for m in x
        ]
        if any(value is not None for value in said):
            name = _("%(name)s, %(what)s", name=label, what=_("forecast"))
            series.append({"name": name, "data": said, "dashed": True})
    return {"x": x, "series": series, "least": True, "labels": {"x": _("Month"), "y": "MPa"}}


class ControlChartsView(GuardedView):
    """/control-charts/: one grade, mix or cement lot in the order of casting."""

    route_base = "/control-charts"
    default_view = "charts"
    permission_on = "summary"
    title = _l("Control charts")
    menu = MenuPlace("reports", order=7, icon="trend")

    @expose("/")
    @permission_name("read")
    def charts(self) -> ResponseReturnValue:
        self.allow("read")
        given = given_filters(ChartFilters)
        given.setdefault("by", "grade")
        problems: tuple[Problem, ...] = ()
        context: dict[str, Any] = {"series": None, "names": [], "chosen": "", "charts": {}}
        try:
            filters = within_role(ChartFilters.read(given))
            rows = charted(list(result_rows(filters)), filters.age_days)
            names = names_of(rows, filters.by)
            addresses = addresses_of(rows, filters.by)
            known = [name for name, _n in names]
            chosen = next(
                (name for name in known if filters.of in (name, addresses[name])), known[0] if known else ""
            )
            series = series_of(chosen, rows, filters.by, filters.target_mpa) if chosen else None
            context = {
                "series": series,
                "names": names,
                "chosen": chosen,
                "charts": charts_of(series) if series is not None else {},
                "filters": filters,
                "addresses": addresses,
            }
        except Refused as error:
            problems = tuple(error.problems)
        page: str = self.render_template(
            "lims/control_charts.html",
            view=self,
            form=build_form(ChartFilters, given, problems=problems),
            sees_all_regions=own_regions() is None,
            signals=SIGNALS,
            one=_one,
            link=_series_link,
            **context,
        )
        return (page, 422) if problems else page


def _series_link(name: str) -> str:
    return "?" + urlencode(
        {**{key: value for key, value in request.args.items() if key != "_l_"}, "of": name}
    )


class CertificateView(RecordView):
    service = CertificateService()
    title = _l("Certificates")
    title_one = _l("Certificate")
    menu = MenuPlace("reports", order=10, icon="certificate")
    list_columns = ("code", "batch", "specimen_set", "issued_at", "replaces")
    more_columns = ("file_name", "size_bytes", "created_at")
    labels = {
        "batch": _l("Batch"),
        "specimen_set": _l("Set"),
        "issued_at": _l("Issued"),
        "file_name": _l("File"),
        "replaces": _l("Replaces"),
        "size_bytes": _l("Size"),
        "sha256": _l("SHA-256"),
        "reason": _l("Reason"),
    }
    units = {"size_bytes": "B"}
    show_sections = (
        (
            _l("Certificate"),
            (
                "code",
                "batch",
                "specimen_set",
                "issued_at",
                "file_name",
                "size_bytes",
                "sha256",
                "replaces",
                "reason",
            ),
        ),
    )
    empty_hint = _l("Open a batch or a set with released results and press “Certificate”.")
    show_template = "lims/certificate_show.html"

    def show_context(self, record: Any) -> dict[str, Any]:
        # Of the sets on this paper: what is said of the batch's others stands on none, or on another.
        printed = self.service.results_on(record.id)
        return {
            **super().show_context(record),
            "may_edit": False,
            "unconfirmed": unconfirmed(sorted({result.rule_id for result in printed})),
            "reservations": reservations_of(printed),
            "replacement": self.service.replacement_of(record.id),
            "changed": self.service.changed_results(record.id),
            "may_issue": may("write", "certificates"),
            "verify_url": verify_address(record.code, record.content_sha256) if record.content_sha256 else "",
        }

    def not_written_here(self) -> ResponseReturnValue:
        raise refuse("", _("a certificate is not changed; accepted: issue it anew, with the reason"))

    @expose("/<int:record_id>/edit", methods=["GET", "POST"])
    @permission_name("write")
    def edit(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        return self.not_written_here()

    @expose("/<int:record_id>/retire", methods=["POST"])
    @permission_name("write")
    def retire(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        return self.not_written_here()

    @expose("/issue", methods=["POST"])
    @permission_name("write")
    def issue(self) -> ResponseReturnValue:
        """A certificate of the batch or the set that the form names."""
        self.allow("write")
        names = {item.name for item in CertificateIn.inputs()}
        values = CertificateIn.read({name: value for name, value in request.form.items() if name in names})
        found = self.service.issue(values, current_actor())
        flash(_("Certificate %(code)s is issued.", code=found.code), "success")
        return redirect(address_of(found))

    @expose("/<int:record_id>/reissue", methods=["POST"])
    @permission_name("write")
    def reissue(self, record_id: int) -> ResponseReturnValue:
        """A new certificate in place of this one, which stays."""
        self.allow("write")
        try:
            values = ReissueIn.read({"reason": request.form.get("reason", "")})
            found = self.service.reissue(record_id, values, current_actor())
        except Refused as error:
            shown = self.show_context(self.service.get(record_id))
            shown |= {"refused": error.problems, "typed_reason": request.form.get("reason", "")}
            return self.page(self.show_template, **shown), 422
        except Conflict as conflict:
            flash(_("It was replaced by %(code)s meanwhile.", code=conflict.theirs["replaced_by"]), "danger")
            return redirect(url_for(f"{self.endpoint}.show", record_id=record_id))
        flash(_("Certificate %(code)s is issued.", code=found.code), "success")
        return redirect(address_of(found))

    @expose("/<int:record_id>/file")
    @permission_name("read")
    def file(self, record_id: int) -> ResponseReturnValue:
        """The bytes as they went out."""
        self.allow("read")
        record = self.service.get(record_id)
        in_place = request.args.get("show") == "1"
        return download(_kept(record.file_id), record.file_name, in_place=in_place)

    @expose("/<int:record_id>/preview.png")
    @permission_name("read")
    def preview(self, record_id: int) -> ResponseReturnValue:
        """The first page as a picture."""
        self.allow("read")
        record = self.service.get(record_id)
        return download(_kept(record.preview_id), f"{record.code}.png", in_place=True)


def _kept(file_id: int | None) -> Any:
    """Raises: NotFound for a paper from before papers were kept."""
    if file_id is None:
        raise NotFound("file")
    return stored_file(file_id)


def certificate_actions(batch_id: int, set_id: int | None = None) -> dict[str, Any]:
    """For the pages of batches and sets: the certificates that show it, and whether one may be issued."""
    if not may("read", "certificates"):
        return {"certificates": [], "may_issue_certificate": False}
    service = CertificateView.service
    found: list[Certificate] = service.certificates_of(batch_id, set_id)
    replaced = {item.replaces_id for item in found}
    return {
        "certificates": [item for item in found if item.id not in replaced],
        "may_issue_certificate": may("write", "certificates")
        and all(item.specimen_set_id != set_id for item in found),
    }


class VerifyView(BaseView):
    """/verify/<code>?h=…: anybody who holds a paper may ask whether it is genuine. No sign-in, and nothing else told."""

    route_base = "/verify"
    default_view = "check"

    @expose("/<code>", methods=["GET", "POST"])
    def check(self, code: str) -> ResponseReturnValue:
        """The code must come with the mark of its content; a file is hashed and not kept."""
        mark = request.args.get("h", "")[:80]
        sha256 = request.form.get("sha256", "").strip()[:80] or None
        upload = request.files.get("file")
        if upload is not None and upload.filename:
            digest = hashlib.sha256()
            while chunk := upload.stream.read(65_536):
                digest.update(chunk)
            sha256 = digest.hexdigest()
        found = verified(code, mark, sha256)
        page: str = self.render_template(
            "lims/verify.html",
            found=found,
            given=sha256,
            issued=show_time(found.issued_at) if found is not None else "",
            here=url_for("VerifyView.check", code=code, h=mark) if found is not None else "",
        )
        return page, 200 if found is not None else 404


VIEWS = (SummaryView, ControlChartsView, CertificateView, VerifyView)
