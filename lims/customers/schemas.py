"""What comes in about customers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import model_validator

from lims.base.fields import Choice, Code, Day, Flag, Quantity, Reference, Text, Ui
from lims.base.schemas import Schema
from lims.base.staff import Staff

CUSTOMER_KINDS = {
    "mixing_station": _l("Mixing station"),
    "precast": _l("Precast works"),
    "mine": _l("Mine"),
    "contractor": _l("Contractor"),
    "roads": _l("Roads"),
    "individual": _l("Individual"),
    "dealer": _l("Dealer"),
}
CUSTOMER_STATUS = {
    "prospect": _l("Prospect"),
    "trial": _l("On trial"),
    "active": _l("Active"),
    "lapsed": _l("Lapsed"),
}
#: Why a customer left.
LAPSE_REASONS = {
    "price": _l("Price"),
    "strength": _l("Strength"),
    "workability": _l("Setting or workability"),
    "delivery": _l("Delivery"),
    "service": _l("Service"),
    "ended": _l("No more work there"),
    "other": _l("Another reason"),
}
CONTACT_ROLES = {
    "owner": _l("Owner"),
    "manager": _l("Manager"),
    "laboratory": _l("Laboratory"),
    "site": _l("Site"),
    "purchasing": _l("Purchasing"),
    "driver": _l("Silo and deliveries"),
    "other": _l("Other"),
}
#: What is done at a customer's first use, in order.
USAGE_TASKS = {
    "scale": _l("Scale calibrated"),
    "first_batch": _l("First batch attended"),
    "strengths": _l("Strengths confirmed"),
}
NOTE_KINDS = {"follow_up": _l("Follow-up"), "problem": _l("Problem")}


class CustomerIn(Schema):
    code: Annotated[str | None, Code(), Ui(_l("Code"), help=_l("Leave blank: the next number is given"))] = (
        None
    )
    name: Annotated[str, Text(200), Ui(_l("Customer"))]
    kind: Annotated[str, Choice(CUSTOMER_KINDS), Ui(_l("Kind"))] = "mixing_station"
    status: Annotated[str, Choice(CUSTOMER_STATUS), Ui(_l("Stage"))] = "prospect"
    lapse_reason: Annotated[
        str | None, Choice(LAPSE_REASONS), Ui(_l("Why it left"), help=_l("Of a lapsed customer"))
    ] = None
    lapse_note: Annotated[str | None, Text(300), Ui(_l("To whom, and what was said"))] = None
    region_id: Annotated[int | None, Reference("regions"), Ui(_l("Region"))] = None
    dealer_id: Annotated[int | None, Reference("customers"), Ui(_l("Dealer"))] = None
    owner_id: Annotated[int | None, Staff(), Ui(_l("Looked after by"))] = None
    contact_name: Annotated[str | None, Text(80), Ui(_l("Contact"))] = None
    phone: Annotated[str | None, Text(40), Ui(_l("Phone"))] = None
    email: Annotated[str | None, Text(200), Ui(_l("E-mail"))] = None
    address: Annotated[str | None, Text(300), Ui(_l("Address"))] = None
    notes: Annotated[str | None, Text(4000, lines=True), Ui(_l("Notes"))] = None

    @model_validator(mode="after")
    def _lapsed(self) -> CustomerIn:
        if self.status == "lapsed" and self.lapse_reason is None:
            raise ValueError(_("a lapsed customer needs the reason why it left"))
        return self


class ContactIn(Schema):
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    site_id: Annotated[int | None, Reference("sites"), Ui(_l("Site"))] = None
    name: Annotated[str, Text(80), Ui(_l("Name"))]
    role: Annotated[str, Choice(CONTACT_ROLES), Ui(_l("Role"))] = "manager"
    phone: Annotated[str | None, Text(40), Ui(_l("Phone"))] = None
    email: Annotated[str | None, Text(200), Ui(_l("E-mail"))] = None
    emergency: Annotated[bool, Flag(), Ui(_l("Is called when cement runs out"))] = False
    notes: Annotated[str | None, Text(2000, lines=True), Ui(_l("Notes"))] = None


class RegionStaffIn(Schema):
    region_id: Annotated[int, Reference("regions"), Ui(_l("Region"))]
    user_id: Annotated[int, Staff(), Ui(_l("Person"))]


class CompetitorIn(Schema):
    region_id: Annotated[int, Reference("regions"), Ui(_l("Region"))]
    name: Annotated[str, Text(120), Ui(_l("Competitor"))]
    cement_product_id: Annotated[int | None, Reference("cement-products"), Ui(_l("Cement"))] = None
    seen_on: Annotated[date, Day(), Ui(_l("Seen on"))]
    share_percent: Annotated[
        Decimal | None, Quantity(places=1, maximum=100, unit="%"), Ui(_l("Share of the region"))
    ] = None
    strengths: Annotated[
        str | None, Text(2000, lines=True), Ui(_l("What they do better, and their movements"))
    ] = None


class SiteIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Code"))]
    name: Annotated[str, Text(200), Ui(_l("Site"))]
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    region_id: Annotated[int | None, Reference("regions"), Ui(_l("Region"))] = None
    address: Annotated[str | None, Text(300), Ui(_l("Address"))] = None


class SiteStockIn(Schema):
    site_id: Annotated[int, Reference("sites"), Ui(_l("Site"))]
    cement_product_id: Annotated[int, Reference("cement-products"), Ui(_l("Cement"))]
    counted_on: Annotated[date, Day(), Ui(_l("Counted on"))]
    stock_t: Annotated[Decimal, Quantity(places=1, maximum=100_000, unit="t"), Ui(_l("Stock"))]
    daily_use_t: Annotated[
        Decimal | None, Quantity(places=1, above=0, maximum=100_000, unit="t"), Ui(_l("Use a day"))
    ] = None


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
    dosage_kg_m3: Annotated[
        Decimal | None, Quantity(places=1, above=0, maximum=1500, unit="kg/m³"), Ui(_l("Dosage"))
    ] = None
    first_use: Annotated[
        bool, Flag(), Ui(_l("First use of our cement"), help=_l("Opens the checklist of a first use"))
    ] = False
    storage: Annotated[str | None, Text(200), Ui(_l("Storage"))] = None
    mixing: Annotated[str | None, Text(200), Ui(_l("Mixing and transport"))] = None
    curing: Annotated[str | None, Text(200), Ui(_l("Placing and curing"))] = None
    admixtures: Annotated[str | None, Text(200), Ui(_l("Admixtures used"))] = None
    requirements: Annotated[str | None, Text(2000, lines=True), Ui(_l("What the customer asks for"))] = None
    remarks: Annotated[str | None, Text(4000, lines=True), Ui(_l("Remarks"))] = None


Kilograms = Annotated[Decimal | None, Quantity(places=1, maximum=3000, unit="kg/m³")]


class UsageMixIn(Schema):
    usage_card_id: Annotated[int, Reference("usage-cards"), Ui(_l("Usage card"))]
    name: Annotated[str, Text(120), Ui(_l("Mix"))]
    strength_class: Annotated[str | None, Code(20), Ui(_l("Concrete class"))] = None
    cement_kg_m3: Annotated[
        Decimal, Quantity(places=1, above=0, maximum=1500, unit="kg/m³"), Ui(_l("Cement"))
    ]
    scm_kg_m3: Annotated[Kilograms, Ui(_l("Mineral admixtures"))] = None
    water_kg_m3: Annotated[Kilograms, Ui(_l("Water"))] = None
    sand_kg_m3: Annotated[Kilograms, Ui(_l("Sand"))] = None
    stone_kg_m3: Annotated[Kilograms, Ui(_l("Stone"))] = None
    admixture: Annotated[str | None, Text(120), Ui(_l("Admixture"))] = None
    admixture_percent: Annotated[
        Decimal | None, Quantity(places=2, maximum=30, unit="%"), Ui(_l("Of the binder"))
    ] = None


Weighed = Quantity(places=2, maximum=100_000, unit="kg")


class ScaleCheckIn(Schema):
    usage_card_id: Annotated[int, Reference("usage-cards"), Ui(_l("Usage card"))]
    checked_on: Annotated[date, Day(), Ui(_l("Checked on"))]
    scale: Annotated[str, Text(120), Ui(_l("Customer's scale"))]
    shown_kg: Annotated[Decimal, Quantity(places=2, above=0, maximum=100_000, unit="kg"), Ui(_l("Shown"))]
    true_kg: Annotated[Decimal, Weighed, Ui(_l("Really there"))]
    checked_by: Annotated[str | None, Text(80), Ui(_l("Checked by"))] = None
    remarks: Annotated[str | None, Text(2000, lines=True), Ui(_l("Remarks"))] = None


class UsageTaskIn(Schema):
    """A step of the first use that is done."""

    done_on: Annotated[date, Day(), Ui(_l("Done on"))]
    remarks: Annotated[str | None, Text(300), Ui(_l("Remarks"))] = None


class UsageNoteIn(Schema):
    usage_card_id: Annotated[int, Reference("usage-cards"), Ui(_l("Usage card"))]
    noted_on: Annotated[date, Day(), Ui(_l("Noted on"))]
    kind: Annotated[str, Choice(NOTE_KINDS), Ui(_l("Kind"))] = "follow_up"
    seen: Annotated[str, Text(4000, lines=True), Ui(_l("What was seen"))]
    answer: Annotated[str | None, Text(4000, lines=True), Ui(_l("Answer"))] = None
    normal: Annotated[bool, Flag(), Ui(_l("The use is normal"))] = False


class NormalIn(Schema):
    """The day from which a first use is normal."""

    normal_since: Annotated[date, Day(), Ui(_l("Normal since"))]
