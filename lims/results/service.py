"""Every write about results: a set's breaks, corrections, verification, release.

One break's way, whether typed, posted or imported: schema -> here -> lims.standards.specimens (decimal) -> tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, Select, Update, bindparam, func, select, update
from sqlalchemy.orm import Session, joinedload, selectinload

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import (
    among_given,
    current_session,
    database,
    insert_rows,
    one_or_many,
    transaction,
)
from lims.base.display import format_decimal, local_day, show_time
from lims.base.laboratory import CodeFamily, laboratory
from lims.base.problems import Conflict, NotFound, Problem, refuse
from lims.base.records import stamps
from lims.base.schemas import Schema
from lims.base.services import SERVICES, RecordService
from lims.base.signatures import CONTENTS, sign
from lims.base.words import told_refusal
from lims.customers.regions import seen_within
from lims.mixes.models import MixDesign, MixRevision
from lims.results.due import WAITS, SetSpecimen, specimens_of
from lims.results.events import First, Written, result_written
from lims.results.models import (
    Break,
    Calibration,
    Mould,
    Press,
    PressFile,
    PressMapping,
    PressRow,
    Scale,
    SetResult,
)
from lims.results.schemas import (
    RESULT_STATES,
    CalibrationIn,
    MouldIn,
    PressIn,
    PressMappingIn,
    ScaleIn,
    SetBreaksApiIn,
    SetBreaksIn,
)
from lims.results.triggers import FIXED_OF_BREAKS, FIXED_OF_RESULTS, REPORTED_RULE
from lims.standards.errors import RuleInputError
from lims.standards.specimens import (
    CYLINDER_SIZE_FACTORS,
    SAMPLE_RULES,
    SetVerdict,
    age_tolerance,
    compressive_strength,
    cube_set,
    cylinder_set,
    mean_of_cylinders,
    mean_of_sample,
    untested_factor,
)
from lims.trials.models import Batch, Specimen, SpecimenSet
from lims.trials.schemas import SET_STATES, SpecimenSetEdit
from lims.trials.service import add_set, hold_batch_of

#: Breaks keep 0.0001 MPa; a verdict is always computed from loads.
KEPT_MPA = Decimal("0.0001")
#: Rule that gives a result -> its edition; what another laboratory reported has none.
EDITIONS = {
    "gbt50081-2019/cube-set": "GB/T 50081-2019",
    "gbt50081-2019/cylinder-set": "GB/T 50081-2019",
    "aci318/strength-test": "ACI 318-19",
    **dict.fromkeys(SAMPLE_RULES.values(), "EN 206:2013+A2:2021"),
    REPORTED_RULE: "-",
}
#: A clock of a laboratory PC may run a little ahead.
CLOCK_SLACK = timedelta(minutes=10)


class PressService(RecordService[Press]):
    record = Press
    schema = PressIn
    search_columns = ("code", "name", "serial_number")
    order_columns = ("code", "name", "capacity_kn")
    default_order = "code"


class ScaleService(RecordService[Scale]):
    record = Scale
    schema = ScaleIn
    search_columns = ("code", "name", "serial_number")
    order_columns = ("code", "name", "capacity_kg")
    default_order = "code"


class CalibrationService(RecordService[Calibration]):
    record = Calibration
    schema = CalibrationIn
    search_columns = ("certificate_number", "calibrated_by")
    filter_columns = ("press_id", "scale_id", "mould_id")
    order_columns = ("calibrated_on", "due_on", "certificate_number")
    shown_relations = ("press", "scale", "mould")
    default_order = "-calibrated_on"


class MouldService(RecordService[Mould]):
    record = Mould
    schema = MouldIn
    search_columns = ("code",)
    filter_columns = ("shape",)
    order_columns = ("code", "width_mm")
    default_order = "code"


class PressMappingService(RecordService[PressMapping]):
    record = PressMapping
    schema = PressMappingIn
    search_columns = ("code",)
    filter_columns = ("press_id",)
    order_columns = ("code",)
    shown_relations = ("press",)
    default_order = "code"


class PressFileService(RecordService[PressFile]):
    """Files are read by lims/results/press_files.py."""

    record = PressFile
    schema = SpecimenSetEdit
    search_columns = ("name", "sha256")
    filter_columns = ("press_mapping_id",)
    order_columns = ("created_at", "name")
    shown_relations = ("press_mapping",)
    writable = False


class PressRowService(RecordService[PressRow]):
    """Rows become breaks or wait in the tray: lims/results/press_files.py."""

    record = PressRow
    schema = SpecimenSetEdit
    search_columns = ("code",)
    filter_columns = ("press_file_id", "state")
    order_columns = ("id", "code", "tested_at")
    shown_relations = ("press_file", "specimen")
    writable = False


class BreakService(RecordService[Break]):
    record = Break
    schema = SpecimenSetEdit
    search_columns = ("specimen.code", "tested_by")
    filter_columns = ("specimen_id", "press_id", "reported", "superseded")
    order_columns = ("tested_at", "strength_mpa", "load_kn", "age_hours")
    shown_relations = ("specimen", "press")
    writable = False

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_within(Break.specimen_id, Specimen, SERVICES["specimens"].visible())


class SetResultService(RecordService[SetResult]):
    record = SetResult
    schema = SetBreaksApiIn
    search_columns = ("specimen_set.code",)
    filter_columns = ("specimen_set_id", "state", "basis", "rule_id", "superseded")
    order_columns = ("created_at", "strength_mpa", "state")
    shown_relations = ("specimen_set",)
    retirable = False  # it is retracted, with a reason and a signature

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_within(SetResult.specimen_set_id, SpecimenSet, SERVICES["specimen-sets"].visible())

    def add(self, data: Mapping[str, Any] | Schema, actor: Actor) -> SetResult:
        """REST's way in: the same as typing the set."""
        values = data if isinstance(data, SetBreaksApiIn) else SetBreaksApiIn.read(dict(data))
        return record_set(values.specimen_set_id, values, actor)


def get_set(set_id: int) -> SpecimenSet:
    """The set with its specimens and batch. Raises: NotFound."""
    query = (
        select(SpecimenSet)
        .where(SpecimenSet.id == set_id)
        .options(
            joinedload(SpecimenSet.batch).joinedload(Batch.mix_revision).joinedload(MixRevision.mix_design),
            selectinload(SpecimenSet.specimens),
        )
    )
    found = current_session().scalars(query).unique().one_or_none() if 0 < set_id < 2**63 else None
    if found is None:
        raise NotFound(f"specimen-sets {set_id}")
    return found


def breaks_of(specimen_ids: Sequence[int]) -> dict[int, Break]:
    """specimen id -> its break that counts."""
    query = (
        select(Break)
        .where(Break.specimen_id.in_(specimen_ids), Break.superseded_at.is_(None))
        .options(joinedload(Break.press))
    )
    return {found.specimen_id: found for found in current_session().scalars(query)}


_RESULT_OF = select(SetResult).where(
    SetResult.specimen_set_id == bindparam("set_id"), SetResult.superseded_at.is_(None)
)


def result_of(set_id: int) -> SetResult | None:
    """The result that counts, or None."""
    return current_session().scalars(_RESULT_OF, {"set_id": set_id}).one_or_none()


def retracted_result(set_id: int) -> SetResult | None:
    """The last result of this set that was taken back, or None."""
    query = select(SetResult).where(SetResult.specimen_set_id == set_id, SetResult.state == "retracted")
    return current_session().scalars(query.order_by(SetResult.number.desc()).limit(1)).one_or_none()


@dataclass(frozen=True, slots=True)
class SetFacts:
    """What judging and recording a set needs to know of it: one set from the session, or thousands in few statements."""

    id: int
    code: str
    state: str
    age_days: int
    batch_id: int
    cast_at: datetime | None
    mix_design_id: int
    grade_mpa: Decimal | None
    specimens: tuple[SetSpecimen, ...]

    @classmethod
    def of(cls, found: SpecimenSet) -> SetFacts:
        return cls(
            found.id,
            found.code,
            found.state,
            found.age_days,
            found.batch_id,
            found.batch.cast_at,
            found.batch.mix_revision.mix_design_id,
            found.batch.mix_revision.mix_design.grade_mpa,
            tuple(SetSpecimen(s.id, s.code, s.shape, s.width_mm) for s in found.specimens),
        )


@dataclass(frozen=True, slots=True)
class _Statements:
    """What is asked and said of sets, by the thousand or of one, made once for each kind of database."""

    facts: Select[Any]
    results: Select[Any]
    taken: Update

    @classmethod
    @lru_cache(maxsize=4)
    def of(cls, dialect: str, *, one: bool) -> _Statements:
        # The tables' own columns: of thousands of rows the mapper takes half of the time.
        sets, batches = SpecimenSet.__table__, Batch.__table__
        revisions, designs = MixRevision.__table__, MixDesign.__table__
        facts = (
            select(
                *(sets.c[name] for name in ("id", "code", "state", "age_days", "batch_id")),
                batches.c.cast_at,
                designs.c.id,
                designs.c.grade_mpa,
            )
            .join_from(sets, batches, batches.c.id == sets.c.batch_id)
            .join(revisions, revisions.c.id == batches.c.mix_revision_id)
            .join(designs, designs.c.id == revisions.c.mix_design_id)
            .where(among_given(sets.c.id, "keys", dialect, one=one))
            .order_by(sets.c.id)
        )
        results = select(SetResult).where(
            among_given(SetResult.specimen_set_id, "keys", dialect, one=one),
            SetResult.superseded_at.is_(None),
        )
        taken = (
            update(sets)
            # In the text, not as a parameter: by one, SQLite plans the statement and its triggers anew each time.
            .where(among_given(sets.c.id, "keys", dialect, one=one), sets.c.state == WAITS)
            .values(
                state="broken",
                version=sets.c.version + 1,
                changed_at=bindparam("now", type_=sets.c.changed_at.type),
                changed_by=bindparam("who", type_=sets.c.changed_by.type),
            )
        )
        return cls(facts, results, taken)


def _statements_of(set_ids: Sequence[int]) -> tuple[_Statements, dict[str, Any]]:
    """The statements about these sets, and what names them there."""
    one, asked = one_or_many(set_ids)
    return _Statements.of(current_session().get_bind().dialect.name, one=one), {"keys": asked}


def facts_of_sets(set_ids: Iterable[int]) -> dict[int, SetFacts]:
    """Set id -> its facts: two statements, however many sets."""
    keys = sorted(key for key in set(set_ids) if 0 < key < 2**63)
    statements, asked = _statements_of(keys)
    connection = current_session().connection()
    rows = connection.execute(statements.facts, asked).all()
    specimens = specimens_of(keys)
    return {
        key: SetFacts(
            key, code, state, age, batch_id, cast_at, mix_design_id, grade_mpa, tuple(specimens[key])
        )
        for key, code, state, age, batch_id, cast_at, mix_design_id, grade_mpa in rows
    }


def results_of_sets(set_ids: Iterable[int]) -> dict[int, SetResult]:
    """Set id -> the result that counts."""
    statements, asked = _statements_of(sorted(set(set_ids)))
    found = current_session().scalars(statements.results, asked)
    return {result.specimen_set_id: result for result in found.all()}


def judge(
    specimens: Sequence[Specimen | SetSpecimen], entry: SetBreaksIn, grade_mpa: Decimal | None
) -> SetVerdict:
    """The set's verdict from exact numbers. Raises: Refused with the rule's own words."""
    if entry.strengths_mpa is not None:
        values = entry.strengths_mpa
        mean = sum(values, Decimal(0)) / len(values)
        return SetVerdict(
            mean.quantize(Decimal("0.001"), ROUND_HALF_EVEN), "mean", tuple(values), REPORTED_RULE
        )
    loads = entry.loads_kn or ()
    shapes = {(specimen.shape, specimen.width_mm) for specimen in specimens}
    if len(shapes) != 1:
        raise refuse("loads_kn", _("the specimens of the set differ in shape or size; accepted: one of each"))
    shape, width_mm = shapes.pop()
    if width_mm is None:
        raise refuse("loads_kn", _("the specimens' size is not known; accepted: strengths as reported"))
    judging = judged_by(specimens, laboratory().codes)
    try:
        if judging == "range":
            return mean_of_sample(shape, width_mm, loads)
        if shape == "cube":
            if len(loads) != 3:
                raise refuse(
                    "loads_kn",
                    _(
                        "%(n)s loads; accepted: three, as the rule of GB/T 50081 judges sets of three",
                        n=len(loads),
                    ),
                )
            return cube_set(width_mm, loads, grade_mpa, untested_factor(shape, width_mm, grade_mpa))
        if judging == "cube-set":
            return cylinder_set(width_mm, loads)
        strengths = [compressive_strength(load, shape, width_mm) for load in loads]
        return mean_of_cylinders(strengths, width_mm)
    except RuleInputError as error:
        field = "loads_kn" if error.field in {"load_kn", "strengths_mpa"} else error.field
        raise refuse(field, told_refusal(error)) from None


def judged_by(specimens: Sequence[Specimen | SetSpecimen], codes: CodeFamily) -> str:
    """How these codes judge a set: "range" under EN 206; else "cube-set" (the 15 % rule) of cubes, and under
    the codes of China of three cylinders; "mean" of others of cylinders, strength tests of ACI 318."""
    first = specimens[0] if specimens else None
    if first is None:
        return "mean"
    if codes.by_samples and first.shape in SAMPLE_RULES:
        return "range"
    if first.shape == "cube":
        return "cube-set"
    of_three = len(specimens) == 3 and first.width_mm in CYLINDER_SIZE_FACTORS
    by_middle = first.shape == "cylinder" and of_three and codes.rate_code == "gbt50081-2019"
    return "cube-set" if by_middle else "mean"


class Recorded(NamedTuple):
    """The result of a set, and what was judged of the entry (None when it was there before)."""

    result: SetResult
    facts: SetFacts
    judged: Judged | None


def record_set(set_id: int, entry: SetBreaksIn, actor: Actor, *, typed: bool = True) -> SetResult:
    """Breaks and result of a set, in one write. Who types loads is who tested, unless the entry names another; not `typed`,
    an entry that names nobody has no tester.

    The same entry sent twice gives the same result once; a different one is a Conflict with both values.
    Raises: NotFound, Refused, Conflict.
    """
    return record_telling(set_id, entry, actor, typed=typed).result


def record_telling(set_id: int, entry: SetBreaksIn, actor: Actor, *, typed: bool = True) -> Recorded:
    """Like `record_set`, for who wants to say more of the entry."""
    if typed:
        entry = _typed_by(actor, entry)
    with transaction(actor, "breaks") as session:
        if not database().is_sqlite:  # which has one writer
            _lock(session, set_id)
        entries = SetEntries(facts_of_sets([set_id]))
        earlier = entries.results.get(set_id)
        if earlier is not None:
            same = _same_or_conflict(get_set(set_id), earlier, entry)
            return Recorded(same, entries.facts[set_id], None)
        judged = entries.check(set_id, entry)
        entries.write(actor)
        written = result_of(set_id)
        assert written is not None  # by the line before
        return Recorded(written, entries.facts[set_id], judged)


class SetEntries:
    """Entries of one set or of thousands on their way in: facts fetched in few statements, each entry checked once, all
    written at once, with the tester that each names or none. Inside a transaction."""

    def __init__(self, facts: Mapping[int, SetFacts]) -> None:
        self.facts = facts
        #: Results that count already.
        self.results = results_of_sets(self.facts)
        self._presses: dict[int, PressFacts] | None = None
        self._ready: dict[int, tuple[SetBreaksIn, Judged]] = {}

    def check(self, set_id: int, entry: SetBreaksIn) -> Judged | None:
        """Keep the entry for writing; one that is stored already is left as it is (None). Raises: NotFound, Refused,
        Conflict."""
        found = self.facts.get(set_id)
        if found is None:
            raise NotFound(f"specimen-sets {set_id}")
        if set_id in self._ready:
            raise refuse("specimen_set_id", _("is given twice"), found.code)
        if set_id in self.results:
            _same_or_conflict(get_set(set_id), self.results[set_id], entry)
            return None
        require_waiting(found)
        if entry.press_id is not None and self._presses is None:
            self._presses = facts_of_presses(current_session(), None)
        judged = assess(found, entry, self._presses or {})
        self._ready[set_id] = (entry, judged)
        return judged

    def write_telling(self, actor: Actor) -> dict[int, dict[int, int]]:
        """Like `write`. Returns: set id -> {specimen id: break id}. Raises: Conflict."""
        session = current_session()
        last_id: int = session.scalar(select(func.max(Break.id))) or 0
        self.write(actor)
        of_set = {specimen.id: key for key in self._ready for specimen in self.facts[key].specimens}
        return _breaks_after(session, last_id, of_set) if of_set else {}

    def write(self, actor: Actor) -> None:
        """Breaks and results of what was checked; forecasts are asked for once a batch. The sets stay locked till the end.

        Raises: Conflict when another was faster.
        """
        if not self._ready:
            return
        session = current_session()
        session.flush()  # what the session holds comes before these statements
        stamped = stamps(actor)
        statements, asked = _statements_of(sorted(self._ready))
        asked |= {"now": stamped["created_at"], "who": actor.key}
        taken = session.connection().execute(statements.taken, asked).rowcount
        if taken != len(self._ready):  # PostgreSQL lets another writer in between reading and this
            raise Conflict(next(iter(self._ready)))
        breaks: list[dict[str, Any]] = []
        results: list[dict[str, Any]] = []
        for set_id, (entry, judged) in self._ready.items():
            keys = [(specimen.id, 1) for specimen in self.facts[set_id].specimens]
            breaks += _break_values(entry, judged, keys)
            results.append(_result_values(entry, judged, set_id, 1, None))
        insert_rows(session.connection(), Break.__table__, breaks, stamped)
        insert_rows(session.connection(), SetResult.__table__, results, stamped)
        for read in list(session):
            if isinstance(read, SpecimenSet) and read.id in self._ready:  # it says what was before
                session.refresh(read, ("state", "version", "changed_at", "changed_by"))
        first: dict[tuple[int, int], list[First]] = defaultdict(list)
        for set_id, (_entry, judged) in self._ready.items():
            found = self.facts[set_id]
            first[found.batch_id, found.mix_design_id].append((found.age_days, judged.verdict.strength_mpa))
        for (batch_id, mix_design_id), came in sorted(first.items()):
            result_written(Written(batch_id, mix_design_id, came))


def _breaks_after(session: Session, last_id: int, of_set: Mapping[int, int]) -> dict[int, dict[int, int]]:
    """Set id -> {specimen id: break id} of the breaks that this transaction has just written; `of_set`: specimen -> set.
    On PostgreSQL others may write at the same time, of other sets: these are locked."""
    written: dict[int, dict[int, int]] = {}
    of_breaks = Break.__table__.c
    for specimen_id, break_id in session.execute(
        select(of_breaks.specimen_id, of_breaks.id).where(of_breaks.id > last_id).order_by(of_breaks.id)
    ):
        if specimen_id in of_set:
            written.setdefault(of_set[specimen_id], {})[specimen_id] = break_id
    return written


def require_waiting(found: SetFacts | SpecimenSet) -> None:
    """Raises: Refused for a set that is held, broken or discarded."""
    if found.state != "waiting":
        raise refuse(
            "specimen_set_id",
            _("is %(state)s; accepted: a set that waits to be broken", state=SET_STATES[found.state]),
            found.code,
        )


def correct_set(set_id: int, entry: SetBreaksIn, result_number: int, actor: Actor, reason: str) -> SetResult:
    """Replace an entry before it is released; the old breaks and the old result stay readable.

    `result_number` is the result's number that was seen. Raises: NotFound, Refused, Conflict.
    """
    return _replace(set_id, entry, result_number, actor, reason, released=False)


def amend_set(set_id: int, entry: SetBreaksIn, result_number: int, actor: Actor, reason: str) -> SetResult:
    """Replace a released result: the new one is verified and released anew, the old one stays readable as it was.

    Raises: NotFound, Refused, Conflict.
    """
    return _replace(set_id, entry, result_number, actor, reason, released=True)


def _replace(
    set_id: int, entry: SetBreaksIn, result_number: int, actor: Actor, reason: str, *, released: bool
) -> SetResult:
    reason = reason.strip()
    if not reason:
        raise refuse("reason", _("is required: why the entry is corrected"))
    with transaction(actor, reason) as session:
        found = _locked_set(session, set_id)
        present = result_of(set_id)
        if present is None:
            raise refuse(
                "specimen_set_id", _("has no result yet; accepted: a set that was entered"), found.code
            )
        if not released and present.state == "released":
            raise refuse(
                "specimen_set_id", _("was released; accepted: an amendment with a new report"), found.code
            )
        if released and present.state != "released":
            raise refuse("specimen_set_id", _("is not released; accepted: a correction"), found.code)
        if present.number != result_number:
            raise _conflict(found, present, entry)
        now = utc_now()
        present.superseded_at = now
        broken = breaks_of([s.id for s in found.specimens])
        for item in broken.values():
            item.superseded_at = now
        session.flush()
        if released:
            sign(session, present, "amended", actor, reason)
        first = next(iter(broken.values()))
        # Who corrects an entry did not test: whom it does not name anew is who was named.
        entry = entry.model_copy(update={"tested_by": entry.tested_by or first.tested_by})
        return _write(
            session, found, entry, number=present.number + 1, reason=reason, standing_press_id=first.press_id
        )


def verify(set_id: int, actor: Actor, *, result_number: int | None = None) -> SetResult:
    """A second person confirms the entry. `result_number`: the result's number that was seen; None: whichever counts.

    Raises: NotFound, Refused, Conflict.
    """
    with transaction(actor, "verified") as session:
        found = _locked_set(session, set_id)
        result = _require_state(found, "entered", result_number)
        if result.created_by == actor.key:
            raise refuse("verified_by", _("entered it too; accepted: another person"), actor.label)
        result.state, result.verified_by, result.verified_at = "verified", actor.key, utc_now()
        sign(session, result, "verified", actor)
    return result


def release(set_id: int, actor: Actor, *, result_number: int | None = None) -> SetResult:
    """The result may leave the laboratory. `result_number` as for `verify`. Raises: NotFound, Refused, Conflict."""
    with transaction(actor, "released") as session:
        found = _locked_set(session, set_id)
        result = _require_state(found, "verified", result_number)
        result.state, result.released_by, result.released_at = "released", actor.key, utc_now()
        sign(session, result, "released", actor)
    return result


def retract(
    set_id: int,
    reason: str,
    actor: Actor,
    *,
    held_set_id: int | None = None,
    age_days: int | None = None,
    result_number: int | None = None,
) -> SetResult:
    """Take a released result back; a held set of the same batch may be broken in its place.

    The set stays broken and has no result that counts; until a retest is planned it stands among those that want one.
    `result_number` as for `verify`. Raises: NotFound, Refused, Conflict.
    """
    if not reason.strip():
        raise refuse("reason", _("is required: why the result is retracted"))
    with transaction(actor, reason) as session:
        if held_set_id is not None:
            hold_batch_of(session, set_id)
        found = _locked_set(session, set_id)
        result = _require_state(found, "released", result_number)
        now = utc_now()
        result.state, result.retracted_by, result.retracted_at = "retracted", actor.key, now
        result.retract_reason, result.superseded_at = reason.strip()[:400], now
        for item in breaks_of([s.id for s in found.specimens]).values():
            item.superseded_at = now
        sign(session, result, "retracted", actor, reason.strip())
        if held_set_id is not None:
            plan_retest(set_id, held_set_id, age_days or found.age_days, actor)
        result_written(Written(found.batch_id, found.batch.mix_revision.mix_design_id))
    return result


def plan_retest(set_id: int, held_set_id: int, age_days: int, actor: Actor) -> SpecimenSet:
    """Break a held set of the same batch in place of one whose result was retracted. Raises: NotFound, Refused."""
    with transaction(actor, "retest") as session:
        hold_batch_of(session, set_id)
        found = _locked_set(session, set_id)
        held = get_set(held_set_id)
        if held_set_id == set_id:
            raise refuse(
                "held_set_id", _("is the set itself; accepted: another, held set of this batch"), held.code
            )
        if held.batch_id != found.batch_id:
            raise refuse(
                "held_set_id", _("is of another batch; accepted: a held set of this batch"), held.code
            )
        if result_of(set_id) is not None:
            raise refuse(
                "specimen_set_id", _("has a result; accepted: a set whose result was retracted"), found.code
            )
        if retracted_result(set_id) is None:
            raise refuse(
                "specimen_set_id",
                _("has no result that was retracted; accepted: a set whose result was retracted"),
                found.code,
            )
        planned = select(SpecimenSet.code).where(SpecimenSet.retest_of_id == set_id).limit(1)
        if (code := session.scalar(planned)) is not None:
            raise refuse(
                "specimen_set_id",
                _("has its retest already: %(set)s; accepted: a set without one", set=code),
                found.code,
            )
        retest = SERVICES["specimen-sets"].use_held(held_set_id, {"age_days": age_days}, actor)  # type: ignore[attr-defined]
        retest.purpose, retest.retest_of_id = "retest", set_id
        session.flush()
    return retest  # type: ignore[no-any-return]


def record_history(
    batch: Batch,
    ages: Sequence[tuple[int, Sequence[Decimal]]],
    shape: str,
    width_mm: Decimal | None,
    actor: Actor,
    numbers: Mapping[int, Sequence[int]] = {},
) -> int:
    """Strengths that were reported long ago, one set an age: the one way in on which a result counts as released at once.
    `numbers`: those of the specimens by age, where some are left out, as of a cube that was lost. Returns the number of
    specimens written. Raises: Refused."""
    with transaction(actor, "history") as session:
        entries = [
            (
                add_set(
                    batch,
                    age_days,
                    1,
                    [(shape, width_mm)] * len(strengths),
                    None,
                    numbers=numbers.get(age_days, ()),
                ),
                SetBreaksIn.read({"strengths_mpa": list(strengths)}),
            )
            for age_days, strengths in ages
        ]
        session.flush()
        for found, entry in entries:
            _put(session, found, entry, number=1, reason=None, state="released")
        session.flush()
    return sum(len(strengths) for _age_days, strengths in ages)


def signed_content(result_id: int) -> dict[str, Any]:
    """What a signature under a result covers: its fixed columns and those of the breaks that it rests on."""
    session = current_session()
    results, breaks = SetResult.__table__, Break.__table__
    wanted = [results.c[name] for name in FIXED_OF_RESULTS]
    result = session.execute(select(*wanted).where(results.c.id == result_id)).mappings().one()
    observed = session.execute(
        select(*(breaks.c[name] for name in FIXED_OF_BREAKS))
        .join(Specimen.__table__, Specimen.id == breaks.c.specimen_id)
        .where(Specimen.specimen_set_id == result["specimen_set_id"], breaks.c.number == result["number"])
        .order_by(breaks.c.specimen_id)
    ).mappings()
    return {"result": dict(result), "breaks": [dict(row) for row in observed]}


CONTENTS[SetResult.record_name] = signed_content


_LOCKED = (
    select(SpecimenSet.__table__.c.id)
    .where(SpecimenSet.__table__.c.id == bindparam("set_id"))
    .with_for_update()
)


def _lock(session: Session, set_id: int) -> None:
    """Whoever enters the same set waits. Raises: NotFound."""
    if not 0 < set_id < 2**63 or session.scalar(_LOCKED, {"set_id": set_id}) is None:
        raise NotFound(f"specimen-sets {set_id}")


def _locked_set(session: Session, set_id: int) -> SpecimenSet:
    _lock(session, set_id)
    return get_set(set_id)


def _require_state(found: SpecimenSet, state: str, seen: int | None) -> SetResult:
    """The result that counts, in this state; `seen` is the number of the one that the signer saw."""
    result = result_of(found.id)
    if result is not None and seen is not None and result.number != seen:
        raise Conflict(
            found.id,
            {"loads_kn": _shown(_values_of(found, result.number))},
            {"loads_kn": _shown(_values_of(found, seen))},
            result.number,
        )
    if result is None or result.state != state:
        raise refuse(
            "state",
            _(
                "is %(state)s; accepted: %(wanted)s",
                state=RESULT_STATES[result.state] if result is not None else _without_result(found),
                wanted=RESULT_STATES[state],
            ),
            found.code,
        )
    return result


def _without_result(found: SpecimenSet) -> str:
    """The state of a set no result of which counts, in words."""
    if retracted_result(found.id) is not None:
        return str(RESULT_STATES["retracted"])
    return str(SET_STATES[found.state])


@dataclass(frozen=True, slots=True)
class Judged:
    """An entry that was checked against its set: what is written about each specimen, and the verdict."""

    values: tuple[Decimal, ...]
    verdict: SetVerdict
    age_hours: Decimal | None
    age_within: bool | None


class PressFacts(NamedTuple):
    """What an entry is checked against: the largest load in kN, and since when the press is out of use."""

    code: str
    capacity_kn: Decimal | None
    retired_at: datetime | None


def facts_of_presses(session: Session, press_id: int | None) -> dict[int, PressFacts]:
    """Press id -> its facts, of one press or of all."""
    query = select(Press.id, Press.code, Press.capacity_kn, Press.retired_at)
    if press_id is not None:
        query = query.where(Press.id == press_id)
    return {
        key: PressFacts(code, capacity_kn, retired_at)
        for key, code, capacity_kn, retired_at in session.execute(query)
    }


def assess(
    found: SetFacts,
    entry: SetBreaksIn,
    presses: Mapping[int, PressFacts],
    standing_press_id: int | None = None,
) -> Judged:
    """Everything that is checked before a set is written, whatever way it came. `standing_press_id`: the press of the entry
    that this one corrects, which may be named again. Raises: Refused."""
    values = entry.loads_kn if entry.loads_kn is not None else entry.strengths_mpa or ()
    if len(values) != len(found.specimens):
        raise refuse(
            "loads_kn" if entry.loads_kn is not None else "strengths_mpa",
            _(
                "%(n)s values; accepted: %(wanted)s, one for each specimen",
                n=len(values),
                wanted=len(found.specimens),
            ),
        )
    verdict = judge(found.specimens, entry, found.grade_mpa)
    age_hours, within = _age(found, entry.tested_at)
    if entry.press_id is not None:
        if entry.press_id not in presses:
            raise refuse("press_id", _("there is no such record"), entry.press_id)
        press = presses[entry.press_id]
        if entry.press_id != standing_press_id:
            _in_use_then(press, entry.tested_at)
        _within_capacity(entry, press.capacity_kn)
    return Judged(values, verdict, age_hours, within)


def _in_use_then(press: PressFacts, tested_at: datetime | None) -> None:
    """What a press broke before it was put away may come in later. The day of that counts whole: clocks differ. Raises:
    Refused."""
    if press.retired_at is None or tested_at is None:
        return
    last = local_day(press.retired_at)
    if local_day(tested_at) > last:
        raise refuse(
            "press_id",
            _(
                "was put away on %(day)s; accepted: a press in use on the day of the test",
                day=last.isoformat(),
            ),
            press.code,
        )


def _within_capacity(entry: SetBreaksIn, capacity_kn: Decimal | None) -> None:
    """A load that the press cannot give was typed wrongly: 4010 for 401.0. Raises: Refused."""
    for position, load in enumerate(entry.loads_kn or (), start=1):
        if capacity_kn is not None and load > capacity_kn:
            raise refuse(
                "loads_kn",
                _(
                    "no. %(n)s: %(load)s kN is more than this press can give; accepted: up to %(capacity)s kN",
                    n=position,
                    load=format_decimal(load),
                    capacity=format_decimal(capacity_kn),
                ),
            )


def _typed_by(actor: Actor, entry: SetBreaksIn) -> SetBreaksIn:
    """The entry with who tested: whom it names, else who types the loads."""
    if entry.tested_by or entry.loads_kn is None:
        return entry
    return entry.model_copy(update={"tested_by": actor.label[:80]})


def _circumstances(entry: SetBreaksIn) -> dict[str, Any]:
    """What stands with every break of an entry, beside its load."""
    return {
        "press_id": entry.press_id,
        "tested_by": entry.tested_by,
        "tested_at": entry.tested_at,
        "loading_rate_mpa_s": entry.loading_rate_mpa_s,
        "remark": entry.remark,
    }


def _break_values(
    entry: SetBreaksIn, judged: Judged, keys: Sequence[tuple[int, int]]
) -> list[dict[str, Any]]:
    """The columns of each specimen's break; `keys`: the specimen's id and the break's number, in the set's order."""
    of_all = {
        "reported": entry.loads_kn is None,
        "age_hours": judged.age_hours,
        "age_within": judged.age_within,
        **_circumstances(entry),
    }
    return [
        {
            "specimen_id": specimen_id,
            "number": number,
            "load_kn": value if entry.loads_kn is not None else None,
            "strength_mpa": strength_mpa.quantize(KEPT_MPA, ROUND_HALF_EVEN),
            **of_all,
        }
        for (specimen_id, number), value, strength_mpa in zip(
            keys, judged.values, judged.verdict.specimen_strengths_mpa, strict=True
        )
    ]


def _result_values(
    entry: SetBreaksIn, judged: Judged, set_id: int, number: int, reason: str | None, state: str = "entered"
) -> dict[str, Any]:
    """The columns of the set's result. Strengths that another laboratory reports wait for a second person as loads do."""
    verdict = judged.verdict
    return {
        "specimen_set_id": set_id,
        "number": number,
        "rule_id": verdict.rule_id,
        "edition": EDITIONS[verdict.rule_id],
        "strength_mpa": verdict.strength_mpa,
        "basis": verdict.basis,
        "specimen_count": len(judged.values),
        "state": state,
        "reason": reason,
    }


def _write(
    session: Session,
    found: SpecimenSet,
    entry: SetBreaksIn,
    *,
    number: int,
    reason: str | None,
    standing_press_id: int | None,
) -> SetResult:
    result = _put(session, found, entry, number=number, reason=reason, standing_press_id=standing_press_id)
    session.flush()
    result_written(Written(found.batch_id, found.batch.mix_revision.mix_design_id))
    return result


def _put(
    session: Session,
    found: SpecimenSet,
    entry: SetBreaksIn,
    *,
    number: int,
    reason: str | None,
    state: str = "entered",
    standing_press_id: int | None = None,
) -> SetResult:
    """Breaks and result of a set into the session; whoever asks for it flushes."""
    presses = {} if entry.press_id is None else facts_of_presses(session, entry.press_id)
    judged = assess(SetFacts.of(found), entry, presses, standing_press_id)
    earlier: dict[int, int] = {}
    if number > 1:
        rows = session.execute(
            select(Break.specimen_id, func.max(Break.number))
            .where(Break.specimen_id.in_([s.id for s in found.specimens]))
            .group_by(Break.specimen_id)
        )
        earlier = {int(specimen_id): int(last) for specimen_id, last in rows}
    keys = [(specimen.id, earlier.get(specimen.id, 0) + 1) for specimen in found.specimens]
    session.add_all(Break(**values) for values in _break_values(entry, judged, keys))
    result = SetResult(**_result_values(entry, judged, found.id, number, reason, state))
    session.add(result)
    found.state = "broken"
    return result


def _age(found: SetFacts, tested_at: datetime | None) -> tuple[Decimal | None, bool | None]:
    cast_at = found.cast_at
    if tested_at is None or cast_at is None:
        return None, None
    if tested_at > utc_now() + CLOCK_SLACK:
        raise refuse("tested_at", _("lies in the future; accepted: a time up to now"), tested_at.isoformat())
    codes = laboratory().codes
    try:
        verdict = age_tolerance(codes.age_code, found.age_days, cast_at, tested_at)
    except RuleInputError as error:
        raise refuse(
            "tested_at",
            _("lies before casting; accepted: a time after %(cast)s", cast=show_time(cast_at)),
            error.value,
        ) from None
    within = verdict.within if codes.age_judged else None
    return verdict.age_hours.quantize(Decimal("0.01"), ROUND_HALF_EVEN), within


def _same_or_conflict(found: SpecimenSet, earlier: SetResult, entry: SetBreaksIn) -> SetResult:
    """A double click or a repeated request is not a second break."""
    breaks = breaks_of([s.id for s in found.specimens])
    in_order = [breaks[s.id] for s in found.specimens]
    if entry.loads_kn is not None:
        same = tuple(item.load_kn for item in in_order) == entry.loads_kn
    else:
        same = tuple(item.strength_mpa for item in in_order if item.reported) == entry.strengths_mpa
    if same and not _differing(in_order, entry):
        return earlier
    raise _conflict(found, earlier, entry)


def _differing(breaks: Iterable[Break], entry: SetBreaksIn) -> dict[str, tuple[str, str]]:
    """Name -> what is stored and what is given, where an entry's press, time, tester, rate or remark is another."""
    kinds = {item.name: item.kind for item in SetBreaksIn.inputs()}
    first = next(iter(breaks), None)
    return {
        name: (kinds[name].text(getattr(first, name)), kinds[name].text(given))
        for name, given in _circumstances(entry).items()
        if first is not None and getattr(first, name) != given
    }


def _conflict(found: SpecimenSet, present: SetResult, entry: SetBreaksIn) -> Conflict:
    """The loads of both, and what else differs."""
    yours = entry.loads_kn if entry.loads_kn is not None else entry.strengths_mpa or ()
    differing = _differing(breaks_of([s.id for s in found.specimens]).values(), entry)
    return Conflict(
        found.id,
        {"loads_kn": _shown(_values_of(found, present.number))}
        | {name: stored for name, (stored, _given) in differing.items()},
        {"loads_kn": _shown(yours)} | {name: given for name, (_stored, given) in differing.items()},
        present.number,
    )


def named(problem: Problem) -> str:
    """What is wrong, by the name that the pages have for its field; never that of the schema."""
    label = next((item.ui.label for item in SetBreaksApiIn.inputs() if item.name == problem.field), "")
    message = str(problem.message)
    return str(_("%(name)s: %(what)s", name=label, what=message)) if label else message


def besides_loads(conflict: Conflict) -> str:
    """What differs, in words, when the loads are the same; nothing when they differ themselves."""
    theirs, yours = conflict.theirs, conflict.yours
    if theirs.get("loads_kn") != yours.get("loads_kn"):
        return ""
    labels = {item.name: str(item.ui.label) for item in SetBreaksIn.inputs()}
    return str(_(", ")).join(labels[name] for name in theirs if theirs[name] != yours.get(name))


def _values_of(found: SpecimenSet, number: int) -> list[Decimal]:
    """Loads, or strengths as reported, that the set's result of this number rests on, in the order of its specimens."""
    rows = current_session().execute(
        select(Break.load_kn, Break.strength_mpa)
        .join(Specimen, Specimen.id == Break.specimen_id)
        .where(Specimen.specimen_set_id == found.id, Break.number == number)
        .order_by(Specimen.number)
    )
    return [strength_mpa if load_kn is None else load_kn for load_kn, strength_mpa in rows]


def _shown(values: Iterable[Decimal]) -> str:
    return ", ".join(format_decimal(value) for value in values)
