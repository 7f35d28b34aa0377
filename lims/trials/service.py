"""Every write about trials, batches, sets and specimens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _
from sqlalchemy.orm import joinedload

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.laboratory import laboratory
from lims.base.numbering import next_number
from lims.base.problems import refuse
from lims.base.services import RecordService
from lims.mixes.models import MixRevision
from lims.mixes.service import freeze
from lims.standards.errors import RuleInputError
from lims.standards.sampling import sets_per_volume
from lims.standards.specimens import due_window
from lims.trials.models import Batch, Specimen, SpecimenSet, Trial
from lims.trials.plan import cubic_metres_per_set
from lims.trials.schemas import MOST_SETS_OF_A_BATCH, BatchEdit, BatchIn, SpecimenSetEdit, TrialIn


@dataclass(frozen=True, slots=True)
class PlannedSet:
    """A set that the plan proposes."""

    age_days: int
    number: int
    specimens: int


def propose_plan(
    volume_m3: Decimal, ages: Sequence[int], per_m3: Decimal, specimens_per_set: int = 3
) -> list[PlannedSet]:
    """ceil(V / per_m3) sets for each age, at least three specimens each. Raises: Refused."""
    try:
        required = sets_per_volume(volume_m3, per_m3, specimens_per_set)
    except RuleInputError as error:
        raise refuse(error.field, f"{error.value} – {error.accepted}", error.value) from error
    if required.sets * len(ages) > MOST_SETS_OF_A_BATCH:
        raise refuse(
            "volume_m3",
            _(
                "asks for %(n)s sets; accepted: a batch of up to %(most)s sets in all",
                n=required.sets * len(ages),
                most=MOST_SETS_OF_A_BATCH,
            ),
            volume_m3,
        )
    return [
        PlannedSet(age, number, specimens_per_set) for age in ages for number in range(1, required.sets + 1)
    ]


def specimen_letter(number: int) -> str:
    """1 -> A, 2 -> B, ... 27 -> A27: short on a label."""
    return chr(64 + number) if number <= 26 else f"A{number}"


class TrialService(RecordService[Trial]):
    record = Trial
    schema = TrialIn
    search_columns = ("code", "name", "customer.name")
    filter_columns = ("state", "customer_id", "region_id", "cement_product_id")
    order_columns = ("code", "name", "state", "started_on", "changed_at")
    shown_relations = ("customer", "region", "cement_product")

    def before_add(self, record: Trial, values: TrialIn, actor: Actor) -> None:
        if not record.code:
            year = utc_now().year % 100
            record.code = f"T{year:02d}-{next_number(current_session(), f'trial-{year}'):04d}"


class BatchService(RecordService[Batch]):
    record = Batch
    schema = BatchIn
    edit_schema = BatchEdit
    search_columns = ("code", "element", "trial.name", "trial.code", "mix_revision.code")
    filter_columns = ("trial_id", "mix_revision_id", "cement_lot_id", "curing", "aggregate_sample_id")
    order_columns = ("code", "cast_at", "volume_m3", "changed_at")
    shown_relations = ("trial", "mix_revision", "cement_lot", "aggregate_sample")

    def base_query(self) -> Any:
        return super().base_query().options(joinedload(Batch.mix_revision).joinedload(MixRevision.mix_design))

    def before_add(self, record: Batch, values: BatchIn, actor: Actor) -> None:
        if values.cast_at > utc_now() + timedelta(hours=1):
            raise refuse(
                "cast_at", _("lies in the future; accepted: a time up to now"), values.cast_at.isoformat()
            )
        session = current_session()
        if not record.code:
            year = values.cast_at.year % 100
            record.code = f"B{year:02d}-{next_number(session, f'batch-{year}'):04d}"
        revision = session.get(MixRevision, values.mix_revision_id)
        assert revision is not None  # _resolve has found it
        if not revision.components:
            raise refuse(
                "mix_revision_id", _("has no recipe; accepted: a mix with its masses"), revision.code
            )
        freeze(revision)

    def after_add(self, record: Batch, values: BatchIn, actor: Actor) -> None:
        ages = values.plan_ages or laboratory().plan_ages
        per = values.cubic_metres_per_set or cubic_metres_per_set()
        for planned in propose_plan(values.volume_m3, ages, per, values.specimens_per_set):
            add_set(
                record,
                planned.age_days,
                planned.number,
                [(values.shape, values.width_mm)] * planned.specimens,
                values.cast_at,
            )


def add_set(
    batch: Batch,
    age_days: int,
    number: int,
    specimens: Sequence[tuple[str, Decimal | None]],
    cast_at: datetime | None,
) -> SpecimenSet:
    """A set with its codes and due window. Inside a transaction."""
    code = f"{batch.code}-{age_days:02d}d-{number}"
    due_from, due_at, due_until = (
        due_window(laboratory().codes.age_code, age_days, cast_at) if cast_at else (None, None, None)
    )
    found = SpecimenSet(
        batch=batch,
        code=code,
        age_days=age_days,
        number=number,
        state="waiting",
        due_from=due_from,
        due_at=due_at,
        due_until=due_until,
    )
    for index, (shape, width_mm) in enumerate(specimens, start=1):
        length = width_mm * 2 if shape == "cylinder" and width_mm is not None else width_mm
        found.specimens.append(
            Specimen(
                code=f"{code}{specimen_letter(index)}",
                number=index,
                shape=shape,
                width_mm=width_mm,
                length_mm=length,
            )
        )
    current_session().add(found)
    return found


class SpecimenSetService(RecordService[SpecimenSet]):
    record = SpecimenSet
    schema = SpecimenSetEdit
    search_columns = ("code",)
    filter_columns = ("batch_id", "age_days", "state")
    order_columns = ("code", "age_days", "due_at", "state")
    shown_relations = ("batch",)
    default_order = "due_at"
    writable = False


class SpecimenService(RecordService[Specimen]):
    record = Specimen
    schema = SpecimenSetEdit
    search_columns = ("code",)
    filter_columns = ("specimen_set_id", "shape")
    order_columns = ("code", "number")
    shown_relations = ("specimen_set",)
    writable = False
