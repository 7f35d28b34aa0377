"""Every write about trials, batches, sets and specimens."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload, lazyload
from sqlalchemy.orm.attributes import flag_modified

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, locked_row, transaction
from lims.base.display import day_begins, local_day, local_today, show_time
from lims.base.laboratory import laboratory
from lims.base.numbering import next_code
from lims.base.problems import NotFound, Problem, Refused, refuse
from lims.base.schemas import Schema
from lims.base.services import RecordService, hide_unknown, require_past
from lims.base.words import told, told_refusal
from lims.customers.regions import seen_through, seen_within
from lims.materials.models import AdmixtureLot, AggregateSample, CementLot, ScmLot
from lims.materials.schemas import ADMIXTURE_KINDS, AGGREGATE_KINDS, SCM_KINDS
from lims.mixes.models import MixDesign, MixRevision
from lims.mixes.service import freeze
from lims.standards.checks import Check, all_passed
from lims.standards.errors import RuleInputError
from lims.standards.rounding import round_half_even
from lims.standards.sampling import GB50204_CONTINUOUS_ABOVE_M3, gb50204_sets_required, sets_per_volume
from lims.standards.shotcrete import curing_check, rebound_check, rebound_percent, setting_checks
from lims.standards.specimens import due_window, least_cylinders, size_factor, untested_factor
from lims.trials.curing import require_read
from lims.trials.models import (
    Batch,
    BatchLot,
    BatchWarning,
    CuringReading,
    CuringTank,
    ShotcreteTrial,
    Specimen,
    SpecimenSet,
    Trial,
)
from lims.trials.plan import ShotcreteLimits, cubic_metres_per_set, shotcrete_limits, specimens_per_set
from lims.trials.schemas import (
    EQUIPMENT_FIELDS,
    LEAST_PER_SET,
    LOT_FIELDS,
    MOST_PER_SET,
    MOST_SETS_OF_A_BATCH,
    SET_STATES,
    BatchEdit,
    BatchIn,
    CuringReadingIn,
    CuringTankIn,
    DiscardIn,
    HeldSetIn,
    ShotcreteTrialIn,
    SpecimenSetEdit,
    TrialIn,
)
from lims.trials.warnings import ANSWERS, EQUIPMENT, OF_CEMENT_LOT, OF_EQUIPMENT, Noticed, notice

#: Called with the mix's id inside the transaction that put the curing of one of its batches right. Forecasts listen; trials
#: know nothing of them.
CURING_CHANGED: list[Callable[[int], None]] = []
#: The 15 % rule of GB/T 50081 looks at three.
CUBES_OF_A_SET = 3
#: Field of BatchIn -> the lots that it takes, and their kinds.
KINDS_OF_LOTS: dict[str, tuple[type[ScmLot | AdmixtureLot], tuple[str, ...]]] = {
    "fly_ash_lot_id": (ScmLot, ("fly_ash",)),
    "slag_lot_id": (ScmLot, ("slag",)),
    "silica_fume_lot_id": (ScmLot, ("silica_fume",)),
    "other_scm_lot_id": (ScmLot, ("limestone", "other")),
    "superplasticizer_lot_id": (AdmixtureLot, ("superplasticizer",)),
    "other_admixture_lot_id": (AdmixtureLot, ("retarder", "accelerator", "air_entrainer", "other")),
}


@dataclass(frozen=True, slots=True)
class PlannedSet:
    """A set that the plan proposes."""

    age_days: int
    number: int
    specimens: int


def propose_plan(
    volume_m3: Decimal,
    ages: Sequence[int],
    per_m3: Decimal,
    specimens_per_set: int = 3,
    sampling_plan: str = "per-volume",
) -> list[PlannedSet]:
    """Sets for each age: ceil(V / per_m3), or what GB 50204 asks for. Raises: Refused."""
    try:
        if sampling_plan == "gb50204":
            sets = gb50204_sets_required(volume_m3, continuous=volume_m3 > GB50204_CONTINUOUS_ABOVE_M3)
        else:
            sets = sets_per_volume(volume_m3, per_m3).sets
    except RuleInputError as error:
        raise refuse(error.field, told_refusal(error), error.value) from error
    if sets * len(ages) > MOST_SETS_OF_A_BATCH:
        raise refuse(
            "volume_m3",
            _(
                "asks for %(n)s sets; accepted: a batch of up to %(most)s sets in all",
                n=sets * len(ages),
                most=MOST_SETS_OF_A_BATCH,
            ),
            volume_m3,
        )
    return [PlannedSet(age, number, specimens_per_set) for age in ages for number in range(1, sets + 1)]


def least_per_set(shape: str, width_mm: Decimal) -> int:
    """Specimens of a set, at least, by the codes of the laboratory: EN 206 takes the strength of a single specimen
    (8.2.1.2, R), ACI 318 the mean of two cylinders of 150 mm (S); else three."""
    codes = laboratory().codes
    if codes.by_samples:
        return 1
    by_mean = shape == "cylinder" and codes.rate_code == "astm-c39"
    return least_cylinders(width_mm) if by_mean else LEAST_PER_SET


def require_enough(specimens: int, shape: str, width_mm: Decimal) -> None:
    """Raises: Refused for a set of fewer specimens than make a result."""
    least = least_per_set(shape, width_mm)
    if specimens < least:
        what = _("a whole number from %(low)s to %(high)s", low=least, high=MOST_PER_SET)
        message = _("%(value)s is not accepted; accepted: %(what)s", value=specimens, what=what)
        raise refuse("specimens_per_set", message, specimens)


def as_given_out(code: str) -> str:
    """A code of a set or specimen in the letters the system gives: capitals but for the d of days (b26-1-03D-1a)."""
    return re.sub(r"-(\d+)D-", r"-\1d-", code.strip().upper())


def specimen_letter(number: int) -> str:
    """1 -> A, 2 -> B, ... 27 -> A27: short on a label."""
    return chr(64 + number) if number <= 26 else f"A{number}"


def batches_of_seen(column: Any) -> list[ColumnElement[bool]]:
    """Conditions on what belongs to a trial by `column`: of a customer whom the asking person may know of."""
    return seen_within(column, Trial, seen_through(Trial.customer_id))


class TrialService(RecordService[Trial]):
    record = Trial
    schema = TrialIn
    search_columns = ("code", "name", "customer.name")
    filter_columns = ("state", "customer_id", "region_id", "cement_product_id")
    order_columns = ("code", "name", "state", "started_on", "changed_at")
    shown_relations = ("customer", "region", "cement_product")

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(Trial.customer_id)

    def before_add(self, record: Trial, values: TrialIn, actor: Actor) -> None:
        if not record.code:
            year = local_today().year % 100
            record.code = next_code(current_session(), Trial.code, f"trial-{year}", f"T{year:02d}-")


class BatchService(RecordService[Batch]):
    record = Batch
    schema = BatchIn
    edit_schema = BatchEdit
    search_columns = ("code", "element", "trial.name", "trial.code", "mix_revision.code")
    filter_columns = ("trial_id", "mix_revision_id", "cement_lot_id", "curing", "aggregate_sample_id")
    order_columns = ("code", "cast_at", "volume_m3", "changed_at")
    shown_relations = ("trial", "mix_revision", "cement_lot", "aggregate_sample", "site")
    left_out_of_lists = ("mix_revision.components", "mix_revision.mix_design.revisions")

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return batches_of_seen(Batch.trial_id)

    def complete(self, records: Sequence[Batch]) -> None:
        hide_unknown(records, "site")  # of a trial that is no customer's it may be anybody's

    def base_query(self) -> Any:
        return super().base_query().options(joinedload(Batch.mix_revision).joinedload(MixRevision.mix_design))

    def add(self, data: Mapping[str, Any] | Schema, actor: Actor) -> Batch:
        """Whichever way a batch comes, what is left blank of its specimens is what a form begins with. Raises: Refused."""
        values = self.schema.as_read(data)
        assert isinstance(values, BatchIn)
        given, usual = values.model_fields_set, dict[str, Any]()
        if "shape" not in given:
            usual["shape"] = laboratory().codes.shape
        if "width_mm" not in given:
            usual["width_mm"] = Decimal(laboratory().codes.width_mm)
        if "specimens_per_set" not in given:
            usual["specimens_per_set"] = specimens_per_set()
        return super().add(values.model_copy(update=usual) if usual else values, actor)

    def before_add(self, record: Batch, values: BatchIn, actor: Actor) -> None:
        if values.cast_at > utc_now() + timedelta(hours=1):
            raise refuse(
                "cast_at", _("lies in the future; accepted: a time up to now"), values.cast_at.isoformat()
            )
        session = current_session()
        if not record.code:
            year = local_day(values.cast_at).year % 100
            record.code = next_code(session, Batch.code, f"batch-{year}", f"B{year:02d}-")
        revision = session.get(MixRevision, values.mix_revision_id)
        if revision is not None and revision.frozen_at is None:
            # Held: of two first castings at once the second finds it frozen, and neither meets an edit of the recipe.
            revision = locked_row(MixRevision, revision.id)
        assert revision is not None  # _resolve has found it
        if revision.mix_design.retired_at is not None:
            raise refuse("mix_revision_id", _("this record is out of use"), revision.code)
        if not any(component.mass_kg_m3 for component in revision.components):
            raise refuse(
                "mix_revision_id", _("has no recipe; accepted: a mix with its masses"), revision.code
            )
        _require_judgeable(values, revision.mix_design)
        _require_lots_of_their_kind(values)
        self._answered(record, revision, values)
        freeze(revision)

    def _answered(self, record: Batch, revision: MixRevision, values: BatchIn) -> None:
        """Everything noticed about the materials has its answer, or the batch is not registered."""
        session = current_session()
        sample_ids = (values.aggregate_sample_id, values.coarse_aggregate_sample_id)
        noticed = notice(
            values.cast_at,
            revision,
            session.get(CementLot, values.cement_lot_id) if values.cement_lot_id else None,
            [found for key in sample_ids if key and (found := session.get(AggregateSample, key))],
        )
        for ask in EQUIPMENT:
            noticed += ask(local_day(values.cast_at), values.scale_id, values.mould_id)
        _ask(record, noticed, values)

    def before_edit(self, record: Batch, values: BatchEdit, actor: Actor) -> None:
        """A lot, a sample, a scale or moulds named later are asked about as those that were named at casting."""
        session = current_session()
        if (record.curing, record.curing_temperature_c) != (values.curing, values.curing_temperature_c):
            for listener in CURING_CHANGED:
                listener(record.mix_revision.mix_design_id)
        lot, samples = None, self._put_right(record, values)
        other = self._other_equipment(record, values)
        if record.cast_at is None:
            return  # history of which nobody knows when it was cast: there is nothing to ask
        if values.cement_lot_id != record.cement_lot_id:
            lot = session.get(CementLot, values.cement_lot_id) if values.cement_lot_id else None
            for answered in record.warnings:
                if answered.kind in OF_CEMENT_LOT:  # it was about the lot that is no longer named
                    answered.retired_at = answered.retired_at or utc_now()
        if values.aggregate_sample_id not in (None, record.aggregate_sample_id):
            found = session.get(AggregateSample, values.aggregate_sample_id)
            samples += [found] if found is not None else []
        noticed = notice(record.cast_at, record.mix_revision, lot, samples)
        for ask in EQUIPMENT:
            noticed += ask(local_day(record.cast_at), other.get("scale_id"), other.get("mould_id"))
        _ask(record, noticed, values)

    def _other_equipment(self, record: Batch, values: BatchEdit) -> dict[str, int | None]:
        """Equipment that was forgotten or mistaken at casting, by its field. What was answered about what is no longer named
        falls, and the sets lie where it is said now."""
        given = values.values()
        other = {
            name: given[name]
            for name in EQUIPMENT_FIELDS
            if name in given and given[name] != getattr(record, name)
        }
        for answered in record.warnings if other else ():
            if OF_EQUIPMENT.get(answered.kind) in other:
                answered.retired_at = answered.retired_at or utc_now()
        if "curing_tank_id" in other:
            flag_modified(record, "element")  # of two who put it right at once the second is told
            for found in self._sets_of(record, SpecimenSet.purpose != "retest"):
                found.curing_tank_id = other["curing_tank_id"]
        return other

    def _put_right(self, record: Batch, values: BatchEdit) -> list[AggregateSample]:
        """Lots beside the cement that were forgotten or mistaken at casting: what is given takes the place of what stood
        there, which stays readable. Returns the samples that are new. Raises: Refused."""
        _require_lots_of_their_kind(values)
        session = current_session()
        new = []
        for field, (kind, attribute) in LOT_FIELDS.items():
            key = getattr(values, field)
            standing = _lots_in(record, field)
            if key is None or key in [getattr(lot, attribute) for lot in standing]:
                continue
            for lot in standing:
                lot.retired_at = utc_now()
            flag_modified(record, "element")  # of two who put it right at once the second is told
            session.add(BatchLot(batch_id=record.id, kind=kind, **{attribute: key}))
            # One that is not there is refused with the other references.
            if (
                attribute == "aggregate_sample_id"
                and (sample := session.get(AggregateSample, key)) is not None
            ):
                new.append(sample)
        named = {lot.aggregate_sample_id for lot in record.lots if lot.retired_at is None}
        named |= {values.aggregate_sample_id, *(sample.id for sample in new)}
        for (
            answered
        ) in record.warnings:  # what was said of a sample that is no longer named stands on no paper any more
            if answered.aggregate_sample_id is not None and answered.aggregate_sample_id not in named:
                answered.retired_at = answered.retired_at or utc_now()
        return new

    def standing(self, record: Batch, name: str) -> Sequence[Any]:
        if name not in LOT_FIELDS:
            return super().standing(record, name)
        return [getattr(lot, LOT_FIELDS[name][1]) for lot in _lots_in(record, name)]

    def after_edit(self, record: Batch, values: BatchEdit, actor: Actor) -> None:
        current_session().expire(record, ["lots"])

    def before_retire(self, record: Batch, actor: Actor) -> None:
        """What waits of it is broken by nobody: its sets leave the lists of the day and the month's check with it."""
        if record.retired_at is None:
            record.retired_at = utc_now()
            for found in self._sets_of(record, SpecimenSet.state.in_(("waiting", "held"))):
                found.state, found.discarded_at = "discarded", record.retired_at
                found.discard_reason = _("The batch was taken out of use.")

    def before_restore(self, record: Batch, actor: Actor) -> None:
        """Sets that went with it come back; what somebody threw away stays so."""
        if record.retired_at is not None:
            went = (SpecimenSet.state == "discarded", SpecimenSet.discarded_at == record.retired_at)
            for found in self._sets_of(record, *went):
                found.state = "waiting" if found.age_days else "held"
                found.discarded_at = found.discard_reason = None

    def _sets_of(self, record: Batch, *conditions: ColumnElement[bool]) -> Sequence[SpecimenSet]:
        """Held: somebody may be entering one of them."""
        query = select(SpecimenSet).where(SpecimenSet.batch_id == record.id, *conditions)
        query = query.options(lazyload(SpecimenSet.specimens)).order_by(SpecimenSet.id).with_for_update()
        return current_session().scalars(query.execution_options(populate_existing=True)).all()

    def after_add(self, record: Batch, values: BatchIn, actor: Actor) -> None:
        ages = values.plan_ages or laboratory().plan_ages
        per = values.cubic_metres_per_set or cubic_metres_per_set()
        specimens = [(values.shape, values.width_mm)] * values.specimens_per_set
        plan = propose_plan(values.volume_m3, ages, per, values.specimens_per_set, values.sampling_plan)
        for planned in plan:
            add_set(record, planned.age_days, planned.number, specimens, values.cast_at)
        for number in range(1, values.hold_sets + values.site_sets + 1):
            purpose = "hold" if number <= values.hold_sets else "site"
            add_set(record, 0, number, specimens, values.cast_at, purpose=purpose)
        for found in record.sets:
            found.curing_tank_id = values.curing_tank_id
        for field, (kind, attribute) in LOT_FIELDS.items():
            key = getattr(values, field)
            if key is not None:
                record.lots.append(BatchLot(kind=kind, **{attribute: key}))


def _lots_in(record: Batch, field: str) -> list[BatchLot]:
    """What the batch took beside the cement, of one field of its schema."""
    kind, attribute = LOT_FIELDS[field]
    return [lot for lot in record.lots if lot.kind == kind and getattr(lot, attribute) is not None]


def _require_judgeable(values: BatchIn, design: MixDesign) -> None:
    """Cubes that no rule judges would be cast, cured and loaded for nothing. Raises: Refused.

    A mortar's cubes of 70.7 mm come as strengths that were reported. EN 206 takes a sample of any number, without a factor
    between sizes.
    """
    require_enough(values.specimens_per_set, values.shape, values.width_mm)
    if values.shape != "cube" or design.kind == "mortar" or laboratory().codes.by_samples:
        return
    if values.specimens_per_set != CUBES_OF_A_SET:
        raise refuse(
            "specimens_per_set",
            _("%(n)s cubes; accepted: three, as the rule of GB/T 50081 judges", n=values.specimens_per_set),
            values.specimens_per_set,
        )
    try:
        taken = untested_factor("cube", values.width_mm, design.grade_mpa)
        size_factor("cube", values.width_mm, design.grade_mpa, stated=taken)
    except RuleInputError as error:
        raise refuse(
            "width_mm",
            _(
                "%(value)s is not accepted; accepted: %(what)s",
                value=values.width_mm,
                what=told(error.accepted),
            ),
            values.width_mm,
        ) from None


def _require_lots_of_their_kind(values: BatchIn | BatchEdit) -> None:
    """Slag powder is no fly ash, whichever field it was chosen in. Raises: Refused, naming each that is of another kind."""
    problems = []
    session = current_session()
    for field, (model, wanted) in KINDS_OF_LOTS.items():
        lot = session.get(model, key) if (key := getattr(values, field)) is not None else None
        if lot is not None and lot.kind not in wanted:
            kinds = SCM_KINDS if model is ScmLot else ADMIXTURE_KINDS
            what = _(", ").join(str(kinds[kind]) for kind in wanted)
            message = _("is of the kind %(kind)s; accepted: %(what)s", kind=kinds[lot.kind], what=what)
            problems.append(Problem(field, message, lot.code))
    key = values.coarse_aggregate_sample_id
    sample = session.get(AggregateSample, key) if key is not None else None
    if sample is not None and sample.aggregate_source.kind != "coarse":
        kinds = AGGREGATE_KINDS
        message = _("is of the kind %(kind)s; accepted: %(what)s", kind=kinds["fine"], what=kinds["coarse"])
        problems.append(Problem("coarse_aggregate_sample_id", message, sample.code))
    if problems:
        raise Refused(problems)


def _ask(record: Batch, noticed: Sequence[Noticed], values: BatchIn | BatchEdit) -> None:
    """Keep the answers beside what was noticed. Raises: Refused, naming each that has none."""
    unanswered = [item for item in noticed if not getattr(values, ANSWERS[item.kind])]
    if unanswered:
        raise Refused(
            [
                Problem(
                    ANSWERS[item.kind],
                    item.message + " " + _("Answer why it is used, or choose another."),
                    item.about,
                )
                for item in unanswered
            ]
        )
    for item in noticed:
        answer = getattr(values, ANSWERS[item.kind])
        kept = BatchWarning(kind=item.kind, about=item.message[:200], answer=answer)
        kept.aggregate_sample_id = item.aggregate_sample_id
        record.warnings.append(kept)


def add_set(
    batch: Batch,
    age_days: int,
    number: int,
    specimens: Sequence[tuple[str, Decimal | None]],
    cast_at: datetime | None,
    *,
    purpose: str = "plan",
    numbers: Sequence[int] = (),
) -> SpecimenSet:
    """A set with its codes and due window; held and reserved sets (age 0) get theirs later. `numbers` of the specimens:
    counted from 1 unless given. Inside a transaction."""
    code = (
        f"{batch.code}-{age_days:02d}d-{number}"
        if purpose == "plan"
        else f"{batch.code}-{purpose[0].upper()}{number}"
    )
    age_code = laboratory().codes.age_code  # read before the set exists: a query would flush it half made
    found = SpecimenSet(
        batch=batch,
        code=code,
        age_days=age_days,
        number=number,
        purpose=purpose,
        state="waiting" if age_days else "held",
    )
    _plan_due(found, cast_at, age_code)
    for index, (shape, width_mm) in zip(numbers or range(1, len(specimens) + 1), specimens, strict=True):
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


def _plan_due(found: SpecimenSet, cast_at: datetime | None, age_code: str) -> None:
    """The window of the age by the laboratory's codes, the day itself where they state none; none while the set is held."""
    found.due_from = found.due_at = found.due_until = None
    if cast_at is not None and found.age_days:
        found.due_from, found.due_at, found.due_until = due_window(age_code, found.age_days, cast_at)
        if found.due_from == found.due_until:  # 14 d: no set is past its tolerance a second after it is due
            day = local_day(found.due_at)
            found.due_from = day_begins(day)
            found.due_until = day_begins(day + timedelta(days=1)) - timedelta(seconds=1)


def hold_batch_of(session: Session, set_id: int) -> None:
    """A set's batch before the set, as who takes the batch out of use or certifies it: of two sets at once the second has
    the next number."""
    batch_id = select(SpecimenSet.batch_id).where(SpecimenSet.id == set_id).scalar_subquery()
    session.execute(select(Batch.id).where(Batch.id == batch_id).with_for_update(key_share=True))


class SpecimenSetService(RecordService[SpecimenSet]):
    record = SpecimenSet
    schema = SpecimenSetEdit
    search_columns = ("code",)
    filter_columns = ("batch_id", "age_days", "state", "purpose", "curing_tank_id")
    order_columns = ("code", "age_days", "due_at", "state")
    shown_relations = ("batch", "curing_tank", "retest_of")
    left_out_of_lists = ("specimens", "retest_of.specimens")
    default_order = "due_at"
    writable = False

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_within(SpecimenSet.batch_id, Batch, batches_of_seen(Batch.trial_id))

    def use_held(self, set_id: int, data: Mapping[str, Any], actor: Actor) -> SpecimenSet:
        """Break a held or reserved set at this age: it enters the due list. Raises: NotFound, Refused."""
        values = HeldSetIn.read(data)
        with transaction(actor, "held set used") as session:
            hold_batch_of(session, set_id)
            found = self._held(session, set_id)
            taken = session.scalar(
                select(func.max(SpecimenSet.number)).where(
                    SpecimenSet.batch_id == found.batch_id, SpecimenSet.age_days == values.age_days
                )
            )
            found.age_days = values.age_days
            found.number = (taken or 0) + 1
            found.state = "waiting"
            _plan_due(found, found.batch.cast_at, laboratory().codes.age_code)
            if found.due_until is not None and found.due_until < utc_now():
                raise refuse(
                    "age_days",
                    _(
                        "is past: the window ended %(time)s; accepted: an age still to come",
                        time=show_time(found.due_until),
                    ),
                    values.age_days,
                )
            self._flush(session, found)
        return found

    def discard(self, set_id: int, data: Mapping[str, Any], actor: Actor) -> SpecimenSet:
        """Throw the specimens of a held set away; their codes stay. Raises: NotFound, Refused."""
        values = DiscardIn.read(data)
        with transaction(actor, values.reason) as session:
            found = self._held(session, set_id)
            found.state, found.discarded_at, found.discard_reason = "discarded", utc_now(), values.reason
            self._flush(session, found)
        return found

    def _held(self, session: Any, set_id: int) -> SpecimenSet:
        found = locked_row(SpecimenSet, set_id)
        if found is None:
            raise NotFound(f"specimen-sets {set_id}")
        if found.state != "held":
            raise refuse(
                "state", _("is %(state)s; accepted: a held set", state=SET_STATES[found.state]), found.code
            )
        return found


class SpecimenService(RecordService[Specimen]):
    record = Specimen
    schema = SpecimenSetEdit
    search_columns = ("code",)
    filter_columns = ("specimen_set_id", "shape")
    order_columns = ("code", "number")
    shown_relations = ("specimen_set",)
    left_out_of_lists = ("specimen_set.specimens",)
    writable = False

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_within(
            Specimen.specimen_set_id,
            SpecimenSet,
            seen_within(SpecimenSet.batch_id, Batch, batches_of_seen(Batch.trial_id)),
        )


class ShotcreteTrialService(RecordService[ShotcreteTrial]):
    record = ShotcreteTrial
    schema = ShotcreteTrialIn
    search_columns = ("trial.code", "trial.name")
    filter_columns = ("trial_id", "batch_id", "surface", "outcome")
    order_columns = ("sprayed_on", "rebound_percent")
    shown_relations = ("trial", "batch", "accelerator_lot")
    default_order = "-sprayed_on"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return batches_of_seen(ShotcreteTrial.trial_id)

    def before_add(self, record: ShotcreteTrial, values: ShotcreteTrialIn, actor: Actor) -> None:
        self.check(record)
        self._judge(record, values)

    def before_edit(self, record: ShotcreteTrial, values: ShotcreteTrialIn, actor: Actor) -> None:
        self._judge(record, values)

    def check(self, record: ShotcreteTrial) -> None:
        require_past("sprayed_on", record.sprayed_on)

    def _judge(self, record: ShotcreteTrial, values: ShotcreteTrialIn) -> None:
        """Rebound, setting and curing against the limits in force on the day of spraying, which are kept with the record: a
        value that is corrected later is judged by what judged it, whatever edition was written since. Where nothing of what
        is judged changed, the verdict stays: the limits of what was judged before they were kept are known to nobody."""
        judged = ("sprayed_on", "sprayed_kg", "rebound_kg", "initial_set_min", "final_set_min", "curing_days")
        if record.id is not None and all(getattr(record, name) == getattr(values, name) for name in judged):
            return
        checks: list[Check] = []
        limits = shotcrete_limits(values.sprayed_on)
        if record.id is not None and record.sprayed_on == values.sprayed_on:
            limits = ShotcreteLimits(
                _or(record.rebound_limit_percent, limits.rebound_percent),
                _or(record.initial_set_limit_min, limits.initial_set_min),
                _or(record.final_set_limit_min, limits.final_set_min),
                _or(record.least_curing_days, limits.curing_days),
            )
        record.rebound_percent = record.rebound_limit_percent = None
        record.initial_set_limit_min = record.final_set_limit_min = record.least_curing_days = None
        try:
            if values.sprayed_kg is not None and values.rebound_kg is not None:
                checks.append(rebound_check(values.sprayed_kg, values.rebound_kg, limits.rebound_percent))
                exact = rebound_percent(values.sprayed_kg, values.rebound_kg)
                record.rebound_percent = round_half_even(exact, Decimal("0.1"))
                record.rebound_limit_percent = limits.rebound_percent
            if values.initial_set_min is not None and values.final_set_min is not None:
                checks += setting_checks(
                    values.initial_set_min, values.final_set_min, limits.initial_set_min, limits.final_set_min
                )
                record.initial_set_limit_min = limits.initial_set_min
                record.final_set_limit_min = limits.final_set_min
            if values.curing_days is not None:
                checks.append(curing_check(values.curing_days, limits.curing_days))
                record.least_curing_days = limits.curing_days
        except RuleInputError as error:
            raise refuse(error.field, told_refusal(error)) from None
        record.outcome = None if not checks else "passed" if all_passed(checks) else "failed"


def _or(kept: Any, otherwise: Any) -> Any:
    return otherwise if kept is None else kept


class CuringTankService(RecordService[CuringTank]):
    record = CuringTank
    schema = CuringTankIn
    search_columns = ("code", "name")
    order_columns = ("code", "name")
    default_order = "code"


class CuringReadingService(RecordService[CuringReading]):
    record = CuringReading
    schema = CuringReadingIn
    filter_columns = ("curing_tank_id", "batch_id")
    order_columns = ("read_at", "temperature_c")
    shown_relations = ("curing_tank", "batch")
    default_order = "-read_at"

    def check(self, record: CuringReading) -> None:
        require_read(record.read_at)
