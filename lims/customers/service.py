"""Every write about customers."""

from __future__ import annotations

from flask_babel import gettext as _

from lims.base.database import current_session
from lims.base.problems import refuse
from lims.base.services import RecordService
from lims.customers.models import Customer, Site, UsageCard
from lims.customers.schemas import CustomerIn, SiteIn, UsageCardIn


class CustomerService(RecordService[Customer]):
    record = Customer
    schema = CustomerIn
    search_columns = ("code", "name", "contact_name", "region.name")
    filter_columns = ("kind", "status", "region_id")
    order_columns = ("code", "name", "kind", "status", "changed_at")
    shown_relations = ("region",)
    default_order = "name"


class SiteService(RecordService[Site]):
    record = Site
    schema = SiteIn
    search_columns = ("code", "name", "customer.name")
    filter_columns = ("customer_id", "region_id")
    order_columns = ("code", "name")
    shown_relations = ("customer", "region")
    default_order = "name"


class UsageCardService(RecordService[UsageCard]):
    record = UsageCard
    schema = UsageCardIn
    search_columns = ("purpose", "customer.name")
    filter_columns = ("customer_id", "site_id", "cement_product_id")
    order_columns = ("recorded_on", "purpose", "monthly_use_t")
    shown_relations = ("customer", "site", "cement_product")
    default_order = "-recorded_on"

    def check(self, record: UsageCard) -> None:
        require_own_site(record.customer_id, record.site_id)


def require_own_site(customer_id: int, site_id: int | None) -> None:
    """Raises: Refused when the site belongs to another customer."""
    if site_id is None:
        return
    site = current_session().get(Site, site_id)
    if site is not None and site.customer_id != customer_id:
        raise refuse(
            "site_id", _("belongs to another customer; accepted: a site of this customer"), site.name
        )
