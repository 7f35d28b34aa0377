"""REST of customers."""

from __future__ import annotations

from lims.base.api import RecordApi
from lims.customers.views import (
    CustomerView,
    SiteView,
    UsageCardView,
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
        "region_id",
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


APIS = (
    CustomerApi,
    SiteApi,
    UsageCardApi,
)
