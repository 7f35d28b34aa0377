"""What comes in about customers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from flask_babel import lazy_gettext as _l

from lims.base.fields import Choice, Code, Day, Quantity, Reference, Text, Ui
from lims.base.schemas import Schema

CUSTOMER_KINDS = {
    "mixing_station": _l("Mixing station"),
    "precast": _l("Precast works"),
    "mine": _l("Mine"),
    "contractor": _l("Contractor"),
    "dealer": _l("Dealer"),
}
CUSTOMER_STATUS = {
    "prospect": _l("Prospect"),
    "trial": _l("On trial"),
    "active": _l("Active"),
    "lapsed": _l("Lapsed"),
}


class CustomerIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Code"))]
    name: Annotated[str, Text(200), Ui(_l("Customer"))]
    kind: Annotated[str, Choice(CUSTOMER_KINDS), Ui(_l("Kind"))] = "mixing_station"
    status: Annotated[str, Choice(CUSTOMER_STATUS), Ui(_l("Status"))] = "prospect"
    region_id: Annotated[int | None, Reference("regions"), Ui(_l("Region"))] = None
    contact_name: Annotated[str | None, Text(80), Ui(_l("Contact"))] = None
    phone: Annotated[str | None, Text(40), Ui(_l("Phone"))] = None
    email: Annotated[str | None, Text(200), Ui(_l("E-mail"))] = None
    address: Annotated[str | None, Text(300), Ui(_l("Address"))] = None
    notes: Annotated[str | None, Text(4000, lines=True), Ui(_l("Notes"))] = None


class SiteIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Code"))]
    name: Annotated[str, Text(200), Ui(_l("Site"))]
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    region_id: Annotated[int | None, Reference("regions"), Ui(_l("Region"))] = None
    address: Annotated[str | None, Text(300), Ui(_l("Address"))] = None


class UsageCardIn(Schema):
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    site_id: Annotated[int | None, Reference("sites"), Ui(_l("Site"))] = None
    cement_product_id: Annotated[int, Reference("cement-products"), Ui(_l("Cement"))]
    recorded_on: Annotated[date, Day(), Ui(_l("Recorded on"))]
    purpose: Annotated[str, Text(200), Ui(_l("Used for"))]
    strength_class: Annotated[str | None, Code(20), Ui(_l("Concrete class"))] = None
    monthly_use_t: Annotated[
        Decimal | None, Quantity(places=1, maximum=1_000_000, unit="t"), Ui(_l("Monthly use"))
    ] = None
    storage: Annotated[str | None, Text(200), Ui(_l("Storage"))] = None
    mixing: Annotated[str | None, Text(200), Ui(_l("Mixing and transport"))] = None
    curing: Annotated[str | None, Text(200), Ui(_l("Placing and curing"))] = None
    admixtures: Annotated[str | None, Text(200), Ui(_l("Admixtures used"))] = None
    requirements: Annotated[str | None, Text(2000, lines=True), Ui(_l("What the customer asks for"))] = None
    remarks: Annotated[str | None, Text(4000, lines=True), Ui(_l("Remarks"))] = None
