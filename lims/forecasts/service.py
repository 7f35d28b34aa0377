"""Making and storing forecasts: after each result, from a stored model, never changed afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

from flask import Flask, current_app, has_request_context
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from lims.base.actor import Actor, system_actor
from lims.base.database import among, current_session, database, transaction
from lims.base.records import stamps
from lims.base.services import RecordService
from lims.forecasts.history import Seen, as_cast, laboratory_key, mix_histories, recipe_histories
from lims.forecasts.models import Forecast, ForecastModel
from lims.forecasts.refreshing import PATIENCE_S, AwaitedLock, refresher, tried
from lims.mixes.models import MixDesign
from lims.mixes.schemas import MIX_KINDS
from lims.mixes.service import GRADE_CHANGED
from lims.results.events import EXPECTATIONS, LISTENERS, Written
from lims.strength.history import MixHistory
from lims.strength.model import FittedModel, SubModel, fit, version_of
from lims.strength.model import Forecast as Prediction
from lims.trials.schemas import SpecimenSetEdit
from lims.trials.service import CURING_CHANGED

#: The age that is promised.
TARGET_DAYS = 28
#: Which stored forecast stands beside a result that is known: the one that a reader would have had after 3 days.
PREFERRED_AGES = ("3", "1,3", "3,7", "7", "1")
#: A stored model is fitted again when this share of new mixes has come in since.
STALE_AFTER = 0.10
#: Sets of early ages for which honest forecasts of a history are kept.
HISTORY_AGES = ((1.0,), (3.0,), (7.0,), (1.0, 3.0), (3.0, 7.0))
TO_MPA = Decimal("0.01")


class ForecastModelService(RecordService[ForecastModel]):
    record = ForecastModel
    schema = SpecimenSetEdit
    search_columns = ("version_hash",)
    filter_columns = ("early_ages",)
    order_columns = ("created_at", "mixes", "early_ages")
    writable = False


class ForecastService(RecordService[Forecast]):
    record = Forecast
    schema = SpecimenSetEdit
    search_columns = ("mix_design.code", "method")
    filter_columns = ("mix_design_id", "forecast_model_id", "early_ages", "age_days", "held_out")
    order_columns = ("created_at", "strength_mpa", "early_ages")
    shown_relations = ("mix_design", "forecast_model")
    writable = False


class StoredFits:
    """The fitted model of this process: the history of a mix is read again when what it rests on has changed, the
    sub-models come from the database and go there."""

    def __init__(self) -> None:
        self.lock = AwaitedLock()
        self.seen: Seen | None = None
        #: mix_design id -> its history and those of its former recipes, as of `seen`.
        self.recipes: dict[int, list[MixHistory]] = {}
        self.model: FittedModel = fit(())
        self.ids: dict[tuple[float, ...], int] = {}

    def current(self) -> FittedModel:
        """The model over the history as it is now. Sub-models survive while they are not stale."""
        now = Seen.now()
        # Who has waited for the lock may see less than what was read meanwhile.
        if self.seen is None or now.transaction > self.seen.transaction:
            changed = now.changed_since(self.seen) if self.seen is not None else None
            if changed is None:
                self.recipes = recipe_histories()
            for mix_design_id in changed or ():
                self.recipes.update(recipe_histories(mix_design_id))
            if changed is None or changed:
                self._learn()
            self.seen = now
        return self.model

    def _learn(self) -> None:
        kept = self.model
        mixes = [mix for recipes in self.recipes.values() for mix in recipes]
        # Every forecast from the same ages comes from one sub-model: the stored one that it names.
        own = str(current_app.config.get("LIMS_LABORATORY", "own"))
        labs = frozenset(laboratory_key(own, kind) for kind in MIX_KINDS)
        self.model = fit([mix for mix in mixes if mix.breaks], asked=mixes, labs=labs)
        self.model.adopt(kept, STALE_AFTER)

    @property
    def histories(self) -> dict[int, MixHistory]:
        """mix_design id -> its history as it is cast now, as of `seen`."""
        return {key: recipes[0] for key, recipes in self.recipes.items()}

    def stored(self, early: tuple[float, ...], actor: Actor) -> tuple[SubModel, int] | None:
        """The sub-model for these ages and the id of its row: from memory, the database, or fitted now."""
        model = self.current()
        text = ages_text(early)
        if not model.has(early, float(TARGET_DAYS)):
            row = (
                current_session()
                .scalars(
                    select(ForecastModel)
                    .where(ForecastModel.early_ages == text)
                    .order_by(ForecastModel.id.desc())
                    .limit(1)
                )
                .one_or_none()
            )
            if row is not None:
                with suppress(KeyError, TypeError):  # a model of an earlier form is fitted anew
                    model.put(SubModel.from_dict(json.loads(row.parameters)), STALE_AFTER)
            if not model.has(early, float(TARGET_DAYS)) and current_session().info.get("actor") is None:
                current_session().commit()  # what reading has opened does not stay open for as long as a fit takes
        sub = model.submodel(early, float(TARGET_DAYS), frozenset())
        if sub is None:
            return None
        parameters = model.to_json(early, float(TARGET_DAYS))
        return sub, _kept(sub, text, parameters, actor)


def _kept(sub: SubModel, early_ages: str, parameters: str, actor: Actor) -> int:
    """The id of the row of this sub-model: of another process too, that fitted the same one at the same time."""
    mark = version_of(parameters)
    known = select(ForecastModel.id).where(ForecastModel.version_hash == mark)
    with transaction(actor, "forecast model") as session:
        key = session.scalar(known)
        if key is not None:
            return key
        insert = (sqlite if database().is_sqlite else postgresql).insert(ForecastModel)
        made = insert.values(
            version_hash=mark,
            early_ages=early_ages,
            age_days=TARGET_DAYS,
            laboratories=len(sub.lab_names),
            mixes=len(sub.keys),
            parameters=parameters,
            **stamps(actor),
        )
        session.execute(made.on_conflict_do_nothing(index_elements=[ForecastModel.version_hash]))
        return session.scalars(known).one()


def fits() -> StoredFits:
    """One for each application (a process may hold several, as the tests do)."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    key = "lims.forecasts.fits"
    if key not in app.extensions:
        app.extensions[key] = StoredFits()
    found: StoredFits = app.extensions[key]
    return found


def ages_text(ages: tuple[float, ...]) -> str:
    return ",".join(f"{age:g}" for age in ages)


def refresh_mix(mix_design_id: int, actor: Actor, tries: int = 2) -> Forecast | None:
    """Forecast this mix from the breaks it has before 28 d, and store what is said. None when nothing can be. What was put
    right while the model was fitted is read anew, `tries` times."""
    # Of all, by the end of its index: a mix has as many forecasts as it had results.
    last = current_session().scalar(select(func.max(Forecast.id))) or 0
    mix = mix_histories(mix_design_id).get(mix_design_id)
    if mix is None or not mix.standard:
        return None
    early_only = MixHistory(
        mix.lab,
        mix.mix_id,
        tuple(b for b in mix.breaks if b.age_days < TARGET_DAYS),
        mix.composition,
        mix.curing_temperature_c,
        mix.grade_mpa,
    )
    if not early_only.breaks and not early_only.composition:
        return None
    holder = fits()
    known = mix.strength_at(float(TARGET_DAYS)) is not None
    early_ages = early_only.ages_before(TARGET_DAYS)
    if known and _said_before(mix_design_id, early_ages):
        return None
    with holder.lock:
        model = holder.current()
        route, _own = model.route(early_ages, float(TARGET_DAYS))
        if known and _said_before(mix_design_id, route):
            return None
        found = holder.stored(route, actor)
        if found is None:
            return None
        _sub, model_id = found
        # Once its own result is in the history, only what is said without it is a forecast.
        held = model.held_out(route) if known else {}
        prediction = held.get(mix.key) if known else model.forecast([early_only], float(TARGET_DAYS))[0]
    if prediction is None or (known and _said_before(mix_design_id, prediction.early_ages)):
        return None
    with transaction(actor, "forecast") as session:
        # Held: the newest forecast of a mix is the one of its newest breaks, whichever process was quicker. Who stored one
        # meanwhile may have read later; who puts a load right after this one was stored, forecasts after it.
        held_mix = select(MixDesign.id).where(MixDesign.id == mix_design_id)
        session.execute(held_mix.with_for_update(key_share=True))
        later = select(Forecast.id).where(Forecast.id > last, Forecast.mix_design_id == mix_design_id)
        if session.scalar(later.limit(1)) is None or not tries:
            row = _row(mix_design_id, model_id, early_only, prediction, held_out=known)
            session.add(row)
            session.flush()
            return row
    return refresh_mix(mix_design_id, actor, tries - 1)


def _said_before(mix_design_id: int, early_ages: tuple[float, ...]) -> bool:
    """Is there a forecast of this mix from these ages already? After the result only a new early break adds one."""
    query = select(Forecast.id).where(
        Forecast.mix_design_id == mix_design_id, Forecast.early_ages == ages_text(early_ages)
    )
    revised = as_cast([mix_design_id]).get(mix_design_id)
    if revised is not None and revised.since is not None:
        query = query.where(Forecast.created_at >= revised.since)
    return current_session().scalar(query.limit(1)) is not None


def forecast_history(actor: Actor, progress: Callable[[int, int], None] | None = None) -> int:
    """Honest forecasts of mixes whose 28-d result is known: each from its early ages with its own result left
    out. Returns the number stored; what was stored before is left as it is."""
    holder = fits()
    written = 0
    for done, early in enumerate(HISTORY_AGES, start=1):
        with holder.lock:
            model = holder.current()
            found = holder.stored(early, actor)
            held = model.held_out(early) if found is not None else {}
            by_key = {mix.key: mix for mix in model.history}
        if found is not None:
            text = ages_text(early)
            with transaction(actor, "forecast history") as session:
                have = set(
                    session.scalars(
                        select(Forecast.mix_design_id).where(
                            Forecast.early_ages == text, Forecast.held_out.is_(True)
                        )
                    )
                )
                for key, prediction in held.items():
                    mix = by_key.get(key)
                    # What was cast by a former recipe is learned from; a forecast stands for the mix as it is.
                    if mix is None or not mix.mix_id.isdecimal() or int(mix.mix_id) in have:
                        continue
                    shown = MixHistory(
                        mix.lab,
                        mix.mix_id,
                        tuple(b for b in mix.breaks if b.age_days in early),
                        mix.composition,
                        grade_mpa=mix.grade_mpa,
                    )
                    session.add(_row(int(mix.mix_id), found[1], shown, prediction, held_out=True))
                    written += 1
        if progress is not None:
            progress(done, len(HISTORY_AGES))
    return written


def _row(
    mix_design_id: int, model_id: int, mix: MixHistory, prediction: Prediction, *, held_out: bool
) -> Forecast:
    def mpa(value: float | None) -> Decimal | None:
        return None if value is None else Decimal(repr(value)).quantize(TO_MPA)

    low50, high50 = prediction.intervals.get(0.5, (None, None))
    low90, high90 = prediction.intervals.get(0.9, (None, None))
    inputs: dict[str, Any] = {
        "breaks": [[b.age_days, b.strength_mpa, b.count] for b in mix.breaks],
        "composition": dict(mix.composition),
        "grade_mpa": mix.grade_mpa,
        "lab": mix.lab,
    }
    return Forecast(
        mix_design_id=mix_design_id,
        forecast_model_id=model_id,
        early_ages=ages_text(prediction.early_ages),
        inputs=json.dumps(inputs, sort_keys=True),
        age_days=TARGET_DAYS,
        strength_mpa=mpa(prediction.strength_mpa),
        lower_50_mpa=mpa(low50),
        upper_50_mpa=mpa(high50),
        lower_90_mpa=mpa(low90),
        upper_90_mpa=mpa(high90),
        grade_probability=None
        if prediction.p_grade is None
        else Decimal(repr(prediction.p_grade)).quantize(Decimal("0.0001")),
        local_mixes=prediction.local_mixes,
        history_mixes=prediction.history_mixes,
        method=prediction.method,
        note=prediction.note or None,
        held_out=held_out,
    )


def _on_result(written: Written) -> None:
    """Remember the mix; it is forecast once the transaction that wrote its result has committed."""
    current_session().info.setdefault("forecast_mixes", set()).add(written.mix_design_id)


def _on_change(mix_design_id: int) -> None:
    """What was said of a mix is said anew: of its new grade, or of what the curing of its batches turned out to be. A mix of
    which nothing was said waits for its first result."""
    session = current_session()
    if (
        session.scalar(select(Forecast.id).where(Forecast.mix_design_id == mix_design_id).limit(1))
        is not None
    ):
        session.info.setdefault("forecast_mixes", set()).add(mix_design_id)


def forecast_pending(*, wait: bool = True) -> None:
    """Forecast the mixes whose results, grades or curing were written in this request or command. Called after the commit,
    so that a slow fit never holds the writer's lock, and a failed one never loses a result. A request that does not `wait`
    has its mixes forecast beside it."""
    mixes = database().session().info.pop("forecast_mixes", ())
    if mixes and has_request_context():
        database().undo()  # nothing is held while it waits
        refresher(_refresh, _model_is_awaited).ask(mixes, patience_s=PATIENCE_S if wait else 0.0)
        return
    for mix_id in sorted(mixes):
        tried(_refresh_or_undo, mix_id)


def _refresh_or_undo(mix_design_id: int) -> None:
    """PostgreSQL refuses whatever follows a failed statement, of the next mix or of the job, until it is rolled back."""
    try:
        _refresh(mix_design_id)
    except Exception:
        database().undo()
        raise


def _refresh(mix_design_id: int) -> None:
    refresh_mix(mix_design_id, system_actor("forecast"))


def _model_is_awaited() -> bool:
    return fits().lock.awaited > 0


def _expected(wanted: set[tuple[int, int]]) -> dict[tuple[int, int], tuple[float, float]]:
    """The latest forecast's 90 % interval, half as wide again on both sides: beyond it, a slip of the key is likelier."""
    mixes = {mix_id for mix_id, age in wanted if age == TARGET_DAYS}
    if not mixes:
        return {}
    latest = (
        select(func.max(Forecast.id))
        .where(
            among(Forecast.mix_design_id, mixes),
            Forecast.age_days == TARGET_DAYS,
            Forecast.lower_90_mpa.is_not(None),
            Forecast.upper_90_mpa.is_not(None),
        )
        .group_by(Forecast.mix_design_id)
    )
    rows = current_session().execute(
        select(Forecast.mix_design_id, Forecast.lower_90_mpa, Forecast.upper_90_mpa).where(
            Forecast.id.in_(latest)
        )
    )
    found = {}
    for mix_id, low, high in rows:
        assert low is not None  # the condition leaves no others
        assert high is not None
        margin = float(high - low) / 2
        found[int(mix_id), TARGET_DAYS] = (max(0.0, float(low) - margin), float(high) + margin)
    return found


LISTENERS.append(_on_result)
GRADE_CHANGED.append(_on_change)
CURING_CHANGED.append(_on_change)
EXPECTATIONS.append(_expected)
