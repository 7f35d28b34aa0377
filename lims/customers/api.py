"""REST of customers."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from flask_appbuilder.api import expose, permission_name, protect

from lims.base.api import WHO_AND_WHEN, Place, RecordApi, Step
from lims.customers.schemas import NormalIn, UsageTaskIn
from lims.customers.service import ContactService, CustomerService, UsageCardService, UsageTaskService
from lims.customers.views import (
    CompetitorView,
    ContactView,
    CustomerView,
    RegionStaffView,
    ScaleCheckView,
    SiteStockView,
    SiteView,
    StageChangeView,
    UsageCardView,
    UsageMixView,
    UsageNoteView,
    UsageTaskView,
)


class CustomerApi(RecordApi):
    service = CustomerView.service
    fields = (
        "id",
        "version",
        "code",
        "name",
        "kind",
        "status",
        "lapse_reason",
        "lapse_note",
        "region_id",
        "dealer_id",
        "owner_id",
        "contact_name",
        "phone",
        "email",
        "address",
        "notes",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )
    steps = (
        Step(
            "erase-contact",
            "Take the main contact's name, phone and e-mail out for good",
            "erase",
            "customers",
            lambda key, _values, actor: CustomerService().erase_contact(key, actor),
        ),
    )


class SiteApi(RecordApi):
    service = SiteView.service
    fields = (
        "id",
        "version",
        "code",
        "name",
        "customer_id",
        "region_id",
        "address",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class UsageCardApi(RecordApi):
    service = UsageCardView.service
    fields = (
        "id",
        "version",
        "customer_id",
        "site_id",
        "cement_product_id",
        "recorded_on",
        "purpose",
        "strength_class",
        "monthly_use_t",
        "dosage_kg_m3",
        "bags_per_m3",
        "first_use",
        "normal_since",
        "storage",
        "mixing",
        "curing",
        "admixtures",
        "requirements",
        "remarks",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )
    steps = (
        Step(
            "confirm-normal",
            "The first use is normal: every step done, no scale wrong",
            "write",
            "usage-cards",
            lambda key, values, actor: UsageCardService().confirm_normal(key, values, actor),
            NormalIn,
        ),
    )
    places = (Place("{record_id}/card.pdf", "The cement usage card", ("application/pdf",)),)

    @expose("/<int:record_id>/card.pdf", methods=["GET"])
    @protect()
    @permission_name("read")
    def card(self, record_id: int) -> ResponseReturnValue:
        """The card for the customer's folder, as PDF."""
        from lims.web.usage_card_page import usage_card_pdf

        return usage_card_pdf(self.service.get(record_id))


class ContactApi(RecordApi):
    service = ContactView.service
    fields = (
        "id", "version", "customer_id", "site_id", "name", "role", "phone", "email", "emergency", "notes", "erased_at",
        *WHO_AND_WHEN,
    )  # fmt: skip
    steps = (
        Step(
            "erase",
            "Replace what names this person by a pseudonym",
            "erase",
            "contacts",
            lambda key, _values, actor: ContactService().erase(key, actor),
        ),
    )


class StageChangeApi(RecordApi):
    service = StageChangeView.service
    fields = ("id", "version", "customer_id", "before", "after", "reason", *WHO_AND_WHEN)


class RegionStaffApi(RecordApi):
    service = RegionStaffView.service
    fields = ("id", "version", "region_id", "user_id", *WHO_AND_WHEN)


class CompetitorApi(RecordApi):
    service = CompetitorView.service
    fields = (
        "id", "version", "region_id", "name", "cement_product_id", "seen_on", "share_percent", "strengths", *WHO_AND_WHEN,
    )  # fmt: skip


class SiteStockApi(RecordApi):
    service = SiteStockView.service
    fields = (
        "id", "version", "site_id", "cement_product_id", "counted_on", "stock_t", "daily_use_t", "lasts_days",
        *WHO_AND_WHEN,
    )  # fmt: skip


class UsageMixApi(RecordApi):
    service = UsageMixView.service
    fields = (
        "id", "version", "usage_card_id", "name", "strength_class", "cement_kg_m3", "bags_per_m3", "scm_kg_m3",
        "water_kg_m3", "water_binder_ratio", "sand_kg_m3", "stone_kg_m3", "admixture", "admixture_percent", *WHO_AND_WHEN,
    )  # fmt: skip


class ScaleCheckApi(RecordApi):
    service = ScaleCheckView.service
    fields = (
        "id", "version", "usage_card_id", "checked_on", "scale", "shown_kg", "true_kg", "delivered_percent",
        "error_percent", "wrong", "checked_by", "remarks", *WHO_AND_WHEN,
    )  # fmt: skip


class UsageTaskApi(RecordApi):
    service = UsageTaskView.service
    fields = ("id", "version", "usage_card_id", "kind", "done_on", "done_by", "remarks", *WHO_AND_WHEN)
    steps = (
        Step(
            "finish",
            "Tick the step off",
            "write",
            "usage-cards",
            lambda key, values, actor: UsageTaskService().finish(key, values, actor),
            UsageTaskIn,
        ),
    )


class UsageNoteApi(RecordApi):
    service = UsageNoteView.service
    fields = ("id", "version", "usage_card_id", "noted_on", "kind", "seen", "answer", "normal", *WHO_AND_WHEN)


APIS = (
    CustomerApi,
    ContactApi,
    SiteApi,
    SiteStockApi,
    StageChangeApi,
    RegionStaffApi,
    CompetitorApi,
    UsageCardApi,
    UsageMixApi,
    ScaleCheckApi,
    UsageTaskApi,
    UsageNoteApi,
)
