"""A usage card (水泥使用档案卡): scales with their errors, the steps of a first use, and the card as paper."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from flask import Response
from flask_babel import gettext as _
from sqlalchemy import select

from lims.base.database import current_session
from lims.base.display import format_decimal, local_today, show_day
from lims.base.files import file_response
from lims.base.laboratory import laboratory
from lims.base.papers import pdf
from lims.customers.models import ScaleCheck, UsageCard, UsageMix, UsageNote, UsageTask
from lims.customers.schemas import NOTE_KINDS
from lims.customers.service import latest_scale_checks


def usage_card_context(card: UsageCard) -> dict[str, Any]:
    """The checklist of a first use and the scales that are wrong now."""
    tasks = _tasks(card)
    latest = latest_scale_checks(card.id)
    return {
        "tasks": tasks,
        "tasks_done": sum(1 for task in tasks if task.done_on is not None),
        "wrong_scales": [check for check in latest if check.wrong],
        "scales": latest,
        "worst": _worst(card, latest),
        "today": local_today().isoformat(),
        "problems": [],
        "typed": {},
    }


def _worst(card: UsageCard, latest: Sequence[ScaleCheck]) -> dict[str, Decimal]:
    """Of scales that are right now and once were wrong: what they delivered then, %."""
    right = {check.scale for check in latest if not check.wrong}
    query = select(ScaleCheck).where(ScaleCheck.usage_card_id == card.id, ScaleCheck.retired_at.is_(None))
    found: dict[str, Decimal] = {}
    for check in current_session().scalars(query):
        if check.wrong and check.scale in right:
            found[check.scale] = min(check.delivered_percent, found.get(check.scale, check.delivered_percent))
    return found


def _tasks(card: UsageCard) -> list[UsageTask]:
    query = select(UsageTask).where(UsageTask.usage_card_id == card.id).order_by(UsageTask.id)
    return list(current_session().scalars(query))


def _number(value: Any, unit: str = "") -> str:
    return "–" if value is None else f"{format_decimal(value)} {unit}".strip()


def usage_card_pdf(card: UsageCard) -> Response:
    """The card for the customer's folder."""
    session = current_session()

    def of(record: type[Any], order: Any) -> list[Any]:
        query = select(record).where(record.usage_card_id == card.id, record.retired_at.is_(None))
        return list(session.scalars(query.order_by(order)))

    lab = laboratory()
    data = {
        "title": _("Cement usage card"),
        "laboratory": lab.works or lab.name,
        "code": f"U-{card.id:05d}",
        "rows": [
            [_("Customer"), card.customer.name],
            [_("Site"), card.site.name if card.site else "–"],
            [_("Recorded on"), show_day(card.recorded_on)],
            [_("Cement"), card.cement_product.title],
            [_("Used for"), card.purpose],
            [_("Concrete class"), card.strength_class or "–"],
            [_("Dosage"), _number(card.dosage_kg_m3, "kg/m³")],
            [_("Bags of 50 kg in a m³"), _number(card.bags_per_m3)],
            [_("Monthly use"), _number(card.monthly_use_t, "t")],
            [_("Admixtures used"), card.admixtures or "–"],
            [_("Storage"), card.storage or "–"],
            [_("Mixing and transport"), card.mixing or "–"],
            [_("Placing and curing"), card.curing or "–"],
            [_("What the customer asks for"), card.requirements or "–"],
            [_("Normal since"), show_day(card.normal_since) if card.normal_since else "–"],
        ],
        "tables": [
            {
                "title": _("Mixes of the customer's own"),
                "heads": [_("Mix"), _("Cement"), _("Bags"), _("Water"), _("Water to binder"), _("Admixture")],
                "rows": [
                    [
                        mix.name,
                        _number(mix.cement_kg_m3),
                        _number(mix.bags_per_m3),
                        _number(mix.water_kg_m3),
                        _number(mix.water_binder_ratio),
                        f"{mix.admixture or '–'} {_number(mix.admixture_percent, '%')}",
                    ]
                    for mix in of(UsageMix, UsageMix.id)
                ],
            },
            {
                "title": _("Customer's scales"),
                "heads": [
                    _("Checked on"),
                    _("Customer's scale"),
                    _("Shown"),
                    _("Really there"),
                    _("Delivered of what it showed"),
                    _("To be set right"),
                ],
                "rows": [
                    [
                        show_day(check.checked_on),
                        check.scale,
                        _number(check.shown_kg, "kg"),
                        _number(check.true_kg, "kg"),
                        _number(check.delivered_percent, "%"),
                        _("yes") if check.wrong else _("no"),
                    ]
                    for check in of(ScaleCheck, ScaleCheck.checked_on)
                ],
            },
            {
                "title": _("First use"),
                "heads": [_("Step"), _("Done on"), _("Done by"), _("Remarks")],
                "rows": [
                    [
                        task.title,
                        show_day(task.done_on) if task.done_on else "–",
                        task.done_by or "–",
                        task.remarks or "",
                    ]
                    for task in _tasks(card)
                ],
            },
            {
                "title": _("Follow-ups and problems"),
                "heads": [_("Noted on"), _("Kind"), _("What was seen"), _("Answer")],
                "rows": [
                    [show_day(note.noted_on), str(NOTE_KINDS[note.kind]), note.seen, note.answer or "–"]
                    for note in of(UsageNote, UsageNote.noted_on)
                ],
            },
        ],
        "signatures": [_("For the works"), _("For the customer")],
    }
    return file_response(
        pdf("usage-card", data), "application/pdf", f"usage-card-{card.id}.pdf", in_place=True
    )
