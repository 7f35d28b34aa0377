"""Pages of customers."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from lims.base.views import MenuPlace, RecordView, Related
from lims.customers.service import (
    CustomerService,
    SiteService,
    UsageCardService,
)


class CustomerView(RecordView):
    service = CustomerService()
    title = _l("Customers")
    title_one = _l("Customer")
    menu = MenuPlace("customers", order=10, icon="users")
    list_columns = ("code", "name", "kind", "status", "region", "contact_name", "phone")
    show_sections = (
        (_l("Customer"), ("code", "name", "kind", "status", "region", "notes")),
        (_l("Contact"), ("contact_name", "phone", "email", "address")),
    )
    related = (
        Related("sites", "customer_id"),
        Related("usage-cards", "customer_id"),
        Related("trials", "customer_id"),
        Related("customer-materials", "customer_id"),
        Related("comparisons", "customer_id"),
        Related("visits", "customer_id"),
        Related("complaints", "customer_id"),
        Related("surveys", "customer_id"),
    )
    show_template = "lims/customer_show.html"

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.customer_page import customer_context

        return {**super().show_context(record), **customer_context(record)}


class SiteView(RecordView):
    service = SiteService()
    title = _l("Sites")
    title_one = _l("Site")
    menu = MenuPlace("customers", order=20, icon="building")
    list_columns = ("code", "name", "customer", "region", "address")
    show_sections = ((_l("Site"), ("code", "name", "customer", "region", "address")),)
    related = (
        Related("usage-cards", "site_id"),
        Related("visits", "site_id"),
        Related("complaints", "site_id"),
    )


class UsageCardView(RecordView):
    service = UsageCardService()
    title = _l("Usage cards")
    title_one = _l("Usage card")
    menu = MenuPlace("customers", order=30, icon="clipboard")
    list_columns = ("purpose", "customer", "site", "cement_product", "recorded_on", "monthly_use_t")
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
            ),
        ),
        (_l("Practice"), ("storage", "mixing", "curing", "admixtures")),
        (_l("Notes"), ("requirements", "remarks")),
    )


VIEWS = (
    CustomerView,
    SiteView,
    UsageCardView,
)
