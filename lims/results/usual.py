"""Between which strengths a result surprises nobody: what the entry page asks about is what lies outside.

A range is kept for half a minute, longer where reading it is dear: it reads every result of a mix, and whether a younger
one is counted already makes no difference to a slip of the key. While one request reads it anew, the others get what was
kept. The first result of a set of a batch that this process has listed widens the range of its mix as it is committed; one
that replaces another puts it aside.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from flask import current_app
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from lims.base.database import among, current_session
from lims.results.due import DueSet
from lims.results.events import EXPECTATIONS, LISTENERS, First, Written
from lims.results.models import SetResult
from lims.trials.models import Batch, SpecimenSet

#: A strength below this part of the mix's least or above this multiple of its most at the same age is asked about.
USUAL_FROM, USUAL_TO = Decimal("0.6"), Decimal("1.5")
#: How long a range is kept, seconds: so many times what it took to read, within these bounds.
KEPT_SECONDS, KEPT_AT_MOST_SECONDS, KEPT_TIMES = 30.0, 300.0, 100.0
#: Mixes whose ranges a process keeps; more at once would be a laboratory of unusual breadth.
MOST_KEPT = 5_000

#: What a session has written and not committed yet.
UNCOMMITTED = "lims_uncommitted_results"

Range = tuple[float, float]
#: Age in days -> MPa.
Ranges = dict[int, Range]


class UsualRanges:
    """Ranges of one process, with the time until which each is kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: mix revision id -> (until, its ranges)
        self._of_results: dict[int, tuple[float, Ranges]] = {}
        #: (mix design id, age in days) -> (until, MPa or None where nothing is forecast)
        self._forecast: dict[tuple[int, int], tuple[float, Range | None]] = {}
        #: batch id -> (mix revision id, mix design id), of the sets that were asked for
        self._mixes: dict[int, tuple[int, int]] = {}
        #: Two that write results of one mix must not undo each other.
        self._changes = threading.Lock()
        #: Who reads ranges anew; whoever has older ones does not wait for it.
        self._reading = threading.Lock()
        #: How often a range was put aside: what was read before is not kept after it.
        self._forgotten = 0

    def of(self, sets: Iterable[DueSet]) -> dict[int, Range]:
        """Set id -> MPa between which a result surprises nobody: by the forecast, else by the same mix at that age."""
        waiting = list(sets)
        now = self._clock()
        if len(self._mixes) > MOST_KEPT:
            self._mixes = {}
        self._mixes |= {item.batch_id: (item.mix_revision_id, item.mix_design_id) for item in waiting}
        by_results = self._by_results({item.mix_revision_id for item in waiting})
        forecast = self._by_forecast({(item.mix_design_id, item.age_days) for item in waiting}, now)
        found = {}
        for item in waiting:
            usual = forecast[item.mix_design_id, item.age_days]
            if usual is None:
                usual = by_results[item.mix_revision_id].get(item.age_days)
            if usual is not None:
                found[item.id] = usual
        return found

    def widen(self, batch_id: int, first: Sequence[First]) -> None:
        """Results of this batch came beside those that stand: a range can only grow by them, so nothing is read anew. A
        forecast that they bring is heeded within KEPT_SECONDS: it is made after them."""
        revision, _design = self._mixes.get(batch_id, (0, 0))
        with self._changes:
            kept = self._of_results.get(revision)
            if kept is None:
                return
            ages = kept[1]
            for age, strength_mpa in first:
                if strength_mpa is not None:
                    own = (float(strength_mpa * USUAL_FROM), float(strength_mpa * USUAL_TO))
                    ages = _wide(ages, {age: own})
            self._of_results[revision] = (kept[0], ages)

    def forget(self, batch_id: int) -> None:
        """A result of this batch was replaced."""
        if batch_id not in self._mixes:
            return
        revision, design = self._mixes[batch_id]
        with self._changes:
            self._forgotten += 1
            self._of_results.pop(revision, None)
        for key in [key for key in list(self._forecast) if key[0] == design]:
            self._forecast.pop(key, None)

    def _by_results(self, revisions: set[int]) -> dict[int, Ranges]:
        kept, missing, old = self._kept(revisions)
        if not (missing or old) or not self._reading.acquire(blocking=bool(missing)):
            return kept
        try:
            kept, missing, old = self._kept(revisions)  # another one may have read them meanwhile
            return kept | self._read_results(missing | old) if missing or old else kept
        finally:
            self._reading.release()

    def _kept(self, revisions: set[int]) -> tuple[dict[int, Ranges], set[int], set[int]]:
        """What is kept of these mixes, of which nothing is, and whose time is over."""
        now = self._clock()
        found = {one: entry for one in revisions if (entry := self._of_results.get(one)) is not None}
        old = {one for one, (until, _ages) in found.items() if until <= now}
        return {one: ages for one, (_until, ages) in found.items()}, revisions - found.keys(), old

    def _read_results(self, revisions: set[int]) -> dict[int, Ranges]:
        began, forgotten = self._clock(), self._forgotten
        before = {one: self._of_results.get(one) for one in revisions}
        rows = current_session().execute(
            select(
                Batch.mix_revision_id,
                SpecimenSet.age_days,
                func.min(SetResult.strength_mpa),
                func.max(SetResult.strength_mpa),
            )
            .join(SpecimenSet, SpecimenSet.batch_id == Batch.id)
            .join(SetResult, SetResult.specimen_set_id == SpecimenSet.id)
            .where(
                among(Batch.mix_revision_id, revisions),
                SetResult.superseded_at.is_(None),
                SetResult.strength_mpa.is_not(None),
            )
            .group_by(Batch.mix_revision_id, SpecimenSet.age_days)
        )
        read: dict[int, Ranges] = {one: {} for one in revisions}
        for revision, age, least, most in rows:
            assert least is not None  # the condition leaves no others
            assert most is not None
            read[revision][age] = (float(least * USUAL_FROM), float(most * USUAL_TO))
        ended = self._clock()
        until = ended + min(KEPT_AT_MOST_SECONDS, max(KEPT_SECONDS, KEPT_TIMES * (ended - began)))
        with self._changes:
            if len(self._of_results) > MOST_KEPT:
                self._of_results = {}
            if forgotten == self._forgotten:
                for one, ages in read.items():
                    entry = self._of_results.get(one)
                    if entry is not None and entry is not before[one]:  # widened while it was read
                        ages = _wide(ages, entry[1])
                    self._of_results[one] = (until, ages)
        return read

    def _by_forecast(self, wanted: set[tuple[int, int]], now: float) -> dict[tuple[int, int], Range | None]:
        kept = {one: found[1] for one in wanted if (found := self._forecast.get(one)) and found[0] > now}
        missing = wanted - kept.keys()
        if not missing:
            return kept
        said: dict[tuple[int, int], Range] = {}
        for ask in EXPECTATIONS:
            said.update(ask(missing))
        if len(self._forecast) > MOST_KEPT:
            self._forecast = {}
        read = {one: said.get(one) for one in missing}
        self._forecast |= {one: (now + KEPT_SECONDS, usual) for one, usual in read.items()}
        return kept | read


def _wide(one: Ranges, other: Ranges) -> Ranges:
    """What lies in either."""
    both = one | other
    return {
        age: (
            min(one.get(age, known)[0], other.get(age, known)[0]),
            max(one.get(age, known)[1], other.get(age, known)[1]),
        )
        for age, known in both.items()
    }


def usual_ranges() -> UsualRanges:
    """Those of this application."""
    found: UsualRanges = current_app.extensions.setdefault("lims.results.usual", UsualRanges())
    return found


def _on_result(written: Written) -> None:
    current_session().info.setdefault(UNCOMMITTED, []).append(written)


@event.listens_for(Session, "after_commit")
def _stands(session: Session) -> None:
    if session.in_nested_transaction():
        return
    for written in session.info.pop(UNCOMMITTED, ()):
        if written.first:
            usual_ranges().widen(written.batch_id, written.first)
        else:
            usual_ranges().forget(written.batch_id)


@event.listens_for(Session, "after_rollback")
def _stands_not(session: Session) -> None:
    pending = session.info.pop(UNCOMMITTED, ())
    if (
        pending and session.in_nested_transaction()
    ):  # which of them it took with it is not known: all are read anew
        session.info[UNCOMMITTED] = [written._replace(first=()) for written in pending]


LISTENERS.append(_on_result)
