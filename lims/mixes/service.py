"""Every write about mixes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import Row, event, inspect, select
from sqlalchemy.orm import Session, selectinload

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, locked_row, transaction
from lims.base.problems import NotFound, refuse
from lims.base.schemas import Schema
from lims.base.services import LARGEST_KEY, RecordService
from lims.mixes import triggers
from lims.mixes.models import MixComponent, MixDesign, MixRevision
from lims.mixes.schemas import ComponentIn, MixDesignIn, MixIn, RecipeIn, RevisionIn

triggers.attach(MixRevision.__table__)
triggers.attach(MixComponent.__table__)


#: Called with the mix's id inside the transaction that gave it another grade. Forecasts listen; mixes know nothing of them.
GRADE_CHANGED: list[Callable[[int], None]] = []


class FrozenRevision(RuntimeError):
    """A cast revision was about to be changed past the service."""


class MixDesignService(RecordService[MixDesign]):
    record = MixDesign
    schema = MixIn
    edit_schema = MixDesignIn
    search_columns = ("code", "name", "strength_class")
    filter_columns = ("kind", "laboratory", "strength_class")
    order_columns = ("code", "kind", "laboratory", "grade_mpa", "changed_at")
    default_order = "code"

    def base_query(self) -> Any:
        return (
            super()
            .base_query()
            .options(selectinload(MixDesign.revisions).selectinload(MixRevision.components))
        )

    def before_add(self, record: MixDesign, values: MixIn, actor: Actor) -> None:
        if not record.laboratory:
            record.laboratory = current_app.config.get("LIMS_LABORATORY", "own")

    def after_add(self, record: MixDesign, values: MixIn, actor: Actor) -> None:
        add_recipe(record, values, _("first recipe"))

    def before_edit(self, record: MixDesign, values: MixDesignIn, actor: Actor) -> None:
        if record.grade_mpa != values.grade_mpa:
            for listener in GRADE_CHANGED:
                listener(record.id)

    def add_history(self, data: Mapping[str, Any] | MixIn, laboratory: str, actor: Actor) -> MixDesign:
        """A mix of imported history: it carries the name of its source as laboratory."""
        values = MixIn.as_read(data)
        with transaction(actor) as session:
            record = MixDesign(laboratory=laboratory)
            self._assign(record, values)
            session.add(record)
            self._flush(session, record)
            add_recipe(record, values, "imported")
            self._flush(session, record)
        return record


class MixRevisionService(RecordService[MixRevision]):
    record = MixRevision
    schema = RevisionIn
    edit_schema = RecipeIn
    search_columns = ("code", "reason")
    filter_columns = ("mix_design_id",)
    order_columns = ("code", "number", "frozen_at")
    shown_relations = ("mix_design",)

    def choices(self, search: str, size: int = 20) -> list[MixRevision]:
        """Without those of a mix that is out of use: what was cast is not taken out of use itself."""
        in_use = MixRevision.mix_design.has(MixDesign.retired_at.is_(None))
        query = self.narrowed(self.base_query().where(in_use), search=search).limit(size)
        return list(current_session().scalars(query).unique())

    def add(self, data: Mapping[str, Any] | Schema, actor: Actor) -> MixRevision:
        values = data if isinstance(data, RevisionIn) else RevisionIn.read(dict(data))
        _require_mass(values)
        with transaction(actor) as session:
            self._resolve(values, SimpleNamespace())
            # Held: of two revisions at once the second has the next number.
            design = locked_row(MixDesign, values.mix_design_id)
            assert design is not None  # _resolve has found it
            revision = add_recipe(design, values, values.reason)
            self._flush(session, revision)
        return revision

    def edit(
        self, record_id: int, data: Mapping[str, Any] | Schema, version: int, actor: Actor
    ) -> MixRevision:
        """Replace the recipe of a revision that was not cast. Raises: NotFound, Refused, Conflict."""
        values = data if isinstance(data, RecipeIn) else RecipeIn.read(dict(data))
        _require_mass(values)
        with transaction(actor) as session:
            revision = locked_row(MixRevision, record_id)
            if revision is None:
                raise NotFound(f"mix-revisions {record_id}")
            _require_open(revision)
            if revision.version != version:
                raise self._conflict(revision, values)
            self._resolve(values, SimpleNamespace(cement_product_id=_product_of(revision)))
            _require_one_of_each(revision)
            masses = values.masses()
            for component in list(revision.components):
                if component.kind in masses:
                    component.mass_kg_m3 = masses.pop(component.kind)
                else:
                    component.mass_kg_m3 = Decimal(0)
                if component.kind == "cement":
                    component.cement_product_id = values.cement_product_id
            _add_components(revision, masses, values.cement_product_id)
            revision.reason = revision.reason or ""
            revision.changed_at = utc_now()
            self._flush(session, revision)
        return revision

    def changeable(self, record: MixRevision) -> bool:
        return record.frozen_at is None

    def before_retire(self, record: MixRevision, actor: Actor) -> None:
        _require_open(record)


class MixComponentService(RecordService[MixComponent]):
    record = MixComponent
    schema = ComponentIn
    search_columns = ("name", "kind")
    filter_columns = ("revision_id", "kind", "cement_product_id")
    order_columns = ("kind", "mass_kg_m3")
    default_order = "id"  # as a recipe is written: cement first
    shown_relations = ("revision",)
    #: What goes into a cubic metre is summed over all components: one that is hidden would still be weighed.
    retirable = False

    def _assign(self, record: Any, values: Schema) -> None:
        """A price that is not given stays: whoever edits a recipe may not see it."""
        price = record.price_per_t
        super()._assign(record, values)
        if "price_per_t" not in values.model_fields_set:
            record.price_per_t = price

    def locked(self, session: Session, record_id: int) -> MixComponent:
        """The recipe first, as whoever casts it or writes it anew holds it."""
        of_component = select(MixComponent.revision_id).where(MixComponent.id == record_id)
        if 0 < record_id <= LARGEST_KEY and (revision_id := session.scalar(of_component)) is not None:
            _held(session, revision_id)
        return super().locked(session, record_id)

    def check(self, record: MixComponent) -> None:
        """Held to the end: a recipe that is cast meanwhile would be another than the one that was cast."""
        _require_open(_held(current_session(), record.revision_id))

    def changeable(self, record: MixComponent) -> bool:
        return record.revision.frozen_at is None

    def before_edit(self, record: MixComponent, values: Any, actor: Actor) -> None:
        self.check(record)
        if values.revision_id != record.revision_id:
            _told(record.revision_id)

    def after_add(self, record: MixComponent, values: Any, actor: Actor) -> None:
        _told(record.revision_id)

    def after_edit(self, record: MixComponent, values: Any, actor: Actor) -> None:
        _told(record.revision_id)

    def before_retire(self, record: MixComponent, actor: Actor) -> None:
        raise refuse(
            "mass_kg_m3", _("stays in the recipe; accepted: 0 kg/m³, which leaves it out"), record.title
        )


def add_recipe(design: MixDesign, recipe: RecipeIn, reason: str) -> MixRevision:
    """The next revision of `design` with these masses. Inside a transaction."""
    number = max((r.number for r in design.revisions), default=0) + 1
    revision = MixRevision(number=number, code=f"{design.code}/{number}", reason=reason)
    design.revisions.append(revision)
    _add_components(revision, recipe.masses(), recipe.cement_product_id)
    return revision


def _add_components(
    revision: MixRevision, masses: Mapping[str, Decimal], cement_product_id: int | None
) -> None:
    for kind, mass in masses.items():
        product = cement_product_id if kind == "cement" else None
        revision.components.append(MixComponent(kind=kind, mass_kg_m3=mass, cement_product_id=product))


def _product_of(revision: MixRevision) -> int | None:
    """The cement that the recipe names."""
    return next((c.cement_product_id for c in revision.components if c.kind == "cement"), None)


def _require_mass(recipe: RecipeIn) -> None:
    """Raises: Refused."""
    if not any(recipe.masses().values()):
        raise refuse("cement_kg_m3", _("a recipe needs at least one mass; accepted: kg/m³"))


def _require_one_of_each(revision: MixRevision) -> None:
    """A recipe is written anew by a mass for each kind; two components of one kind are the page of each. Raises: Refused."""
    kinds = [component.kind for component in revision.components]
    twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
    if twice is not None:
        raise refuse(
            f"{twice}_kg_m3",
            _("stands in several components of this recipe; accepted: each of them changed on its own page"),
            revision.mass_of(twice),
        )


def freeze(revision: MixRevision) -> None:
    """The revision was cast: from now on it cannot change. Inside a transaction."""
    if revision.frozen_at is None:
        revision.frozen_at = utc_now()


def _held(session: Session, revision_id: int) -> Row[datetime | None, str]:
    """Whether the revision was cast, as it is now; it stays so until the transaction ends."""
    wanted = select(MixRevision.frozen_at, MixRevision.code).where(MixRevision.id == revision_id)
    return session.execute(wanted.with_for_update()).one()


def _told(revision_id: int) -> None:
    """Its recipe is another: whoever has all of it open in a form is told, and writes no mass over that they did not see."""
    revision = current_session().get_one(MixRevision, revision_id, populate_existing=True)
    revision.changed_at = utc_now()


def _require_open(revision: MixRevision | Row[datetime | None, str]) -> None:
    if revision.frozen_at is not None:
        raise refuse(
            "revision_id",
            _("was cast and cannot change; accepted: a new revision of the mix with the reason"),
            revision.code,
        )


@event.listens_for(Session, "before_flush")
def _guard(session: Session, _context: Any, _instances: Any) -> None:
    """A cast revision and its components stay as they are, whatever code path tries."""
    for item in (*session.dirty, *session.new, *session.deleted):
        if isinstance(item, MixRevision) and item not in session.new and session.is_modified(item):
            history: Any = inspect(item).attrs.frozen_at.history
            was_frozen = item.frozen_at is not None and not history.has_changes()
            if was_frozen or (history.has_changes() and history.deleted and history.deleted[0] is not None):
                raise FrozenRevision(f"{item.code} was cast")
        if isinstance(item, MixComponent) and (item in session.new or session.is_modified(item)):
            revision = item.revision
            if revision is not None and revision.frozen_at is not None and revision not in session.new:
                raise FrozenRevision(f"{revision.code} was cast")
