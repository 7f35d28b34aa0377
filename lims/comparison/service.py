"""Every write about prices, comparisons, changes at the works and trials for a customer; what other subjects ask."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import ColumnElement, select

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import among, current_session
from lims.base.display import local_time, local_today
from lims.base.numbering import next_code
from lims.base.problems import refuse
from lims.base.schemas import Schema
from lims.base.services import SERVICES, RecordService, hide_unknown
from lims.comparison.gathering import (
    AGGREGATES,
    TrialRow,
    changes_within,
    of_one_shape,
    price_list,
    prices_for,
    trial_rows,
)
from lims.comparison.models import (
    Comparison,
    CustomerMaterial,
    Price,
    ProcessChange,
    ProgrammeEntry,
)
from lims.comparison.outcome import Outcome, outcome_of
from lims.comparison.schemas import (
    TRIAL_FILTERS,
    ComparisonEdit,
    ComparisonIn,
    ComparisonQuestion,
    CustomerMaterialIn,
    PriceIn,
    ProcessChangeIn,
    ProgrammeEntryIn,
    monday,
)
from lims.comparison.words import other_shape, why_not
from lims.customers.regions import seen_through
from lims.materials.models import CementLot, CementProduct
from lims.strength.comparison import NotComparable, compare, costs
from lims.trials.models import Batch
from lims.trials.service import batches_of_seen

TO_KG, TO_MONEY = Decimal("0.1"), Decimal("0.01")


class PriceService(RecordService[Price]):
    record = Price
    schema = PriceIn
    search_columns = ("kind", "remark", "cement_product.code", "cement_product.name")
    filter_columns = ("kind", "cement_product_id", "region_id")
    order_columns = ("valid_from", "kind", "price_per_t")
    shown_relations = ("cement_product", "region")
    default_order = "-valid_from"


class ProcessChangeService(RecordService[ProcessChange]):
    record = ProcessChange
    schema = ProcessChangeIn
    search_columns = ("code", "name", "reason", "other_changes")
    filter_columns = ("cement_product_id", "first_lot_id")
    order_columns = ("holds_from", "code", "name")
    shown_relations = ("cement_product", "first_lot")
    default_order = "-holds_from"

    def before_add(self, record: ProcessChange, values: ProcessChangeIn, actor: Actor) -> None:
        self.check(record)
        if not record.code:
            year = values.holds_from.year % 100
            record.code = next_code(
                current_session(), ProcessChange.code, f"process-change-{year}", f"W{year:02d}-", digits=3
            )

    def check(self, record: ProcessChange) -> None:
        if record.first_lot_id is None:
            return
        lot = current_session().get(CementLot, record.first_lot_id)
        if lot is not None and lot.cement_product_id != record.cement_product_id:
            raise refuse(
                "first_lot_id", _("is a lot of another cement; accepted: a lot of this cement"), lot.code
            )


class CustomerMaterialService(RecordService[CustomerMaterial]):
    record = CustomerMaterial
    schema = CustomerMaterialIn
    search_columns = ("customer.name", "remark")
    filter_columns = ("customer_id", "kind", "aggregate_sample_id", "scm_lot_id", "admixture_lot_id")
    order_columns = ("received_on", "kind")
    shown_relations = ("customer", "aggregate_sample", "scm_lot", "admixture_lot")
    default_order = "-received_on"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(CustomerMaterial.customer_id)


class ProgrammeEntryService(RecordService[ProgrammeEntry]):
    record = ProgrammeEntry
    schema = ProgrammeEntryIn
    search_columns = ("trial.code", "trial.name", "mix_revision.code", "responsible")
    filter_columns = ("trial_id", "mix_revision_id")
    order_columns = ("week_of", "responsible")
    shown_relations = ("trial", "mix_revision")
    default_order = "-week_of"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return batches_of_seen(ProgrammeEntry.trial_id)

    def before_add(self, record: ProgrammeEntry, values: ProgrammeEntryIn, actor: Actor) -> None:
        self.check(record)

    def check(self, record: ProgrammeEntry) -> None:
        record.week_of = monday(record.week_of)

    def _assign(self, record: Any, values: Schema) -> None:
        super()._assign(record, values)
        ages = getattr(values, "plan_ages", None)
        if ages is not None:
            record.plan_ages = ",".join(str(age) for age in ages)


class ComparisonService(RecordService[Comparison]):
    record = Comparison
    schema = ComparisonIn
    edit_schema = ComparisonEdit
    search_columns = ("code", "name", "own.code", "other.code", "other.name")
    filter_columns = (
        "own_id",
        "other_id",
        "region_id",
        "trial_id",
        "customer_id",
        "told_apart",
        "earlier_id",
    )
    order_columns = ("code", "name", "target_mpa", "created_at")
    shown_relations = ("own", "other", "customer", "region", "earlier")

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return [*seen_through(Comparison.customer_id), *batches_of_seen(Comparison.trial_id)]

    def complete(self, records: Sequence[Comparison]) -> None:
        hide_unknown(records, "earlier")  # which may be for another customer

    def before_add(self, record: Comparison, values: ComparisonIn, actor: Actor) -> None:
        """Compute and freeze. Raises: Refused with the reason when the trials give no figure."""
        answer = answer_to(values)
        if answer.outcome is None:
            raise refuse("", answer.reason)
        found = answer.outcome
        record.priced_on = answer.priced_on
        record.inputs = json.dumps(answer.inputs(), sort_keys=True, ensure_ascii=False)
        record.outcome = json.dumps(found.as_json(), sort_keys=True)
        record.told_apart = found.told_apart
        record.binder_difference_kg_m3 = Decimal(repr(found.binder_difference[0])).quantize(TO_KG)
        if found.cost_difference is not None:
            record.cost_difference_per_m3 = Decimal(repr(found.cost_difference[0])).quantize(TO_MONEY)
        year = local_time(utc_now()).year % 100
        record.code = next_code(
            current_session(), Comparison.code, f"comparison-{year}", f"V{year:02d}-", digits=3
        )

    def before_edit(self, record: Comparison, values: ComparisonEdit, actor: Actor) -> None:
        if values.earlier_id == record.id:
            raise refuse("earlier_id", _("is this comparison itself; accepted: an earlier one"))


def bag_kg() -> float:
    return float(current_app.config.get("LIMS_BAG_KG", 50))


@dataclass(frozen=True, slots=True)
class Answer:
    """A question with the batches found, and what they say or why they say nothing."""

    question: ComparisonQuestion
    own: list[TrialRow]
    other: list[TrialRow]
    priced_on: date
    prices: dict[str, float | None]
    aggregate_kg_m3: float
    outcome: Outcome | None
    reason: str = ""

    def inputs(self) -> dict[str, Any]:
        return {
            "batches": [
                {
                    "own": side == "own",
                    "batch_id": row.batch_id,
                    "batch": row.code,
                    "cast_on": f"{row.cast_at:%Y-%m-%d}",
                    "lot": row.lot,
                    "mix": row.mix,
                    "ratio": round(row.ratio, 4),
                    "binder_kg_m3": round(row.binder_kg_m3, 2),
                    "water_kg_m3": round(row.mass("water"), 2),
                    "scm_share_percent": round(100 * row.scm_share, 2),
                    "admixture_percent": None
                    if row.admixture_percent is None
                    else round(row.admixture_percent, 3),
                    "slump_mm": row.slump_mm,
                    "strength_mpa": round(row.strength_mpa, 3),
                    "sets": row.sets,
                }
                for side, rows in (("own", self.own), ("other", self.other))
                for row in rows
            ],
            "prices_per_t": self.prices,
            "aggregate_kg_m3": round(self.aggregate_kg_m3, 1),
        }


def answer_to(question: ComparisonQuestion) -> Answer:
    """Gather, fit, invert, price. Nothing is stored."""
    filters = {name: getattr(question, name) for name in TRIAL_FILTERS}
    own = trial_rows(question.own_id, question.age_days, **filters)
    other = trial_rows(question.other_id, question.age_days, **filters)
    found_rows = len(own) + len(other)
    own, other = of_one_shape(own, other)
    rows = own + other
    priced_on = question.priced_on or local_today()
    masses: dict[str, float] = defaultdict(float)
    for row in rows:
        for kind, mass in row.masses.items():
            masses[kind] += mass / len(rows)
    prices = prices_for(price_list(priced_on, question.region_id), question.own_id, question.other_id, masses)
    aggregate = sum(masses[kind] for kind in AGGREGATES)
    named: dict[str, float | None] = {
        "cement_own": prices.cement_own,
        "cement_other": prices.cement_other,
        "scm": prices.scm,
        "admixture": prices.admixture,
        "aggregate": prices.aggregate,
    }
    outcome, reason = None, ""
    try:
        found = compare(
            [row.as_trial(own=True) for row in own] + [row.as_trial(own=False) for row in other],
            float(question.target_mpa),
            float(question.water_kg_m3) if question.water_kg_m3 is not None else masses["water"],
            slump_mm=float(question.slump_mm) if question.slump_mm is not None else None,
        )
        changes = [
            change.name
            for product_id, of_cement in ((question.own_id, own), (question.other_id, other))
            for change in changes_within(product_id, of_cement)
        ]
        outcome = outcome_of(
            found, costs(found, prices, aggregate), own, other, question.age_days, bag_kg(), changes
        )
    except NotComparable as error:
        reason = why_not(error)
    if len(rows) < found_rows:
        if outcome is not None:
            outcome = replace(outcome, notes=(*outcome.notes, "other_shape"))
        else:
            reason = f"{reason} {other_shape()}"
    return Answer(question, own, other, priced_on, named, aggregate, outcome, reason)


def batches_named(record: Comparison) -> list[dict[str, Any]]:
    """The batches that it rests on, as they were, of customers whom the asking person may know of: whoever kept it may have
    known of more."""
    batches: list[dict[str, Any]] = record.rested_on["batches"]
    conditions = SERVICES["batches"].visible()
    if not conditions:
        return batches
    of_these = among(Batch.id, {item["batch_id"] for item in batches})
    known = set(current_session().scalars(select(Batch.id).where(of_these, *conditions)))
    return [item for item in batches if item["batch_id"] in known]


def outcome_of_record(record: Comparison) -> Outcome:
    return Outcome.of_json(json.loads(record.outcome))


# --- for sharing ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutwardComparison:
    """What may leave the laboratory: figures of our cement against a cement of a class, without the maker's or a
    customer's name, without batches, prices or lots. Cost is there only when it was asked for."""

    own_cement: str
    other_cement: str
    age_days: int
    target_mpa: float
    batches: int
    told_apart: bool
    #: Own minus other: middle, low, high of the 90 % interval.
    binder_difference_kg_m3: tuple[float, float, float] | None
    admixture_difference_percent: tuple[float, float, float] | None
    bags_own: int | None
    bags_other: int | None
    cost_difference_per_m3: tuple[float, float, float] | None
    #: Why there are no figures.
    reason: str = ""


def outward_comparison(
    own_id: int,
    other_id: int,
    target_mpa: Decimal | str,
    *,
    trial_id: int | None = None,
    age_days: int = 28,
    region_id: int | None = None,
    with_cost: bool = False,
) -> OutwardComparison:
    """The comparison per m³ for a share link or a paper. Raises: Refused when the question itself is wrong."""
    question = ComparisonQuestion.read(
        {
            "own_id": own_id,
            "other_id": other_id,
            "target_mpa": str(target_mpa),
            "age_days": age_days,
            "trial_id": trial_id,
            "region_id": region_id,
        }
    )
    answer = answer_to(question)
    return _outward(
        _product(own_id), _product(other_id), answer.outcome, answer.reason, question, with_cost=with_cost
    )


def _product(product_id: int) -> CementProduct:
    found = current_session().get(CementProduct, product_id)
    if found is None:
        raise refuse("cement_product_id", _("there is no such record"), product_id)
    return found


def _outward(
    own: CementProduct,
    other: CementProduct,
    found: Outcome | None,
    reason: str,
    asked: ComparisonQuestion,
    *,
    with_cost: bool,
) -> OutwardComparison:
    return OutwardComparison(
        own_cement=f"{own.cement_type} {own.strength_class}",
        other_cement=f"{other.cement_type} {other.strength_class}",
        age_days=asked.age_days,
        target_mpa=float(asked.target_mpa),
        batches=0 if found is None else found.batches_own + found.batches_other,
        told_apart=found is not None and found.told_apart,
        binder_difference_kg_m3=None if found is None else found.binder_difference,
        admixture_difference_percent=None if found is None else found.admixture_difference,
        bags_own=None if found is None else found.bags_own,
        bags_other=None if found is None else found.bags_other,
        cost_difference_per_m3=found.cost_difference if found is not None and with_cost else None,
        reason=reason,
    )
