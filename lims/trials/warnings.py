"""What is noticed about the materials of a batch when it is registered. Each must be answered, and the answer stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.display import format_decimal, local_day
from lims.materials.models import AggregateSample, CementLot
from lims.mixes.models import MixRevision
from lims.standards.aggregates import MUD_LIMITS, impurity_limits

#: Grade of a mix that states none: the limits of the middle column of JGJ 52.
USUAL_GRADE_MPA = Decimal(30)

WARNING_KINDS = {
    "lot-too-old": _l("Cement lot over three months old without a retest"),
    "other-product": _l("Lot of another cement than the mix names"),
    "sample-out-of-limits": _l("Aggregate sample out of limits"),
    "scale-not-calibrated": _l("Scale without a valid calibration"),
    "moulds-not-checked": _l("Moulds without a valid check"),
}
#: Kind -> the input that answers it.
ANSWERS = {
    "lot-too-old": "answer_lot_too_old",
    "other-product": "answer_other_product",
    "sample-out-of-limits": "answer_sample_out_of_limits",
    "scale-not-calibrated": "answer_scale_not_calibrated",
    "moulds-not-checked": "answer_moulds_not_checked",
}


#: What is noticed about the lot of the cement.
OF_CEMENT_LOT = ("lot-too-old", "other-product")


#: What is noticed about a batch's equipment -> the input that names it.
OF_EQUIPMENT = {"scale-not-calibrated": "scale_id", "moulds-not-checked": "mould_id"}


@dataclass(frozen=True, slots=True)
class Noticed:
    """One thing, in words that name the lot or sample."""

    kind: str
    about: str
    message: str
    #: Of what was noticed about a sample.
    aggregate_sample_id: int | None = None


#: Asked about the equipment of a batch: (day of casting, scale id, mould id). lims/results registers itself here, since
#: presses, scales and moulds stand above trials.
EQUIPMENT: list[Callable[[date, int | None, int | None], list[Noticed]]] = []


def notice(
    cast_at: datetime,
    revision: MixRevision,
    cement_lot: CementLot | None,
    samples: Iterable[AggregateSample],
) -> list[Noticed]:
    """Everything about these materials that a person should have seen before casting."""
    found: list[Noticed] = []
    if cement_lot is not None:
        found += _cement(cast_at, revision, cement_lot)
    grade = revision.mix_design.grade_mpa or USUAL_GRADE_MPA
    for sample in samples:
        found += _sample(sample, grade)
    return found


def _cement(cast_at: datetime, revision: MixRevision, lot: CementLot) -> list[Noticed]:
    found = []
    cast_on = local_day(cast_at)
    since = lot.fresh_by(cast_on)
    if since is not None and lot.too_old_on(cast_on):
        days = (cast_on - since).days
        found.append(
            Noticed(
                "lot-too-old",
                lot.code,
                _("Lot %(lot)s is %(days)s days old without a retest.", lot=lot.code, days=days),
            )
        )
    named = {c.cement_product_id for c in revision.components if c.cement_product_id is not None}
    if named and lot.cement_product_id not in named:
        found.append(
            Noticed(
                "other-product",
                lot.code,
                _(
                    "Lot %(lot)s is %(cement)s; the mix names another cement.",
                    lot=lot.code,
                    cement=lot.cement_product.title,
                ),
            )
        )
    return found


def _sample(sample: AggregateSample, grade: Decimal) -> list[Noticed]:
    aggregate = "sand" if sample.aggregate_source.kind == "fine" else "stone"
    limits = impurity_limits(aggregate, grade)
    values: dict[str, tuple[Any, Decimal | None]] = {
        "mud": (_("Mud"), sample.mud_percent),
        "lumps": (_("Clay lumps"), sample.clay_lumps_percent),
        "flaky": (_("Flaky particles"), sample.flaky_percent),
    }
    beyond = [
        f"{label} {value:f} % > {limits[name]:f} %"
        for name, (label, value) in values.items()
        if value is not None and name in MUD_LIMITS[aggregate] and value > limits[name]
    ]
    if aggregate == "sand" and sample.retained_g and sample.zone is None:
        beyond.append(_("in no grading zone"))
    if not beyond:
        return []
    return [
        Noticed(
            "sample-out-of-limits",
            sample.code,
            _(
                "Sample %(sample)s: %(what)s (C%(grade)s).",
                sample=sample.code,
                what=_(", ").join(beyond),
                grade=format_decimal(grade),
            ),
            sample.id,
        )
    ]
