"""Pages of customers."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.problems import Refused
from lims.base.security import current_actor, principal
from lims.base.views import MenuPlace, RecordView, Related
from lims.customers.regions import own_regions
from lims.customers.schemas import CUSTOMER_STATUS, LAPSE_REASONS, USAGE_TASKS
from lims.customers.service import (
    CompetitorService,
    ContactService,
    CustomerService,
    RegionStaffService,
    ScaleCheckService,
    SiteService,
    SiteStockService,
    StageChangeService,
    UsageCardService,
    UsageMixService,
    UsageNoteService,
    UsageTaskService,
)


class CustomerView(RecordView):
    service = CustomerService()
    title = _l("Customers")
    title_one = _l("Customer")
    menu = MenuPlace("customers", order=10, icon="users")
    list_columns = ("code", "name", "kind", "status", "region", "owner_id", "contact_name", "phone")
    show_sections = (
        (
            _l("Customer"),
            (
                "code",
                "name",
                "kind",
                "status",
                "lapse_reason",
                "lapse_note",
                "region",
                "dealer",
                "owner_id",
                "notes",
            ),
        ),
        (_l("Contact"), ("contact_name", "phone", "email", "address")),
    )
    form_sections = (
        (_l("Customer"), ("code", "name", "kind", "region_id", "dealer_id", "owner_id")),
        (_l("Stage"), ("status", "lapse_reason", "lapse_note")),
        (_l("Contact"), ("contact_name", "phone", "email", "address", "notes")),
    )
    folds_empty = True
    related = (
        Related("contacts", "customer_id"),
        Related("sites", "customer_id"),
        Related("usage-cards", "customer_id"),
        Related("deliveries", "customer_id"),
        Related("trials", "customer_id"),
        Related("customer-materials", "customer_id"),
        Related("comparisons", "customer_id"),
        Related("visits", "customer_id"),
        Related("complaints", "customer_id"),
        Related("surveys", "customer_id"),
        Related("stage-changes", "customer_id"),
    )
    show_template = "lims/customer_show.html"

    def defaults(self) -> dict[str, Any]:
        # Who sees only a part of the customers looks after those that they bring in.
        user = principal()
        return {"owner_id": str(user.id)} if user is not None and own_regions() is not None else {}

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.customer_page import customer_context

        context = super().show_context(record)
        if record.status != "lapsed":
            context["sections"] = [
                (title, [(column, cell) for column, cell in items if not column.name.startswith("lapse_")])
                for title, items in context["sections"]
            ]
        return {**context, **customer_context(record)}

    @expose("/<int:record_id>/erase-contact", methods=["POST"])
    @permission_name("erase")
    def erase_contact(self, record_id: int) -> ResponseReturnValue:
        self.allow("erase")
        record = self.service.erase_contact(record_id, current_actor())
        flash(_("The person's data are gone; the records stand."), "success")
        return redirect(url_for("CustomerView.show", record_id=record.id))


class StageChangeView(RecordView):
    service = StageChangeService()
    title = _l("Stages")
    title_one = _l("Change of stage")
    list_columns = ("created_at", "customer", "before", "after", "reason")
    more_columns = ("created_by",)
    labels = {
        "before": _l("Before"),
        "after": _l("After"),
        "reason": _l("Reason"),
        "customer": _l("Customer"),
        "created_at": _l("When"),
    }
    choices = {"before": CUSTOMER_STATUS, "after": CUSTOMER_STATUS, "reason": LAPSE_REASONS}
    show_sections = ((_l("Change of stage"), ("customer", "before", "after", "reason")),)


class RegionStaffView(RecordView):
    service = RegionStaffService()
    title = _l("Regions of our people")
    title_one = _l("Region of a person")
    menu = MenuPlace("setup", order=60, icon="map")
    list_columns = ("region", "user_id")
    show_sections = ((_l("Region of a person"), ("region", "user_id")),)
    empty_hint = _l("Give each salesperson the regions whose customers they may see.")


class CompetitorView(RecordView):
    service = CompetitorService()
    title = _l("Competitors")
    title_one = _l("Competitor")
    begins_today = ("seen_on",)
    menu = MenuPlace("customers", order=90, icon="flag")
    list_columns = ("name", "region", "cement_product", "share_percent", "seen_on")
    show_sections = (
        (_l("Competitor"), ("name", "region", "cement_product", "share_percent", "seen_on", "strengths")),
    )


class ContactView(RecordView):
    service = ContactService()
    title = _l("Contacts")
    title_one = _l("Contact")
    menu = MenuPlace("customers", order=12, icon="user")
    list_columns = ("name", "customer", "site", "role", "phone", "email", "emergency")
    labels = {"erased_at": _l("Erased")}
    show_sections = (
        (
            _l("Contact"),
            ("name", "role", "customer", "site", "phone", "email", "emergency", "notes", "erased_at"),
        ),
    )
    show_template = "lims/contact_show.html"

    @expose("/<int:record_id>/erase", methods=["POST"])
    @permission_name("erase")
    def erase(self, record_id: int) -> ResponseReturnValue:
        self.allow("erase")
        self.service.erase(record_id, current_actor())
        flash(_("The person's data are gone; the records stand."), "success")
        return redirect(url_for("ContactView.show", record_id=record_id))


class SiteView(RecordView):
    service = SiteService()
    title = _l("Sites")
    title_one = _l("Site")
    menu = MenuPlace("customers", order=20, icon="building")
    list_columns = ("code", "name", "customer", "region", "address")
    show_sections = ((_l("Site"), ("code", "name", "customer", "region", "address")),)
    folds_empty = True
    related = (
        Related("site-stocks", "site_id"),
        Related("contacts", "site_id"),
        Related("deliveries", "site_id"),
        Related("usage-cards", "site_id"),
        Related("visits", "site_id"),
        Related("complaints", "site_id"),
    )


class SiteStockView(RecordView):
    service = SiteStockService()
    title = _l("Stock at sites")
    title_one = _l("Stock at a site")
    begins_today = ("counted_on",)
    menu = MenuPlace("customers", order=22, icon="package")
    list_columns = ("counted_on", "site", "cement_product", "stock_t", "daily_use_t", "lasts_days")
    labels = {"lasts_days": _l("Lasts")}
    units = {"lasts_days": "d"}
    show_sections = (
        (_l("Stock"), ("site", "cement_product", "counted_on", "stock_t", "daily_use_t", "lasts_days")),
    )


class UsageCardView(RecordView):
    service = UsageCardService()
    title = _l("Usage cards")
    title_one = _l("Usage card")
    begins_today = ("recorded_on",)
    menu = MenuPlace("customers", order=30, icon="clipboard")
    list_columns = (
        "purpose",
        "customer",
        "site",
        "cement_product",
        "dosage_kg_m3",
        "recorded_on",
        "monthly_use_t",
    )
    labels = {"bags_per_m3": _l("Bags of 50 kg in a m³"), "normal_since": _l("Normal since")}
    show_sections = (
        (
            _l("Use"),
            (
                "customer",
                "site",
                "cement_product",
                "recorded_on",
                "purpose",
                "strength_class",
                "monthly_use_t",
                "dosage_kg_m3",
                "bags_per_m3",
            ),
        ),
        (_l("Practice"), ("storage", "mixing", "curing", "admixtures")),
        (_l("First use"), ("first_use", "normal_since")),
        (_l("Notes"), ("requirements", "remarks")),
    )
    related = (
        Related("usage-mixes", "usage_card_id"),
        Related("scale-checks", "usage_card_id"),
        Related("usage-notes", "usage_card_id"),
    )
    show_template = "lims/usage_card_show.html"

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.usage_card_page import usage_card_context

        return {**super().show_context(record), **usage_card_context(record)}

    @expose("/<int:record_id>/card.pdf")
    @permission_name("read")
    def card(self, record_id: int) -> ResponseReturnValue:
        self.allow("read")
        from lims.web.usage_card_page import usage_card_pdf

        return usage_card_pdf(self.service.get(record_id))

    @expose("/<int:record_id>/tasks/<int:task_id>", methods=["POST"])
    @permission_name("write")
    def finish(self, record_id: int, task_id: int) -> ResponseReturnValue:
        self.allow("write")
        given = _given("done_on", "remarks")
        try:
            UsageTaskService().finish(task_id, given, current_actor())
        except Refused as error:
            return self._again(record_id, error, {f"task-{task_id}": given})
        flash(_("Done."), "success")
        return redirect(url_for("UsageCardView.show", record_id=record_id))

    @expose("/<int:record_id>/normal", methods=["POST"])
    @permission_name("write")
    def normal(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        given = _given("normal_since")
        try:
            self.service.confirm_normal(record_id, given, current_actor())
        except Refused as error:
            return self._again(record_id, error, {"normal": given})
        flash(_("The use is normal; the follow-up of the first use ends."), "success")
        return redirect(url_for("UsageCardView.show", record_id=record_id))

    def _again(self, record_id: int, error: Refused, typed: dict[str, dict[str, str]]) -> ResponseReturnValue:
        """The card with why it was refused; `typed` by the form that it was typed into."""
        context = self.show_context(self.service.get(record_id))
        names = {**{key: str(text) for key, text in USAGE_TASKS.items()}, "follow_up": _("Follow-up")}
        problems = [f"{names.get(p.field, '')} {p.value}: {p.message}".strip(" :") for p in error.problems]
        return self.page(self.show_template, **{**context, "problems": problems, "typed": typed}), 422


def _given(*names: str) -> dict[str, str]:
    return {name: request.form[name] for name in names if name in request.form}


class UsageMixView(RecordView):
    service = UsageMixService()
    title = _l("Mixes of customers")
    title_one = _l("Mix of the customer's own")
    list_columns = (
        "name", "usage_card", "strength_class", "cement_kg_m3", "bags_per_m3", "water_kg_m3", "water_binder_ratio",
        "admixture_percent",
    )  # fmt: skip
    labels = {"bags_per_m3": _l("Bags of 50 kg in a m³"), "water_binder_ratio": _l("Water to binder")}
    show_sections = (
        (
            _l("Mix"),
            (
                "usage_card", "name", "strength_class", "cement_kg_m3", "bags_per_m3", "scm_kg_m3", "water_kg_m3",
                "water_binder_ratio", "sand_kg_m3", "stone_kg_m3", "admixture", "admixture_percent",
            ),
        ),
    )  # fmt: skip

    def after_add(self, record: Any) -> str:
        return url_for("UsageCardView.show", record_id=record.usage_card_id)


class ScaleCheckView(RecordView):
    service = ScaleCheckService()
    title = _l("Scales of customers")
    title_one = _l("Check of a scale")
    begins_today = ("checked_on",)
    menu = MenuPlace("customers", order=32, icon="scale")
    list_columns = (
        "checked_on",
        "scale",
        "usage_card",
        "shown_kg",
        "true_kg",
        "delivered_percent",
        "error_percent",
        "wrong",
    )
    labels = {
        "error_percent": _l("Error"),
        "delivered_percent": _l("Delivered of what it showed"),
        "wrong": _l("To be set right"),
    }
    units = {"error_percent": "%", "delivered_percent": "%"}
    show_sections = (
        (
            _l("Check of a scale"),
            (
                "usage_card", "scale", "checked_on", "shown_kg", "true_kg", "delivered_percent", "error_percent",
                "wrong", "checked_by", "remarks",
            ),
        ),
    )  # fmt: skip

    def after_add(self, record: Any) -> str:
        return url_for("UsageCardView.show", record_id=record.usage_card_id)


class UsageTaskView(RecordView):
    service = UsageTaskService()
    title = _l("Steps of first uses")
    title_one = _l("Step of a first use")
    begins_today = ("done_on",)
    list_columns = ("kind", "usage_card", "done_on", "done_by", "remarks")
    labels = {
        "kind": _l("Step"),
        "usage_card": _l("Usage card"),
        "done_on": _l("Done on"),
        "done_by": _l("Done by"),
        "remarks": _l("Remarks"),
    }
    choices = {"kind": USAGE_TASKS}
    show_sections = ((_l("Step of a first use"), ("usage_card", "kind", "done_on", "done_by", "remarks")),)


class UsageNoteView(RecordView):
    service = UsageNoteService()
    title = _l("Follow-ups and problems")
    title_one = _l("Follow-up or problem")
    begins_today = ("noted_on",)
    list_columns = ("noted_on", "kind", "usage_card", "seen", "answer", "normal")
    show_sections = (
        (_l("Follow-up or problem"), ("usage_card", "noted_on", "kind", "seen", "answer", "normal")),
    )

    def after_add(self, record: Any) -> str:
        return url_for("UsageCardView.show", record_id=record.usage_card_id)


VIEWS = (
    CustomerView,
    ContactView,
    SiteView,
    SiteStockView,
    StageChangeView,
    RegionStaffView,
    CompetitorView,
    UsageCardView,
    UsageMixView,
    ScaleCheckView,
    UsageTaskView,
    UsageNoteView,
)
