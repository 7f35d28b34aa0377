"""Which advice fits a complaint, a batch or a mix, and why; and which past complaints are like it.

A condition is a fact that can be read from the records; it says in words what it found, so that the reader sees why a
card came up. The cards themselves are data (lims/aftersales/shipped.py ships the first ones).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from lims.base.database import current_session
from lims.base.display import format_decimal, local_time, local_today
from lims.base.security import may
from lims.base.services import SERVICES
from lims.base.words import reading_language
from lims.materials.models import AggregateSample, CementLot
from lims.mixes.models import MixRevision
from lims.searching.service import most_alike
from lims.standards.aggregates import impurity_limits
from lims.trials.models import Batch, BatchLot
from lims.trials.warnings import USUAL_GRADE_MPA

if TYPE_CHECKING:
    from lims.aftersales.models import AdviceCard, Complaint, ComplaintFact
    from lims.customers.models import ScaleCheck
    from lims.mixes.models import MixDesign

#: Concrete is protected from here on, degC: air for winter work (JGJ/T 104), air for hot weather (the source document).
FROST_BELOW_C = Decimal(5)
HOT_ABOVE_C = Decimal(30)
#: More cement than this no longer makes a usual concrete stronger, kg/m3 (JGJ 55 leaves the range there).
RICH_ABOVE_KG_M3 = Decimal(550)
#: A slump so far above the plan was made with water, mm.
SLUMP_ABOVE_MM = Decimal(30)
#: The latest castings of a mix that are looked at.
BATCHES_OF_MIX = 8
SIMILAR_SHOWN = 5
#: Candidates that are compared letter by letter.
SIMILAR_READ = 200
#: Share of common letters below which two cases are not alike.
LEAST_LIKENESS = 0.06
#: Added for the same category.
SAME_CATEGORY = 0.25

CONDITIONS: dict[str, Any] = {
    "lot-old": _l("Cement lot over three months"),
    "water-above-plan": _l("Water above plan"),
    "hot-weather": _l("Hot weather"),
    "frost": _l("Frost"),
    "rich-mix": _l("Very much cement"),
    "dirty-aggregate": _l("Aggregate not clean"),
    "scale-wrong": _l("Scale wrong or never checked"),
}


@dataclass(slots=True)
class Situation:
    """What is known about a case when advice is looked for."""

    day: date
    #: Which of several cases it is; goes before the reasons.
    about: str = ""
    lots: list[CementLot] = field(default_factory=list)
    samples: list[AggregateSample] = field(default_factory=list)
    scale_checks: list[ScaleCheck] | None = None
    temperature_c: Decimal | None = None
    water_used_kg_m3: Decimal | None = None
    water_planned_kg_m3: Decimal | None = None
    slump_mm: Decimal | None = None
    slump_planned_mm: Decimal | None = None
    cement_kg_m3: Decimal | None = None
    #: Of the concrete that the samples went into.
    grade_mpa: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A card with the reasons why it came up."""

    card: AdviceCard
    reasons: tuple[str, ...]


def _lot_old(case: Situation) -> str:
    for lot in case.lots:
        since = lot.fresh_by(case.day)
        if since is not None and lot.too_old_on(case.day):
            return str(_("Lot %(lot)s was %(days)s days old.", lot=lot.code, days=(case.day - since).days))
    return ""


def _water(case: Situation) -> str:
    used, planned = case.water_used_kg_m3, case.water_planned_kg_m3
    if used is not None and planned is not None and used > planned:
        return str(
            _(
                "%(used)s kg/m³ of water instead of %(planned)s.",
                used=format_decimal(used),
                planned=format_decimal(planned),
            )
        )
    slump, wanted = case.slump_mm, case.slump_planned_mm
    if slump is not None and wanted is not None and slump > wanted + SLUMP_ABOVE_MM:
        return str(
            _(
                "Slump %(slump)s mm instead of %(planned)s.",
                slump=format_decimal(slump),
                planned=format_decimal(wanted),
            )
        )
    return ""


def _hot(case: Situation) -> str:
    if case.temperature_c is not None and case.temperature_c >= HOT_ABOVE_C:
        return str(_("It was %(degrees)s °C.", degrees=format_decimal(case.temperature_c)))
    return ""


def _frost(case: Situation) -> str:
    if case.temperature_c is not None and case.temperature_c < FROST_BELOW_C:
        return str(_("It was %(degrees)s °C.", degrees=format_decimal(case.temperature_c)))
    return ""


def _rich(case: Situation) -> str:
    if case.cement_kg_m3 is not None and case.cement_kg_m3 > RICH_ABOVE_KG_M3:
        return str(_("%(mass)s kg/m³ of cement.", mass=format_decimal(case.cement_kg_m3)))
    return ""


def _dirty(case: Situation) -> str:
    for sample in case.samples:
        aggregate = "sand" if sample.aggregate_source.kind == "fine" else "stone"
        limits = impurity_limits(
            aggregate, case.grade_mpa or USUAL_GRADE_MPA
        )  # as when the batch was registered
        if sample.mud_percent is not None and sample.mud_percent > limits["mud"]:
            return str(
                _(
                    "Sample %(sample)s has %(percent)s %% of mud.",
                    sample=sample.code,
                    percent=format_decimal(sample.mud_percent),
                )
            )
    return ""


def _scale(case: Situation) -> str:
    if case.scale_checks is None:
        return ""
    for check in case.scale_checks:
        if check.wrong:
            return str(
                _(
                    "The scale %(scale)s delivered %(percent)s %% of what it showed.",
                    scale=check.scale,
                    percent=format_decimal(check.delivered_percent),
                )
            )
    return "" if case.scale_checks else str(_("No check of the customer's scale is on the usage card."))


TESTS: dict[str, Callable[[Situation], str]] = {
    "lot-old": _lot_old,
    "water-above-plan": _water,
    "hot-weather": _hot,
    "frost": _frost,
    "rich-mix": _rich,
    "dirty-aggregate": _dirty,
    "scale-wrong": _scale,
}


def situation_of_batch(batch: Batch) -> Situation:
    """What a batch of ours tells."""
    design = batch.mix_revision.mix_design
    case = Situation(day=local_time(batch.cast_at or batch.created_at).date())
    if batch.cement_lot is not None:
        case.lots.append(batch.cement_lot)
    if batch.aggregate_sample is not None:
        case.samples.append(batch.aggregate_sample)
    case.samples += [lot.aggregate_sample for lot in batch.lots if lot.aggregate_sample is not None]
    case.grade_mpa = design.grade_mpa
    case.temperature_c = batch.ambient_temperature_c
    case.slump_mm, case.slump_planned_mm = batch.slump_mm, design.slump_mm
    case.water_used_kg_m3 = batch.water_used_kg_m3
    case.water_planned_kg_m3 = batch.mix_revision.water_kg_m3 or None
    case.cement_kg_m3 = batch.mix_revision.mass_of("cement")
    return case


def situations_of_mix(mix: MixDesign) -> list[Situation]:
    """What the latest castings of a mix tell, each by its batch, and the recipe as it stands: three statements.

    The days, the slumps and the lots of a mix are those of its batches; whoever reads none of them sees the recipe.
    """
    found = []
    if may("read", "batches"):
        query = (
            select(Batch)
            .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
            .where(
                MixRevision.mix_design_id == mix.id,
                Batch.cast_at.is_not(None),
                Batch.retired_at.is_(None),
                *SERVICES["batches"].visible(),
            )
            .options(
                joinedload(Batch.cement_lot),
                joinedload(Batch.aggregate_sample).joinedload(AggregateSample.aggregate_source),
                selectinload(Batch.lots)
                .joinedload(BatchLot.aggregate_sample)
                .joinedload(AggregateSample.aggregate_source),
                joinedload(Batch.mix_revision).joinedload(MixRevision.mix_design),
            )
            .order_by(Batch.cast_at.desc(), Batch.id.desc())
            .limit(BATCHES_OF_MIX)
        )
        for batch in current_session().scalars(query).unique():
            case = situation_of_batch(batch)
            case.about = batch.code
            found.append(case)
    if mix.latest is not None:
        today = local_today()
        found.append(Situation(today, mix.latest.code, cement_kg_m3=mix.latest.mass_of("cement")))
    return found


def situation_of_complaint(
    complaint: Complaint, lots: Iterable[CementLot], facts: Iterable[ComplaintFact]
) -> Situation:
    """What the lots, the measured facts and the usage cards of a complaint tell."""
    from lims.customers.models import ScaleCheck, UsageCard

    case = Situation(day=local_time(complaint.received_at).date(), lots=list(lots))
    numbers = {fact.checklist_item.code.partition(".")[2]: fact.number for fact in facts}
    case.temperature_c = numbers.get("temperature_c")
    case.water_used_kg_m3 = numbers.get("water_used_kg_m3")
    case.water_planned_kg_m3 = numbers.get("water_planned_kg_m3")
    case.cement_kg_m3 = numbers.get("cement_kg_m3")
    query = (
        select(ScaleCheck)
        .join(UsageCard, UsageCard.id == ScaleCheck.usage_card_id)
        .where(
            UsageCard.customer_id == complaint.customer_id,
            UsageCard.retired_at.is_(None),
            ScaleCheck.retired_at.is_(None),
        )
        .order_by(ScaleCheck.checked_on, ScaleCheck.id)
    )
    latest = {(check.usage_card_id, check.scale): check for check in current_session().scalars(query)}
    case.scale_checks = list(latest.values())
    return case


def matching_cards(*cases: Situation, category: str = "") -> list[Match]:
    """Cards that fit, in the reader's language, those with the most reasons first.

    Of several cases each condition is told once, by the first case in which it holds.
    """
    from lims.aftersales.models import AdviceCard
    from lims.aftersales.schemas import CATEGORIES

    cards = cards_in_language(
        current_session().scalars(
            select(AdviceCard).where(AdviceCard.retired_at.is_(None)).order_by(AdviceCard.code)
        )
    )
    holds: dict[str, str] = {}
    for case in cases:
        for name, test in TESTS.items():
            if name not in holds and (words := test(case)):
                told = str(_("%(name)s: %(what)s", name=case.about, what=words))
                holds[name] = told if case.about else words
    found = []
    for card in cards:
        reasons = [holds[name] for name in (card.conditions or "").split(",") if name in holds]
        if category and category in (card.categories or "").split(","):
            reasons.append(_("Belongs to “%(category)s”.", category=CATEGORIES[category]))
        if reasons:
            found.append(Match(card, tuple(reasons)))
    # A fact of this case says more than its category.
    found.sort(key=lambda match: (-len(match.reasons), match.card.code))
    return found


def cards_in_language(cards: Iterable[AdviceCard]) -> list[AdviceCard]:
    """One card of each rule: in the reader's language, else in English, else in what there is."""
    wanted = reading_language()
    order = {wanted: 0, "zh" if wanted == "zh_TW" else "en": 1, "en": 2}
    best: dict[str, AdviceCard] = {}
    for card in cards:
        key = card.rule or card.code
        known = best.get(key)
        if known is None or order.get(card.language, 3) < order.get(known.language, 3):
            best[key] = card
    return list(best.values())


def similar_complaints(complaint: Complaint, conditions: Iterable[Any] = ()) -> list[tuple[Complaint, int]]:
    """Past cases like this one with their likeness in %, the most alike first.

    Found by words through the search index, however old they are, and by category; the letters of subject, story and
    cause, and the category, put them in order. Only what the asking person may know of, by `conditions`, is looked at.
    """
    from lims.aftersales.models import Complaint

    words = f"{complaint.subject} {complaint.description or ''} {complaint.cause or ''}"
    past = (
        Complaint.id != complaint.id,
        Complaint.state.in_(("solved", "closed")),
        Complaint.retired_at.is_(None),
        *conditions,
    )
    session = current_session()
    by_words = select(Complaint).where(Complaint.id.in_(most_alike("complaints", words, SIMILAR_READ)), *past)
    found = {other.id: other for other in session.scalars(by_words)}
    if complaint.category != "other":
        of_kind = (
            select(Complaint)
            .where(Complaint.category == complaint.category, *past)
            .order_by(Complaint.id.desc())
            .limit(SIMILAR_READ)
        )
        found |= {other.id: other for other in session.scalars(of_kind)}
    mine = _letters(words)
    scored = []
    for other in found.values():
        theirs = _letters(f"{other.subject} {other.description or ''} {other.cause or ''}")
        alike = len(mine & theirs) / len(mine | theirs) if mine | theirs else 0.0
        same = complaint.category == other.category and complaint.category != "other"
        if alike >= LEAST_LIKENESS or same:
            scored.append((other, min(100, round(100 * (alike + SAME_CATEGORY * same)))))
    scored.sort(key=lambda pair: (-pair[1], -pair[0].id))
    return scored[:SIMILAR_SHOWN]


def _letters(text: str) -> set[str]:
    """Runs of three letters of words, of two of Chinese: what a text is made of, whatever its language."""
    found: set[str] = set()
    for word in unicodedata.normalize("NFKC", text).lower().split():
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in word)
        size = 2 if chinese else 3
        plain = "".join(letter for letter in word if letter.isalnum())
        found |= {plain[i : i + size] for i in range(max(1, len(plain) - size + 1))} if plain else set()
    return found
