"""REST of prices, comparisons, changes at the works and trials for a customer."""

from __future__ import annotations

from typing import Any

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from flask_appbuilder.api import expose, permission_name, protect

from lims.base.api import WHO_AND_WHEN, Place, RecordApi, plain
from lims.base.security import may
from lims.comparison.schemas import TRIAL_FILTERS, ComparisonQuestion
from lims.comparison.service import answer_to, outcome_of_record
from lims.comparison.views import (
    ComparisonView,
    CustomerMaterialView,
    PriceView,
    ProcessChangeView,
    ProgrammeEntryView,
    paper_of,
    visible,
)
from lims.comparison.words import effect_words
from lims.comparison.works import effects_of


class PriceApi(RecordApi):
    service = PriceView.service
    fields = (
        "id",
        "version",
        "kind",
        "cement_product_id",
        "region_id",
        "valid_from",
        "price_per_t",
        "remark",
        *WHO_AND_WHEN,
    )


class ComparisonApi(RecordApi):
    service = ComparisonView.service
    fields = (
        "id",
        "version",
        "code",
        "name",
        "own_id",
        "other_id",
        "customer_id",
        "age_days",
        "target_mpa",
        "water_kg_m3",
        "slump_mm",
        *TRIAL_FILTERS,
        "priced_on",
        "earlier_id",
        "remarks",
        "told_apart",
        "binder_difference_kg_m3",
        "cost_difference_per_m3",
        *WHO_AND_WHEN,
    )
    places = (
        Place("{record_id}/comparison.pdf", "The comparison as a paper", ("application/pdf",)),
        Place(
            "question",
            "The answer to a question, without keeping it; `outcome` is null where `reason` says why",
            {
                "type": "object",
                "properties": {
                    "result": {
                        "type": "object",
                        "properties": {
                            "outcome": {"type": "object", "nullable": True},
                            "reason": {"type": "string"},
                        },
                    }
                },
            },
            query=ComparisonQuestion,
        ),
    )

    def outward(self, record: Any) -> dict[str, Any]:
        """With the figures as they were kept, without money for who reads no prices."""
        found = super().outward(record)
        found["outcome"] = _figures(visible(outcome_of_record(record)).as_json())
        return found

    def _outward_schema(self) -> dict[str, Any]:
        found = super()._outward_schema()
        outcome = {"type": "object", "description": "the figures as they were kept, without the curves"}
        return {**found, "properties": {**found["properties"], "outcome": outcome}}

    @expose("/<int:record_id>/comparison.pdf", methods=["GET"])
    @protect()
    @permission_name("read")
    def paper(self, record_id: int) -> ResponseReturnValue:
        """The comparison as PDF."""
        return paper_of(self.service.get(record_id))

    @expose("/question", methods=["GET"])
    @protect()
    @permission_name("read")
    def question(self) -> ResponseReturnValue:
        """The answer to a question in the address, without keeping it."""
        answer = answer_to(ComparisonQuestion.read(dict(request.args.items())))
        figures = None if answer.outcome is None else _figures(visible(answer.outcome).as_json())
        return jsonify({"result": {"outcome": figures, "reason": answer.reason}})


def _figures(outcome: dict[str, Any]) -> dict[str, Any]:
    """Without the curves, and without any word of money where there is none to see."""
    hidden = {"curves"} if may("read", "prices") else {"curves", *_MONEY}
    return {name: value for name, value in outcome.items() if name not in hidden}


_MONEY = ("cost_own", "cost_other", "cost_difference", "prices_missing", "prices_left_out")


class ProcessChangeApi(RecordApi):
    service = ProcessChangeView.service
    fields = (
        "id",
        "version",
        "code",
        "name",
        "cement_product_id",
        "holds_from",
        "first_lot_id",
        "reason",
        "al2o3_from_percent",
        "al2o3_to_percent",
        "specific_surface_from_m2_kg",
        "specific_surface_to_m2_kg",
        "residue_45um_from_percent",
        "residue_45um_to_percent",
        "scm_from",
        "scm_to",
        "scm_share_from_percent",
        "scm_share_to_percent",
        "initial_set_from_min",
        "initial_set_to_min",
        "other_changes",
        *WHO_AND_WHEN,
    )
    places = (
        Place(
            "{record_id}/effects",
            "Every measure before and after, by lots",
            {"type": "object", "properties": {"result": {"type": "array", "items": {"type": "object"}}}},
        ),
    )

    @expose("/<int:record_id>/effects", methods=["GET"])
    @protect()
    @permission_name("read")
    def effects(self, record_id: int) -> ResponseReturnValue:
        """Every measure before and after, by lots."""
        change = self.service.get(record_id)
        found = [
            {
                "measure": item.name,
                "unit": item.unit,
                "lots_before": item.effect.lots_before,
                "lots_after": item.effect.lots_after,
                "mean_before": item.effect.mean_before,
                "mean_after": item.effect.mean_after,
                "difference": item.effect.difference,
                "interval_95": [item.effect.low, item.effect.high] if item.effect.tested else None,
                "p": item.effect.p,
                "words": effect_words(item),
                "lots": [
                    {"lot": lot.lot, "after": lot.after, "value": lot.value, "count": lot.count}
                    for lot in item.lots
                ],
            }
            for item in effects_of(change, prices=may("read", "prices"))
        ]
        return jsonify({"result": found})


class CustomerMaterialApi(RecordApi):
    service = CustomerMaterialView.service
    fields = (
        "id",
        "version",
        "customer_id",
        "kind",
        "aggregate_sample_id",
        "scm_lot_id",
        "admixture_lot_id",
        "received_on",
        "remark",
        *WHO_AND_WHEN,
    )


class ProgrammeEntryApi(RecordApi):
    service = ProgrammeEntryView.service
    fields = (
        "id",
        "version",
        "trial_id",
        "week_of",
        "mix_revision_id",
        "batches",
        "plan_ages",
        "responsible",
        "remark",
        *WHO_AND_WHEN,
    )

    def outward(self, record: Any) -> dict[str, Any]:
        ages = [int(age) for age in record.plan_ages.split(",")]
        return {**super().outward(record), "plan_ages": plain(ages)}


APIS = (PriceApi, ComparisonApi, ProcessChangeApi, CustomerMaterialApi, ProgrammeEntryApi)
