"""Every write about materials."""

from __future__ import annotations

import json
from typing import Any

from flask_babel import gettext as _

from lims.base.actor import Actor
from lims.base.problems import Problem, Refused, refuse
from lims.base.services import RecordService, require_past
from lims.base.words import told
from lims.materials.models import (
    AdmixtureLot,
    AggregateSample,
    AggregateSource,
    CementLot,
    CementProduct,
    CementTest,
    Region,
    ScmLot,
)
from lims.materials.schemas import (
    AdmixtureLotIn,
    AggregateSampleIn,
    AggregateSourceIn,
    CementLotIn,
    CementProductIn,
    CementTestIn,
    RegionIn,
    ScmLotIn,
)
from lims.standards.aggregates import fineness_modulus
from lims.standards.cement import mortar_strength
from lims.standards.errors import RuleInputError


class RegionService(RecordService[Region]):
    record = Region
    schema = RegionIn
    search_columns = ("code", "name")
    order_columns = ("code", "name")
    default_order = "name"


class CementProductService(RecordService[CementProduct]):
    record = CementProduct
    schema = CementProductIn
    search_columns = ("code", "name", "maker")
    filter_columns = ("origin", "cement_type", "strength_class")
    order_columns = ("code", "name", "origin", "strength_class")
    default_order = "code"


class CementLotService(RecordService[CementLot]):
    record = CementLot
    schema = CementLotIn
    search_columns = ("code", "cement_product.name")
    filter_columns = ("cement_product_id",)
    order_columns = ("code", "produced_on", "delivered_on", "strength_28d_mpa")
    shown_relations = ("cement_product",)

    def check(self, record: CementLot) -> None:
        """A lot of next year would never be too old."""
        for field in ("produced_on", "retested_on"):
            if (day := getattr(record, field)) is not None:
                require_past(field, day)


class CementTestService(RecordService[CementTest]):
    record = CementTest
    schema = CementTestIn
    search_columns = ("cement_lot.code", "tested_by")
    filter_columns = ("cement_lot_id", "age_days", "basis")
    order_columns = ("tested_on", "age_days", "strength_mpa")
    shown_relations = ("cement_lot",)
    default_order = "-tested_on"

    def before_add(self, record: CementTest, values: CementTestIn, actor: Actor) -> None:
        self.check(record)
        self._judge(record, values)

    def before_edit(self, record: CementTest, values: CementTestIn, actor: Actor) -> None:
        self._judge(record, values)

    def check(self, record: CementTest) -> None:
        require_past("tested_on", record.tested_on)

    def _judge(self, record: CementTest, values: CementTestIn) -> None:
        """The six-value rule of GB/T 17671 over what was typed."""
        prisms = values.prisms_mpa
        record.values_mpa = json.dumps([str(value) for value in prisms]) if prisms else None
        record.strength_mpa = record.basis = None
        if prisms:
            verdict = mortar_strength(prisms)
            record.strength_mpa = verdict.strength_mpa
            record.basis = (
                "invalid" if verdict.strength_mpa is None else "five" if verdict.dropped else "mean"
            )


class AggregateSourceService(RecordService[AggregateSource]):
    record = AggregateSource
    schema = AggregateSourceIn
    search_columns = ("code", "name", "rock", "region.name")
    filter_columns = ("kind", "region_id")
    order_columns = ("code", "name", "kind")
    shown_relations = ("region",)
    default_order = "code"


class AggregateSampleService(RecordService[AggregateSample]):
    record = AggregateSample
    schema = AggregateSampleIn
    search_columns = ("code", "aggregate_source.name")
    filter_columns = ("aggregate_source_id", "season", "zone", "sand_class")
    order_columns = ("code", "sampled_on", "fineness_modulus", "mud_percent")
    shown_relations = ("aggregate_source",)

    def before_add(self, record: AggregateSample, values: AggregateSampleIn, actor: Actor) -> None:
        self.check(record)
        _grade(record, values)

    def after_edit(self, record: AggregateSample, values: Any, actor: Actor) -> None:
        _grade(record, values)

    def check(self, record: AggregateSample) -> None:
        """Of the newest sample the quarter counts until its pit is sampled again."""
        require_past("sampled_on", record.sampled_on)


class ScmLotService(RecordService[ScmLot]):
    record = ScmLot
    schema = ScmLotIn
    search_columns = ("code", "supplier")
    filter_columns = ("kind",)
    order_columns = ("code", "kind", "delivered_on")


class AdmixtureLotService(RecordService[AdmixtureLot]):
    record = AdmixtureLot
    schema = AdmixtureLotIn
    search_columns = ("code", "supplier")
    filter_columns = ("kind",)
    order_columns = ("code", "kind", "delivered_on")


def _grade(record: AggregateSample, values: AggregateSampleIn) -> None:
    """Fineness modulus, class and zone from the sieves, by JGJ 52."""
    given = values.retained()
    masses = [mass for mass in given.values() if mass is not None]
    if not masses:
        record.retained_g = record.fineness_modulus = record.sand_class = record.zone = None
        return
    if len(masses) < len(given):
        blank = _("is blank; accepted: all seven masses, 0 where nothing stayed on the sieve")
        raise Refused([Problem(name, blank) for name, mass in given.items() if mass is None])
    try:
        verdict = fineness_modulus(masses)
    except RuleInputError as error:
        raise refuse(
            "retained_4_75_g",
            _("the sieve masses do not give a grading; accepted: %(what)s", what=told(error.accepted)),
            error.value,
        ) from None
    record.retained_g = json.dumps([f"{mass:f}" for mass in masses])
    record.fineness_modulus = verdict.reported
    record.sand_class = verdict.size_class
    record.zone = verdict.zone
