"""Making, renewing, handing over and revoking share links; finding the link of a token; counting who looked."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from flask import current_app
from flask_appbuilder.security.sqla.models import User
from flask_babel import gettext as _
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import contains_eager

from lims.aftersales.models import AdviceCard
from lims.base.actor import Actor, system_actor
from lims.base.auditing.erasure import forget
from lims.base.auditing.policy import ERASED
from lims.base.columns import utc_now
from lims.base.database import current_session, database, transaction
from lims.base.display import local_time, local_today
from lims.base.fields import listed
from lims.base.names import name_of
from lims.base.passwords import hash_password
from lims.base.problems import Refused, refuse
from lims.base.repeats import add_once
from lims.base.schemas import Schema
from lims.base.security import principal, rights_of
from lims.base.services import RecordService, hide_unknown
from lims.base.words import told_refusal
from lims.comparison.service import outward_comparison
from lims.customers.regions import seen_through, seen_within
from lims.customers.service import pseudonym
from lims.forecasts.history import recasts, recipes_of_revised, shapes_forecast
from lims.forecasts.models import Forecast
from lims.forecasts.service import PREFERRED_AGES, TARGET_DAYS
from lims.materials.models import CementProduct
from lims.mixes.models import MixDesign, MixRevision
from lims.results.models import SetResult
from lims.sharing.gathering import by_one_recipe, newest_batches
from lims.sharing.models import ShareAnswer, ShareBatch, ShareLink, ShareView
from lims.sharing.redaction import Sheet
from lims.sharing.schemas import ShareLinkIn
from lims.sharing.sheet import sheet_of
from lims.standards.errors import RuleInputError
from lims.standards.proportioning import target_strength
from lims.standards.rounding import round_half_even
from lims.standards.specimens import commonest_shape
from lims.trials.models import Batch, Specimen, SpecimenSet, Trial
from lims.trials.service import batches_of_seen

#: 256 bits.
TOKEN_BYTES = 32
#: Batches of a mix that stands beside the trial.
NEAR_BATCHES = 3


class _TakenBack(Exception):
    """Ends a preview."""


class ShareLinkService(RecordService[ShareLink]):
    record = ShareLink
    retirable = False  # what is revoked stays revoked
    schema = ShareLinkIn
    search_columns = ("name", "trial.name", "customer.name")
    filter_columns = ("trial_id", "customer_id", "owner_id")
    order_columns = ("created_at", "expires_at", "name")
    shown_relations = ("trial", "customer", "owner")

    def complete(self, records: Sequence[ShareLink]) -> None:
        _count(records)

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return [*seen_through(ShareLink.customer_id), *batches_of_seen(ShareLink.trial_id)]

    def before_add(self, record: ShareLink, values: ShareLinkIn, actor: Actor) -> None:
        # The token is handed out by `create`; a link added otherwise has one that nobody knows.
        record.token_sha256 = hash_token(new_token())
        record.shows = ",".join(values.shows)
        record.expires_at = utc_now() + timedelta(days=values.days)
        record.owner_id = actor.user_id
        record.password_hash = hash_password(values.password) if values.password else None
        self._freeze(record, values)

    def _freeze(self, record: ShareLink, values: ShareLinkIn) -> None:
        """What is said now stays as it is said; the batches whose released results the sheet will show."""
        own = newest_batches(record.trial_id, values.mix_design_id)
        if values.mix_design_id is not None and not own:
            raise refuse(
                "mix_design_id",
                _("was not cast in this trial; accepted: a mix of its batches"),
                values.mix_design_id,
            )
        _require_cast_here("trial_id", record.trial_id, own)
        record.batches = [ShareBatch(batch_id=batch_id, part=0) for batch_id in own]
        taken = set(own)
        for part, mix_id in enumerate(values.near_ids, start=1):
            near = _batches_of_mix(mix_id)
            if not near:
                raise refuse(
                    "near_ids", _("%(mix)s was not cast; accepted: mixes with batches", mix=mix_id), mix_id
                )
            _require_cast_here("near_ids", mix_id, near)
            for batch_id in near:
                if batch_id not in taken:
                    taken.add(batch_id)
                    record.batches.append(ShareBatch(batch_id=batch_id, part=part))
        record.frozen = json.dumps(
            {
                "forecast": _forecast(own),
                "comparison": _comparison(record, values, own),
                "cards": _cards(values.card_ids, record.language),
            }
        )

    def edit(self, record_id: int, data: Mapping[str, Any] | Schema, version: int, actor: Actor) -> ShareLink:
        raise refuse("", _("what was sent stays as it was sent; accepted: revoke the link and make another"))

    def create(self, data: Mapping[str, Any], actor: Actor, key: str = "") -> tuple[ShareLink, str]:
        """A link and its token: shown once, stored as a hash. With a key (lims.base.repeats) that made a link before: that
        link, and "" for its token. Raises: Refused."""
        token = ""

        def add(data: Mapping[str, Any], actor: Actor) -> ShareLink:
            nonlocal token
            token = new_token()
            link = self.add(data, actor)
            link.token_sha256 = hash_token(token)
            current_session().flush()
            return link

        with transaction(actor, "share"):
            link = add_once(self, data, actor, key, add)
        return link, token

    def preview(self, data: Mapping[str, Any] | Schema, actor: Actor) -> Sheet:
        """The sheet as its reader would see it now; made and taken back, so that it is no other way. Raises: Refused."""
        with suppress(_TakenBack), transaction(actor, "preview"):
            link = self.add(data, actor)
            sheet = sheet_of(link)
            raise _TakenBack
        return sheet

    def renew(self, link_id: int, actor: Actor) -> tuple[ShareLink, str]:
        """Another token for the same sheet; the one before opens nothing any more. Raises: NotFound, Refused."""
        token = new_token()
        with transaction(actor, "share again") as session:
            link = self.locked(session, link_id)
            if not link.live:
                raise refuse("", _("this link has ended; accepted: one that is live"))
            link.token_sha256 = hash_token(token)
            session.flush()
        return link, token

    def revoke(self, link_id: int, actor: Actor) -> ShareLink:
        """The link shows nothing from the next request on. Raises: NotFound."""
        with transaction(actor, "revoked") as session:
            link = self.locked(session, link_id)
            link.revoked_at = link.revoked_at or utc_now()
            session.flush()
        return link

    def hand_over(self, link_id: int, user_id: int, actor: Actor) -> ShareLink:
        """The link is another person's from now on: his contact stands on it, its answers go to him.

        Raises: NotFound, Refused when that account is disabled, or cannot deal with answers.
        """
        with transaction(actor, "handed over") as session:
            link = self.locked(session, link_id)
            user = session.get(User, user_id) if 0 < user_id < 2**31 else None
            if user is None or not user.active:
                raise refuse(
                    "owner_id", _("is no active account; accepted: a colleague who can sign in"), user_id
                )
            if not may_own(user.id):
                message = _(
                    "“%(value)s” cannot deal with its answers; accepted: %(what)s",
                    value=name_of(user),
                    what=listed(name_of(other) for other in possible_owners()),
                )
                raise refuse("owner_id", message, name_of(user))
            link.owner_id, link.owner = user.id, user
            session.flush()
        return link

    def before_retire(self, record: ShareLink, actor: Actor) -> None:
        record.revoked_at = record.revoked_at or utc_now()

    def by_token(self, token: str) -> ShareLink | None:
        """The live link of this token, or None: unknown, expired, revoked and a leaver's look the same, and cost one
        statement that answers with nothing."""
        query = (
            select(ShareLink)
            .outerjoin(User, User.id == ShareLink.owner_id)
            .options(contains_eager(ShareLink.owner))
            .where(
                ShareLink.token_sha256 == hash_token(token),
                ShareLink.revoked_at.is_(None),
                ShareLink.retired_at.is_(None),
                ShareLink.expires_at > utc_now(),
                or_(ShareLink.owner_id.is_(None), User.active.is_(True)),
            )
        )
        return current_session().scalars(query).unique().one_or_none()

    def left_behind(self) -> list[ShareLink]:
        """Links of disabled accounts that would still be valid: they show nothing until someone takes them over."""
        query = (
            self.base_query()
            .join(User, User.id == ShareLink.owner_id)
            .where(
                User.active.is_not(True),
                ShareLink.revoked_at.is_(None),
                ShareLink.retired_at.is_(None),
                ShareLink.expires_at > utc_now(),
            )
            .order_by(ShareLink.id)
        )
        return list(current_session().scalars(query).unique())


class ShareAnswerService(RecordService[ShareAnswer]):
    """Answers come from the sheet (lims/sharing/answers.py); here they are read and put away."""

    record = ShareAnswer
    schema = ShareLinkIn
    search_columns = ("company", "share_link.name")
    filter_columns = ("share_link_id", "kind", "customer_id")
    order_columns = ("created_at", "kind", "handled_at")
    shown_relations = ("share_link", "customer")
    retirable = False
    writable = False

    def visible(self) -> Sequence[ColumnElement[bool]]:
        """Of links that the asking person may know of, and of customers: a link for nobody in particular is everybody's, the
        prospect that its reader opened is not. Whose link it is reads its answers all the same."""
        of_customer, user = seen_through(ShareAnswer.customer_id), principal()
        if not of_customer or user is None:
            return []
        mine = ShareAnswer.share_link_id.in_(select(ShareLink.id).where(ShareLink.owner_id == user.id))
        of_link = seen_within(ShareAnswer.share_link_id, ShareLink, ShareLinkService().visible())
        return [*of_link, or_(*of_customer, mine)]

    def complete(self, records: Sequence[ShareAnswer]) -> None:
        hide_unknown(records, "customer")  # of a link that was handed over

    def handle(self, answer_id: int, actor: Actor) -> ShareAnswer:
        """The salesperson has answered. Raises: NotFound."""
        with transaction(actor, "answered") as session:
            found = self.locked(session, answer_id)
            found.handled_at = found.handled_at or utc_now()
            session.flush()
        return found

    def erase(self, answer_id: int, actor: Actor) -> ShareAnswer:
        """Take who answered, and where to be reached, out for good; what was asked stands. Raises: NotFound."""
        with transaction(actor, "personal data erased") as session:
            found = self.locked(session, answer_id)
            if not found.erased:
                mark = pseudonym(found.name)
                found.name, found.contact = (
                    told if told.startswith(ERASED) else mark for told in (found.name, found.contact)
                )
            forget(ShareAnswer.__tablename__, found.id, session)
        return found


def may_own(user_id: int) -> bool:
    """Is a link worth something in this person's hands? Who cannot deal with its answers would leave them to nobody."""
    return ("can_write", ShareAnswer.record_name) in rights_of(user_id)


def possible_owners() -> list[User]:
    """Active accounts that a link may be handed to."""
    query = select(User).where(User.active.is_(True)).order_by(User.first_name, User.last_name)
    return [user for user in current_session().scalars(query.limit(200)) if may_own(user.id)]


def open_answers(owner_id: int | None, size: int) -> list[ShareAnswer]:
    """Answers that nobody has dealt with, newest first: of one person's links, or (None) of all."""
    query = ShareAnswerService().base_query().where(*_open_answers(owner_id))
    return list(current_session().scalars(query.order_by(ShareAnswer.id.desc()).limit(size)).unique())


def number_of_open_answers(owner_id: int | None) -> int:
    """All of `open_answers`."""
    visible = ShareAnswerService().visible()
    query = select(func.count()).select_from(ShareAnswer).where(*visible, *_open_answers(owner_id))
    return current_session().scalar(query) or 0


def _open_answers(owner_id: int | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        ShareAnswer.handled_at.is_(None),
        ShareAnswer.retired_at.is_(None),
    ]
    if owner_id is not None:
        conditions.append(ShareAnswer.share_link.has(ShareLink.owner_id == owner_id))
    return conditions


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


# --- who looked ----------------------------------------------------------------------------------------------


def count_view(link_id: int) -> None:
    """One more reader today, by the laboratory's clock. Nothing of the reader is kept."""
    table: Any = ShareView.__table__
    made = (sqlite if database().is_sqlite else postgresql).insert(table)
    # One statement: of the day's first two readers the second adds to the first's.
    counted = made.values(share_link_id=link_id, day=local_today(), views=1).on_conflict_do_update(
        index_elements=[table.c.share_link_id, table.c.day], set_={"views": table.c.views + 1}
    )
    with transaction(system_actor("share-view")) as session:
        session.connection().execute(counted)


def views_by_day(link_id: int, last: int = 14) -> list[tuple[date, int]]:
    """(day, views) of the last days, days without a reader included."""
    today = local_today()
    first = today - timedelta(days=last - 1)
    rows = current_session().execute(
        select(ShareView.day, ShareView.views).where(
            ShareView.share_link_id == link_id, ShareView.day >= first
        )
    )
    found: dict[date, int] = dict(rows.all())
    return [(day, found.get(day, 0)) for day in (first + timedelta(days=n) for n in range(last))]


def counts_of(link_ids: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """link -> views, answers, open answers: two statements for a whole list."""
    session = current_session()
    views = {
        link_id: int(number)
        for link_id, number in session.execute(
            select(ShareView.share_link_id, func.sum(ShareView.views))
            .where(ShareView.share_link_id.in_(link_ids))
            .group_by(ShareView.share_link_id)
        )
    }
    answers = {
        link_id: (int(all_), int(all_) - int(handled))
        for link_id, all_, handled in session.execute(
            select(ShareAnswer.share_link_id, func.count(), func.count(ShareAnswer.handled_at))
            .where(ShareAnswer.share_link_id.in_(link_ids))
            .group_by(ShareAnswer.share_link_id)
        )
    }
    return {link_id: (views.get(link_id, 0), *answers.get(link_id, (0, 0))) for link_id in link_ids}


def _count(links: Sequence[ShareLink]) -> None:
    counts = counts_of([link.id for link in links])
    for link in links:
        object.__setattr__(link, "counted", counts[link.id])


# --- what is frozen ------------------------------------------------------------------------------------------


def _require_cast_here(field: str, key: int, batch_ids: Sequence[int]) -> None:
    """The history of others is for the forecast, not for handing out. Raises: Refused."""
    other = current_session().scalar(
        select(MixDesign.laboratory)
        .join(MixRevision, MixRevision.mix_design_id == MixDesign.id)
        .join(Batch, Batch.mix_revision_id == MixRevision.id)
        .where(
            Batch.id.in_(batch_ids), MixDesign.laboratory != current_app.config.get("LIMS_LABORATORY", "own")
        )
        .limit(1)
    )
    if other is not None:
        raise refuse(
            field, _("is history of %(whose)s; accepted: what this laboratory cast itself", whose=other), key
        )


def _batches_of_mix(mix_design_id: int) -> list[int]:
    """The newest batches of this mix by its last recipe, of whichever trial the salesperson may know of."""
    query = (
        select(Batch.id, MixRevision.id.label("revision_id"))
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .where(
            MixRevision.mix_design_id == mix_design_id,
            Batch.retired_at.is_(None),
            *batches_of_seen(Batch.trial_id),
        )
        .order_by(Batch.id.desc())
        .limit(NEAR_BATCHES)
    )
    rows = current_session().execute(query).all()
    return [row.id for row in by_one_recipe(rows, recipes_of_revised([mix_design_id]))]


def _forecast(batch_ids: Sequence[int]) -> dict[str, Any] | None:
    """The stored forecast of the mix as these batches were cast, or, where the result is known, the one made from early
    breaks.

    Only one that rests on released results: a number made of others would give them away.
    """
    session = current_session()
    newest = session.execute(
        select(MixRevision.mix_design_id, MixRevision.id)
        .join(Batch, Batch.mix_revision_id == MixRevision.id)
        .where(Batch.id.in_(batch_ids))
        .order_by(Batch.id.desc())
        .limit(1)
    ).one_or_none()
    if newest is None:
        return None
    mix_id, revision_id = newest
    cast = commonest_shape(
        session.scalars(select(Specimen.shape).join(SpecimenSet).where(SpecimenSet.batch_id.in_(batch_ids)))
    )
    forecast = shapes_forecast([mix_id]).get(revision_id)
    if cast and forecast and cast != forecast:
        return None  # of the other shape than what the sheet shows
    released, unreleased = _ages_of(mix_id)
    recast = recasts([mix_id]).get(mix_id)
    said = [
        item
        for item in session.scalars(
            select(Forecast)
            .where(Forecast.mix_design_id == mix_id, Forecast.strength_mpa.is_not(None))
            .order_by(Forecast.id.desc())
            .limit(40)
        )
        if (ages := _early_ages(item)) <= released
        and (recast is None or recast.so_cast(revision_id, item.created_at))
        and not any(
            entered <= item.created_at and (until is None or item.created_at < until)
            for age in ages
            for entered, until in unreleased[age]
        )
    ]
    known = session.scalar(
        select(SetResult.id)
        .join(SpecimenSet, SpecimenSet.id == SetResult.specimen_set_id)
        .where(
            SpecimenSet.batch_id.in_(batch_ids),
            SpecimenSet.age_days == TARGET_DAYS,
            SetResult.state == "released",
            SetResult.superseded_at.is_(None),
        )
        .limit(1)
    )
    wanted = [item for ages in PREFERRED_AGES for item in said if item.early_ages == ages] if known else said
    chosen = next(iter(wanted or said), None)
    if chosen is None:
        return None
    return {
        "mpa": str(chosen.strength_mpa),
        **{
            name: None if (value := getattr(chosen, name)) is None else str(value)
            for name in ("lower_50_mpa", "upper_50_mpa", "lower_90_mpa", "upper_90_mpa", "grade_probability")
        },
        "grade_mpa": None if chosen.grade_mpa is None else str(chosen.grade_mpa),
        "early_ages": chosen.early_ages,
        "local_mixes": chosen.local_mixes,
        "history_mixes": chosen.history_mixes,
        "note": chosen.note,
        "made_on": local_time(chosen.created_at).date().isoformat(),
    }


def _early_ages(forecast: Forecast) -> set[int]:
    return {int(age) for age in forecast.early_ages.split(",") if age}


def _ages_of(mix_id: int) -> tuple[set[int], dict[int, list[tuple[datetime, datetime | None]]]]:
    """Ages at which the mix has released results; and, by age, from when until when others stood that never were: a forecast
    from between, of an entry that was put right since too, rests on them."""
    of_mix = (
        select(SpecimenSet.age_days, SetResult.created_at, SetResult.superseded_at)
        .join(SpecimenSet, SpecimenSet.id == SetResult.specimen_set_id)
        .join(Batch, Batch.id == SpecimenSet.batch_id)
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .where(MixRevision.mix_design_id == mix_id)
    )
    counts = of_mix.where(SetResult.state == "released", SetResult.superseded_at.is_(None))
    released = set(current_session().scalars(counts.with_only_columns(SpecimenSet.age_days).distinct()))
    unreleased: dict[int, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    for age, entered, superseded in current_session().execute(
        of_mix.where(SetResult.state.in_(("entered", "verified")))
    ):
        unreleased[age].append((entered, superseded))
    return released, unreleased


def _comparison(record: ShareLink, values: ShareLinkIn, own_batches: Sequence[int]) -> dict[str, Any] | None:
    """Our cement against another of its kind, as the comparison says it for outsiders."""
    if values.compared_with_id is None or "comparison" not in values.shows:
        return None
    session = current_session()
    trial = session.get(Trial, record.trial_id)
    own = session.get(CementProduct, trial.cement_product_id or 0) if trial is not None else None
    grade = session.scalar(
        select(MixDesign.grade_mpa)
        .join(MixRevision, MixRevision.mix_design_id == MixDesign.id)
        .join(Batch, Batch.mix_revision_id == MixRevision.id)
        .where(Batch.id.in_(own_batches))
        .limit(1)
    )
    # Of another maker's cement every "ours minus theirs" would be turned round.
    if own is None or own.origin != "own" or grade is None:
        raise refuse("compared_with_id", _("needs a trial with our own cement and a mix with a grade"))
    # At equal strength means at the mean strength that the grade needs, not at the grade itself.
    try:
        target, _deviation = target_strength(grade)
    except RuleInputError as error:  # of a grade that the code does not know, as of 150 MPa
        raise refuse("compared_with_id", told_refusal(error), grade) from None
    try:
        found = asdict(
            outward_comparison(
                own.id, values.compared_with_id, round_half_even(target, Decimal("0.1")), with_cost=False
            )
        )
    except Refused as error:
        raise refuse("compared_with_id", "; ".join(str(p.message) for p in error.problems)) from None
    return found if found.get("binder_difference_kg_m3") else None


def _cards(card_ids: Sequence[int], language: str) -> list[int]:
    if not card_ids:
        return []
    query = select(AdviceCard.id).where(
        AdviceCard.id.in_(card_ids), AdviceCard.language == language, AdviceCard.retired_at.is_(None)
    )
    return sorted(current_session().scalars(query))
