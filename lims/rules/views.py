"""The register, each rule with its calculator, sign-off, own editions, and judging a set again."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import actor_names, format_decimal, local_time
from lims.base.problems import Refused
from lims.base.security import current_actor, may
from lims.base.services import SERVICES
from lims.base.views import GuardedView, MenuPlace, RecordView
from lims.base.words import cited, told
from lims.results.schemas import BASES
from lims.results.service import get_set
from lims.rules.answers import LABELS, OPTIONS, field_label, refusal, rows
from lims.rules.calculator import as_text, controls, read_form
from lims.rules.models import RuleEdition
from lims.rules.service import (
    JUDGING,
    RuleEditionService,
    RuleSignoffService,
    compare,
    confirmed_rules,
    edition_in_force,
    evaluate,
    rule_of,
    signoff_of,
)
from lims.standards.errors import RuleInputError
from lims.standards.register import REGISTER
from lims.standards.register.rule import PROVENANCE, Rule

ORIGIN_WORDS = {
    "S": _l("seen in a public implementation, a worked answer or a summary of the standard"),
    "R": _l("recalled from general knowledge of the standard; not seen"),
    "C": _l("computed by hand from the rule"),
}
assert set(ORIGIN_WORDS) == set(PROVENANCE)
#: jgj55-2011/proportion -> component of a recipe.
RECIPE = {
    "water_kg_m3": "water_kg_m3",
    "cement_kg_m3": "cement_kg_m3",
    "fly_ash_kg_m3": "fly_ash_kg_m3",
    "slag_kg_m3": "slag_kg_m3",
    "sand_kg_m3": "fine_aggregate_kg_m3",
    "stone_kg_m3": "coarse_aggregate_kg_m3",
}
PROPORTION = "jgj55-2011/proportion"


class RulesView(GuardedView):
    """/rules/"""

    route_base = "/rules"
    default_view = "register"
    permission_on = "rules"
    title = _l("Rules")
    menu = MenuPlace("trials", order=100, icon="certificate")

    @expose("/")
    @permission_name("read")
    def register(self) -> ResponseReturnValue:
        self.allow("read")
        words = request.args.get("q", "")[:100].strip().lower()
        confirmed = confirmed_rules()
        groups: dict[str, list[dict[str, Any]]] = {}
        for rule in REGISTER.rules:
            title = _(rule.title)
            if words and words not in f"{rule.id} {rule.code} {rule.title} {title}".lower():
                continue
            groups.setdefault(_(rule.subject), []).append(
                {"rule": rule, "title": title, "confirmed": rule.id in confirmed}
            )
        return self._page(
            "lims/rules.html",
            groups=groups,
            search=words,
            total=len(REGISTER.rules),
            confirmed=len(confirmed),
            told=told,
            recalled=sum(1 for rule in REGISTER.rules if rule.recalled),
        )

    @expose("/<path:rule_id>", methods=["GET", "POST"])
    @permission_name("read")
    def show(self, rule_id: str) -> ResponseReturnValue:
        """A rule; posted numbers are computed with and nothing is stored."""
        self.allow("read")
        rule = rule_of(rule_id)
        if request.method == "GET":
            own = edition_in_force(rule) if rule.configurable else None
            # The example's numbers, but for what the laboratory has set: typed here they would go before its edition.
            set_by_own = own.values() if own is not None else {}
            example = {name: value for name, value in rule.vectors[0].given.items() if name not in set_by_own}
            return self._rule(rule, as_text(rule, example), answer=None, refused=None)
        posted = request.form.to_dict()
        try:
            answer, _edition = evaluate(rule, read_form(rule, posted))
        except RuleInputError as error:
            return self._rule(rule, posted, answer=None, refused=(error.field, refusal(rule, error))), 422
        return self._rule(rule, posted, answer=answer, refused=None)

    @expose("/save-mix", methods=["POST"])
    @permission_name("write")
    def save_mix(self) -> ResponseReturnValue:
        """Keep a computed proportion as a mix, or as a revision of one."""
        from lims.base.security import require

        require("write", "mix-designs")
        rule = rule_of(PROPORTION)
        posted = request.form.to_dict()
        try:
            answer, _edition = evaluate(rule, read_form(rule, posted))
        except RuleInputError as error:
            return self._rule(rule, posted, answer=None, refused=(error.field, refusal(rule, error))), 422
        masses = {column: answer[name] for name, column in RECIPE.items() if answer[name] != "0"}
        # 30.0 is C30 as well: what is called otherwise would be judged as a grade of its own.
        grade = format_decimal(Decimal(posted["grade_mpa"].strip()))
        design = posted.get("mix_design_id", "").strip()
        try:
            if design:
                revision = SERVICES["mix-revisions"].add(
                    {"mix_design_id": design, "reason": _("proportioned by JGJ 55-2011"), **masses},
                    current_actor(),
                )
                mix_id = revision.mix_design_id
            else:
                mix = SERVICES["mix-designs"].add(
                    {
                        "code": posted.get("mix_code", ""),
                        "strength_class": f"C{grade}",
                        "slump_mm": posted.get("slump_mm", ""),
                        "notes": _("proportioned by JGJ 55-2011"),
                        **masses,
                    },
                    current_actor(),
                )
                mix_id = mix.id
        except Refused as error:
            problem = error.problems[0]
            label = _label_of_mix(rule, problem.field)
            words = str(problem.message)
            words = _("%(name)s: %(what)s", name=label, what=words) if label else words
            return self._rule(rule, posted, answer=answer, refused=("mix_code", words)), 422
        flash(_("Saved as a mix."), "success")
        return redirect(url_for("MixDesignView.show", record_id=mix_id))

    @expose("/compare/<int:set_id>")
    @permission_name("read")
    def compare(self, set_id: int) -> ResponseReturnValue:
        """The issued verdict of a set beside what another rule says of the same breaks."""
        from lims.base.security import require

        require("read", "set-results")
        found = get_set(set_id)
        chosen = rule_of(request.args.get("rule", JUDGING[1].id))
        return self._page(
            "lims/rule_compare.html",
            found=found,
            comparison=(comparison := compare(set_id, chosen)),
            answer_rows=rows(comparison.answer) if comparison.answer else [],
            choices=[(rule.id, f"{cited(rule.code, rule.edition)} · {_(rule.title)}") for rule in JUDGING],
            chosen=chosen,
            bases=BASES,
        )

    def _rule(
        self,
        rule: Rule,
        given: Mapping[str, str],
        *,
        answer: dict[str, Any] | None,
        refused: tuple[str, str] | None,
    ) -> str:
        """`refused`: the field that could not be taken, and why, in words."""
        own = edition_in_force(rule) if rule.configurable else None
        signoff = signoff_of(rule)
        editions = list(
            current_session().scalars(
                select(RuleEdition).where(RuleEdition.rule_id == rule.id).order_by(RuleEdition.number.desc())
            )
        )
        names = actor_names({signoff.created_by} if signoff else set())
        return self._page(
            "lims/rule.html",
            rule=rule,
            title=_(rule.title),
            formula=_(rule.formula),
            numbers=[(told(name), value) for name, value in rule.numbers],
            sources=[told(source) for source in rule.sources],
            provenance=[(_(what), mark, ORIGIN_WORDS[mark]) for what, mark in rule.provenance],
            controls=controls(rule, given, own.values() if own else {}),
            configurable=[field for field in rule.fields if field.name in rule.configurable],
            field_words=_,
            option_words=OPTIONS,
            answer=answer,
            answer_rows=rows(answer) if answer else [],
            refused=refused,
            told=told,
            signoff=signoff,
            signoff_by=names.get(signoff.created_by, "") if signoff else "",
            own=own,
            by_own=own is not None and answer is not None and _goes_by(rule, own, given),
            editions=editions,
            today=f"{local_time(utc_now()):%Y-%m-%d}",
            may_sign=may("write", "rule-signoffs"),
            may_set=may("write", "rule-editions"),
            may_save=rule.id == PROPORTION and may("write", "mix-designs"),
            given=given,
            chosen_mix=_chosen_mix(given.get("mix_design_id", "")),
        )

    def _page(self, template: str, **context: Any) -> str:
        rendered: str = self.render_template(template, view=self, **context)
        return rendered


def _goes_by(rule: Rule, own: RuleEdition, given: Mapping[str, str]) -> bool:
    """Was everything that the edition sets computed with as it sets it? What was typed otherwise goes before it. `given`:
    what the rule has answered to."""
    fields = {field.name: field for field in rule.fields}
    return all(
        not given.get(name, "").strip()
        or fields[name].parse(given[name].strip(), name) == fields[name].parse(value, name)
        for name, value in own.values().items()
    )


def _label_of_mix(rule: Rule, name: str) -> str:
    """What the calculator calls a field of the mix that it saves."""
    if name == "code":
        return str(_("Save as a new mix with the code"))
    if name == "mix_design_id":
        return str(_("or as a revision of"))
    of_answer = next((key for key, column in RECIPE.items() if column == name), name)
    if of_answer in LABELS:
        return str(LABELS[of_answer][0])
    wanted = "grade_mpa" if name == "strength_class" else name
    return next((field_label(field) for field in rule.fields if field.name == wanted), name)


def _chosen_mix(key: str) -> tuple[str, str]:
    """(id, title) of the mix that was chosen in the form, so that it stands there again."""
    found = SERVICES["mix-designs"].find(id=int(key)) if key.isdecimal() and len(key) < 19 else None
    return (key, found.title) if found is not None else ("", "")


class RuleSignoffView(RecordView):
    service = RuleSignoffService()
    title = _l("Confirmations of rules")
    title_one = _l("Confirmation of a rule")
    list_columns = ("rule_id", "edition", "document", "checked_on", "created_by")
    labels = {"rule_id": _l("Rule"), "edition": _l("Edition")}
    show_sections = ((_l("Confirmation"), ("rule_id", "edition", "document", "checked_on", "note")),)

    def after_add(self, record: Any) -> str:
        return url_for("RulesView.show", rule_id=record.rule_id)


class RuleEditionView(RecordView):
    service = RuleEditionService()
    title = _l("Own editions of rules")
    title_one = _l("Own edition of a rule")
    list_columns = ("rule_id", "number", "settings", "effective_on", "reason")
    labels = {"rule_id": _l("Rule"), "number": _l("No."), "settings": _l("Values")}
    show_sections = ((_l("Edition"), ("rule_id", "number", "settings", "effective_on", "reason")),)

    def after_add(self, record: Any) -> str:
        return url_for("RulesView.show", rule_id=record.rule_id)


VIEWS = (RulesView, RuleSignoffView, RuleEditionView)
