"""The set-up guide and the laboratory's own page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.forms import build_form, posted_values
from lims.base.laboratory import forget_laboratory, laboratory
from lims.base.problems import Conflict, Refused
from lims.base.security import current_actor
from lims.base.views import GuardedView, MenuPlace, met_another, opened_version, require_opened
from lims.laboratory.schemas import CODE_FAMILIES, LaboratoryIn
from lims.laboratory.service import save_laboratory, steps, version_of_facts

#: step -> (title, why, endpoint that does it, list where what is done stands)
STEPS = {
    "laboratory": (
        _l("Name the laboratory"),
        _l("Its name, clock, languages and codes stand on every paper and decide when a set is due."),
        "LaboratoryView.edit",
        "LaboratoryView.edit",
    ),
    "accounts": (
        _l("Give each person an account"),
        _l("A result is verified by another person than the one who entered it, so two are the least."),
        "UsersView.add",
        "UsersView.list",
    ),
    "cement": (
        _l("Enter your cement"),
        _l("Own cements first; a competitor's when you compare."),
        "CementProductView.add",
        "CementProductView.list",
    ),
    "press": (
        _l("Enter the press and its calibration"),
        _l("A break without a calibrated press is kept, and the certificate says so."),
        "PressView.add",
        "PressView.list",
    ),
    "mix": (
        _l("Enter a mix"),
        _l("Masses for one cubic metre; the first forecast needs nothing more."),
        "MixDesignView.add",
        "MixDesignView.list",
    ),
    "batch": (
        _l("Register the first batch"),
        _l("The sampling plan and the due list follow by themselves."),
        "BatchView.add",
        "BatchView.list",
    ),
}


def guide() -> list[Any]:
    """The steps as a page shows them."""
    return [
        SimpleNamespace(
            name=step.name,
            done=step.done,
            title=STEPS[step.name][0],
            why=STEPS[step.name][1],
            href=url_for(STEPS[step.name][3 if step.done else 2]),
        )
        for step in steps()
    ]


class LaboratoryView(GuardedView):
    """/laboratory/"""

    route_base = "/laboratory"
    default_view = "show"
    permission_on = "laboratory"
    title = _l("Laboratory")
    menu = MenuPlace("setup", order=5, icon="building")

    @expose("/")
    @permission_name("read")
    def show(self) -> ResponseReturnValue:
        self.allow("read")
        page: str = self.render_template(
            "lims/guide.html", view=self, guide=guide(), facts=laboratory(), families=CODE_FAMILIES
        )
        return page

    @expose("/edit", methods=["GET", "POST"])
    @permission_name("write")
    def edit(self) -> ResponseReturnValue:
        self.allow("write")
        if request.method == "GET":
            # Before the facts: of what is stored in between it is too old, and refused.
            version = version_of_facts()
            forget_laboratory()
            facts = laboratory()
            values = {item.name: getattr(facts, item.name) for item in LaboratoryIn.inputs()}
            values["plan_ages"] = ",".join(str(age) for age in facts.plan_ages)
            return self._form(values, version)
        posted = posted_values(LaboratoryIn, request.form)
        version = opened_version("0")
        try:
            require_opened(version)
            row = save_laboratory(posted, current_actor(), version)
        except Refused as error:
            return self._form(posted, version, error.problems), 422
        except Conflict as conflict:
            return self._form(posted, conflict.current_version, [met_another()], conflict.theirs), 409
        flash(_("Saved: %(title)s", title=row.name), "success")
        return redirect(url_for("LaboratoryView.show"))

    def _form(self, values: dict[str, Any], version: int, problems: Any = (), theirs: Any = None) -> str:
        sections = (
            (_l("Who you are"), ("name", "works", "accreditation_number", "address", "phone")),
            (_l("How you work"), ("timezone", "language", "code_family", "plan_ages")),
        )
        form = build_form(
            LaboratoryIn, values, sections=sections, problems=problems, theirs=theirs, version=version
        )
        page: str = self.render_template(
            "lims/simple_form.html",
            view=self,
            form=form,
            title=_("The laboratory"),
            back=url_for("LaboratoryView.show"),
        )
        return page


VIEWS = (LaboratoryView,)
