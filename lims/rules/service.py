"""Sign-off, the laboratory's own editions, and judging a set again under another rule."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import func, select

from lims.base.actor import Actor
from lims.base.database import current_session
from lims.base.display import local_today
from lims.base.problems import NotFound, Problem, Refused, refuse
from lims.base.services import RecordService
from lims.results.models import Break, SetResult
from lims.results.service import breaks_of, get_set, result_of
from lims.rules.answers import refusal
from lims.rules.models import RuleEdition, RuleSignoff
from lims.rules.schemas import RuleEditionIn, RuleSignoffIn
from lims.standards.errors import RuleInputError
from lims.standards.grades import GB_GRADES_MPA
from lims.standards.register import REGISTER
from lims.standards.register.rule import Answer, Rule
from lims.standards.specimens import (
    SET_OF_THREE_RULE,
    SETS_OF_THREE,
    SHAPES_OF_RULES,
    factor_beside_set,
    untested_factor,
)
from lims.standards.words import N_, said
from lims.trials.plan import LIMIT_PLACES, SHOTCRETE_SOURCES
from lims.trials.plan import SOURCES as PLAN_SOURCES
from lims.trials.schemas import SHAPES


class RuleSignoffService(RecordService[RuleSignoff]):
    record = RuleSignoff
    schema = RuleSignoffIn
    search_columns = ("rule_id", "document")
    filter_columns = ("rule_id",)
    order_columns = ("rule_id", "checked_on", "created_at")

    def before_add(self, record: RuleSignoff, values: RuleSignoffIn, actor: Actor) -> None:
        if record.checked_on > local_today():
            raise refuse("checked_on", _("lies in the future; accepted: today or earlier"), record.checked_on)
        record.edition = REGISTER.by_id[record.rule_id].edition

    def changeable(self, record: RuleSignoff) -> bool:
        return False

    def before_edit(self, record: RuleSignoff, values: Any, actor: Actor) -> None:
        raise refuse("", _("a confirmation is not changed; accepted: take it out of use and confirm again"))


class RuleEditionService(RecordService[RuleEdition]):
    record = RuleEdition
    schema = RuleEditionIn
    search_columns = ("rule_id", "reason")
    filter_columns = ("rule_id",)
    order_columns = ("rule_id", "number", "effective_on")

    def before_add(self, record: RuleEdition, values: RuleEditionIn, actor: Actor) -> None:
        rule = REGISTER.by_id[record.rule_id]
        if not rule.configurable:
            raise refuse("rule_id", _("leaves nothing to the laboratory"), rule.id)
        fields = {field.name: field for field in rule.fields if field.name in rule.configurable}
        problems = []
        for name, given in values.settings.items():
            if name not in fields:
                accepted = ", ".join(rule.configurable)
                problems.append(
                    Problem(
                        "settings",
                        _("“%(name)s” is not open; accepted: %(what)s", name=name[:40], what=accepted),
                        given,
                    )
                )
                continue
            try:
                value = fields[name].parse(given, name)
                # What a record keeps beside it, or a form of a batch begins with, has so many places.
                kept = rule.id.startswith(("shotcrete/", "site/"))
                if kept and isinstance(value, Decimal) and _too_fine(value):
                    what = said(N_("a number with at most %(places)s decimal places"), places=LIMIT_PLACES)
                    raise RuleInputError(name, given, what)
            except RuleInputError as error:
                problems.append(Problem("settings", refusal(rule, error), given))
        if not values.settings:
            problems.append(Problem("settings", _("is required: at least one value"), ""))
        if problems:
            raise Refused(problems)
        last = current_session().scalar(
            select(func.max(RuleEdition.number)).where(RuleEdition.rule_id == rule.id)
        )
        record.number = (last or 0) + 1
        record.settings = json.dumps(values.settings, sort_keys=True)

    def changeable(self, record: RuleEdition) -> bool:
        return False

    def before_edit(self, record: RuleEdition, values: Any, actor: Actor) -> None:
        raise refuse("", _("an edition is never changed; accepted: a new edition"))


def _too_fine(limit: Decimal) -> bool:
    scaled = limit.scaleb(LIMIT_PLACES)
    return scaled != scaled.to_integral_value()


def rule_of(rule_id: str) -> Rule:
    """Raises: NotFound."""
    rule = REGISTER.by_id.get(rule_id)
    if rule is None:
        raise NotFound(f"rules {rule_id[:60]}")
    return rule


def signoff_of(rule: Rule) -> RuleSignoff | None:
    """The last confirmation of this edition of the rule, or None."""
    query = (
        select(RuleSignoff)
        .where(
            RuleSignoff.rule_id == rule.id,
            RuleSignoff.edition == rule.edition,
            RuleSignoff.retired_at.is_(None),
        )
        .order_by(RuleSignoff.id.desc())
        .limit(1)
    )
    return current_session().scalars(query).one_or_none()


def confirmed_rules() -> frozenset[str]:
    """Ids of rules whose present edition somebody confirmed."""
    rows = current_session().execute(
        select(RuleSignoff.rule_id, RuleSignoff.edition).where(RuleSignoff.retired_at.is_(None))
    )
    return frozenset(
        rule_id
        for rule_id, edition in rows
        if rule_id in REGISTER.by_id and REGISTER.by_id[rule_id].edition == edition
    )


def unconfirmed(rule_ids: Iterable[str]) -> list[Rule]:
    """Those of these rules that the laboratory has not confirmed against its own copy: certificates list them."""
    confirmed = confirmed_rules()
    wanted = dict.fromkeys(rule_ids)
    return [REGISTER.by_id[name] for name in wanted if name in REGISTER.by_id and name not in confirmed]


def edition_in_force(rule: Rule, on: date | None = None) -> RuleEdition | None:
    """The laboratory's own edition that is effective on a day (today), or None."""
    query = (
        select(RuleEdition)
        .where(
            RuleEdition.rule_id == rule.id,
            RuleEdition.retired_at.is_(None),
            RuleEdition.effective_on <= (on or local_today()),
        )
        .order_by(RuleEdition.effective_on.desc(), RuleEdition.number.desc())
        .limit(1)
    )
    return current_session().scalars(query).one_or_none()


def evaluate(rule: Rule, given: Mapping[str, Any]) -> tuple[Answer, RuleEdition | None]:
    """The rule's answer with the laboratory's own edition where there is one. Raises: RuleInputError."""
    edition = edition_in_force(rule) if rule.configurable else None
    return rule.evaluate(given, edition.values() if edition is not None else None), edition


@dataclass(frozen=True, slots=True)
class Comparison:
    """The issued verdict of a set beside another rule's on the same breaks; `problem` when it cannot judge them."""

    issued: SetResult
    rule: Rule
    answer: Answer | None
    problem: str


#: Rules that can judge the breaks of one set.
JUDGING = tuple(rule for rule in REGISTER.rules if rule.judges)


def compare(set_id: int, rule: Rule) -> Comparison:
    """Judge a set's breaks again under another rule; nothing is written. Raises: NotFound, Refused."""
    found = get_set(set_id)
    issued = result_of(set_id)
    if issued is None:
        raise refuse("specimen_set_id", _("has no result yet; accepted: a set that was entered"), found.code)
    if not rule.judges:
        raise refuse("rule", _("does not judge the breaks of a set"), rule.id)
    breaks: dict[int, Break] = breaks_of([specimen.id for specimen in found.specimens])
    ordered = [breaks[specimen.id] for specimen in found.specimens if specimen.id in breaks]
    judging = rule
    if rule.id == SET_OF_THREE_RULE and issued.rule_id in SETS_OF_THREE:
        # The same clause: a strength that is kept to four places would miss exactly 15 %, and exactly half of a digit.
        judging = REGISTER.by_id[issued.rule_id]
    names = {field.name for field in judging.fields}
    given: dict[str, Any] = {}
    width = found.specimens[0].width_mm if found.specimens else None
    shape = found.specimens[0].shape if found.specimens else ""
    if SHAPES_OF_RULES.get(judging.id, shape) != shape:
        # The area is that of the other shape, and what a cube bears is no test of a cylinder.
        wanted = SHAPES[SHAPES_OF_RULES[judging.id]]
        return Comparison(
            issued,
            rule,
            None,
            _(
                "Shape of the specimens: %(shape)s; accepted: %(what)s",
                shape=SHAPES.get(shape, shape),
                what=wanted,
            ),
        )
    if judging.judges == "loads":
        given["loads_kn"] = [None if item.load_kn is None else f"{item.load_kn:f}" for item in ordered]
    else:
        # On the scale of the issued result: that of the 150 mm cube.
        factor = factor_beside_set(issued.rule_id, width)
        given["strengths_mpa"] = [f"{item.strength_mpa * factor:f}" for item in ordered]
    for name in ("edge_mm", "diameter_mm"):
        if name in names and width is not None:
            given[name] = f"{width:f}"
    grade: Decimal | None = found.batch.mix_revision.mix_design.grade_mpa
    # Of a grade between those of GB, as of C30/37, the one below: on the same side of C60, which is what is asked.
    asked = max((known for known in GB_GRADES_MPA if grade is not None and known <= grade), default=None)
    if "grade_mpa" in names and asked is not None:
        given["grade_mpa"] = f"{asked:f}"
    if "size_factor" in names and width is not None:
        taken = untested_factor(found.specimens[0].shape, width, grade)
        if taken is not None:  # as when the set was entered
            given["size_factor"] = f"{taken:f}"
    try:
        return Comparison(issued, rule, evaluate(judging, given)[0], "")
    except RuleInputError as error:
        return Comparison(issued, rule, None, refusal(judging, error))


def _own_sampling_plan() -> Mapping[str, str]:
    edition = edition_in_force(REGISTER.by_id["site/sets-per-volume"])
    return edition.values() if edition is not None else {}


def _own_shotcrete_limits(day: date) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for rule in REGISTER.rules:
        if rule.id.startswith("shotcrete/"):
            edition = edition_in_force(rule, day)
            found |= edition.values() if edition is not None else {}
    return found


PLAN_SOURCES.append(_own_sampling_plan)
SHOTCRETE_SOURCES.append(_own_shotcrete_limits)
