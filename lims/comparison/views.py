"""Pages of prices, comparisons, changes at the works and trials for a customer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.display import Cell, local_time, show_ages, show_day, tenths
from lims.base.fields import Day
from lims.base.forms import build_form
from lims.base.problems import Problem, Refused, refuse
from lims.base.schemas import Schema
from lims.base.security import may
from lims.base.views import GuardedView, MenuPlace, RecordView, address_of
from lims.comparison.charts import day_of, laws_chart, lots_chart
from lims.comparison.models import Comparison, ProcessChange
from lims.comparison.optimum import optimum_for
from lims.comparison.outcome import Outcome
from lims.comparison.paper import comparison_pdf
from lims.comparison.programme import materials_of, old_pits, today, weeks
from lims.comparison.schemas import (
    CHANGED,
    TRIAL_FILTERS,
    ComparisonQuestion,
    OptimumQuestion,
    monday,
)
from lims.comparison.service import (
    Answer,
    ComparisonService,
    CustomerMaterialService,
    PriceService,
    ProcessChangeService,
    ProgrammeEntryService,
    answer_to,
    batches_named,
    outcome_of_record,
)
from lims.comparison.sides import side_rows, span_signed
from lims.comparison.words import (
    LAW_NAMES,
    admixture_words,
    bag_words,
    doubt_words,
    effect_words,
    headline,
    note_words,
)
from lims.comparison.works import effects_of
from lims.customers.models import Customer
from lims.materials.models import CementProduct
from lims.mixes.schemas import COMPONENT_KINDS
from lims.trials.models import Trial

QUESTION_SECTIONS = (
    (_l("Cements"), ("own_id", "other_id")),
    (_l("At equal strength"), ("target_mpa", "age_days", "water_kg_m3", "slump_mm")),
    (
        _l("Which trials"),
        TRIAL_FILTERS,
    ),
)


def visible(found: Outcome) -> Outcome:
    """Without money for those who do not read prices."""
    if may("read", "prices"):
        return found
    return replace(
        found, cost_own=None, cost_other=None, cost_difference=None, prices_missing=(), prices_left_out=()
    )


def in_words(found: Outcome) -> dict[str, Any]:
    prices = may("read", "prices")
    return {
        "headline": headline(found, prices=prices),
        "bags": bag_words(found),
        "admixture": admixture_words(found),
        "notes": note_words(found),
        "law": LAW_NAMES[found.law],
        "laws": {name: LAW_NAMES[name] for name in found.errors_percent},
    }


def asked_of(schema: type[Schema]) -> dict[str, Any]:
    """The question in the address, cut to what a field may hold."""
    names = {item.name for item in schema.inputs()}
    return {name: value[:60] for name, value in request.args.items() if name in names and value}


class PriceView(RecordView):
    service = PriceService()
    title = _l("Prices")
    title_one = _l("Price")
    menu = MenuPlace("setup", order=60, icon="tag")
    list_columns = ("kind", "cement_product", "region", "valid_from", "price_per_t", "remark")
    labels = {"cement_product": _l("Cement product"), "region": _l("Region")}
    show_sections = (
        (_l("Price"), ("kind", "cement_product", "region", "valid_from", "price_per_t", "remark")),
    )
    empty_hint = _l("Add the price of each cement, mineral admixture, water reducer and aggregate per tonne.")


class ComparisonView(RecordView):
    """Kept comparisons; asking is on the page of CementComparisonView."""

    service = ComparisonService()
    title = _l("Saved comparisons")
    title_one = _l("Comparison")
    menu = None
    list_columns = (
        "code",
        "name",
        "own",
        "other",
        "target_mpa",
        "binder_difference_kg_m3",
        "told_apart",
        "cost_difference_per_m3",
        "created_at",
    )
    labels = {
        "own": _l("Own cement"),
        "other": _l("Compared with"),
        "told_apart": _l("Told apart"),
        "binder_difference_kg_m3": _l("Binder, own minus other"),
        "cost_difference_per_m3": _l("Cost, own minus other"),
        "customer": _l("Customer"),
        "earlier": _l("Follows"),
        "priced_on": _l("Prices of"),
        "region": _l("Region"),
        "trial": _l("Only this trial"),
        "aggregate_source": _l("Aggregate"),
        "admixture_lot": _l("Admixture"),
    }
    units = {"binder_difference_kg_m3": "kg/m³", "cost_difference_per_m3": "yuan/m³"}
    show_sections = (
        (
            _l("Question"),
            (
                "own",
                "other",
                "customer",
                "age_days",
                "target_mpa",
                "water_kg_m3",
                "slump_mm",
                "region",
                "trial",
                "aggregate_source",
                "admixture_lot",
                "scm",
                "cast_from",
                "cast_until",
                "priced_on",
                "earlier",
                "remarks",
            ),
        ),
    )
    form_sections = (
        (_l("Comparison"), ("name", "customer_id", "earlier_id", "remarks")),
        *QUESTION_SECTIONS,
        (_l("Prices"), ("priced_on",)),
    )
    show_template = "lims/comparison_show.html"
    empty_hint = _l("Compare two cements, then keep the comparison: a later one can stand beside it.")

    @expose("/<int:record_id>/comparison.pdf")
    @permission_name("read")
    def paper(self, record_id: int) -> ResponseReturnValue:
        self.allow("read")
        return paper_of(self.service.get(record_id))

    def show_context(self, record: Comparison) -> dict[str, Any]:
        found = visible(outcome_of_record(record))
        batches = batches_named(record)
        earlier = None
        if record.earlier is not None:
            before = visible(outcome_of_record(record.earlier))
            earlier = {"record": record.earlier, "found": before, "words": in_words(before)}
        return {
            **super().show_context(record),
            "found": found,
            "words": in_words(found),
            "batches": batches,
            "chart": laws_chart(found, batches, record.own.code, record.other.code),
            "names": (record.own.title, record.other.title),
            "prices": record.rested_on["prices_per_t"] if may("read", "prices") else None,
            "earlier": earlier,
            "side_rows": side_rows,
            "span_signed": span_signed,
        }


def paper_of(record: Comparison) -> ResponseReturnValue:
    """A kept comparison as PDF, with what the asking person may see of it."""
    earlier = record.earlier
    rows = [
        (_("Customer"), record.customer.name if record.customer is not None else "–"),
        (_("Own cement"), record.own.title),
        (_("Compared with"), record.other.title),
        (_("Kept on"), show_day(local_time(record.created_at).date())),
    ]
    if may("read", "prices"):
        rows.append((_("Prices of"), show_day(record.priced_on)))
    if record.remarks:
        rows.append((_("Remarks"), record.remarks))
    return comparison_pdf(
        visible(outcome_of_record(record)),
        batches_named(record),
        (record.own.title, record.other.title),
        title=record.name,
        code=record.code,
        rows=rows,
        earlier=(earlier.title, visible(outcome_of_record(earlier))) if earlier is not None else None,
        prices=record.rested_on["prices_per_t"] if may("read", "prices") else None,
    )


class CementComparisonView(GuardedView):
    """/cement-comparison/: the question and its answer, nothing stored until it is kept."""

    route_base = "/cement-comparison"
    default_view = "ask"
    permission_on = "comparisons"
    title = _l("Cement comparison")
    menu = MenuPlace("trials", order=60, icon="compare")

    @expose("/")
    @permission_name("read")
    def ask(self) -> ResponseReturnValue:
        self.allow("read")
        given = asked_of(ComparisonQuestion)
        answer: Answer | None = None
        problems: tuple[Problem, ...] = ()
        if "go" in request.args:
            try:
                question = ComparisonQuestion.read(given)
                answer = answer_to(question)
            except Refused as error:
                problems = tuple(error.problems)
        context: dict[str, Any] = {"answer": answer, "found": None}
        if answer is not None and answer.outcome is not None:
            found = visible(answer.outcome)
            own, other = (_product(answer.question.own_id), _product(answer.question.other_id))
            batches = answer.inputs()["batches"]
            context.update(
                found=found,
                words=in_words(found),
                batches=batches,
                chart=laws_chart(found, batches, own.code, other.code),
                names=(own.title, other.title),
                prices=answer.prices if may("read", "prices") else None,
            )
        sections = (*QUESTION_SECTIONS, *(((_l("Prices"), ("priced_on",)),) if may("read", "prices") else ()))
        form = build_form(ComparisonQuestion, {"age_days": 28, **given}, sections=sections, problems=problems)
        if not may("read", "prices"):
            form.sections = form.sections[: len(sections)]
        page: str = self.render_template(
            "lims/cement_comparison.html",
            view=self,
            address_of=address_of,
            form=form,
            given=given,
            may_keep=may("write", "comparisons"),
            side_rows=side_rows,
            **context,
        )
        return (page, 422) if problems else page

    @expose("/comparison.pdf")
    @permission_name("read")
    def paper(self) -> ResponseReturnValue:
        """The answer to the question in the address as PDF, without keeping it."""
        self.allow("read")
        answer = answer_to(ComparisonQuestion.read(asked_of(ComparisonQuestion)))
        if answer.outcome is None:
            raise refuse("", answer.reason)
        own, other = _product(answer.question.own_id), _product(answer.question.other_id)
        rows = [(_("Own cement"), own.title), (_("Compared with"), other.title)]
        return comparison_pdf(
            visible(answer.outcome),
            answer.inputs()["batches"],
            (own.title, other.title),
            title=_("Cement comparison"),
            code="",
            rows=rows,
            prices=answer.prices if may("read", "prices") else None,
        )


def _product(product_id: int) -> CementProduct:
    from lims.base.services import SERVICES

    found: CementProduct = SERVICES["cement-products"].get(product_id)
    return found


class ProcessChangeView(RecordView):
    service = ProcessChangeService()
    title = _l("Changes at the works")
    title_one = _l("Change at the works")
    menu = MenuPlace("trials", order=65, icon="history")
    list_columns = ("code", "name", "cement_product", "holds_from", "first_lot")
    labels = {"cement_product": _l("Cement"), "first_lot": _l("First lot")}
    show_sections = (
        (
            _l("Change at the works"),
            ("code", "name", "cement_product", "holds_from", "first_lot", "reason", "other_changes"),
        ),
    )
    form_sections = (
        (
            _l("Change at the works"),
            ("code", "name", "cement_product_id", "holds_from", "first_lot_id", "reason"),
        ),
        (
            _l("From and to"),
            tuple(f"{stem}_{end}{unit}" for stem, unit in CHANGED for end in ("from", "to")),
        ),
        (_l("In words"), ("other_changes",)),
    )
    show_template = "lims/process_change_show.html"
    empty_hint = _l("Note what is changed and from which day or lot it holds; its effect is tested by lots.")

    def show_context(self, record: ProcessChange) -> dict[str, Any]:
        inputs = self.inputs
        pairs = []
        for stem, unit in CHANGED:
            before, after = getattr(record, f"{stem}_from{unit}"), getattr(record, f"{stem}_to{unit}")
            if before is not None and after is not None:
                item = inputs[f"{stem}_from{unit}"]
                pairs.append(
                    {
                        "label": CHANGE_LABELS[stem],
                        "from": self.cell(record, f"{stem}_from{unit}").text,
                        "to": self.cell(record, f"{stem}_to{unit}").text,
                        "unit": item.ui.unit or getattr(item.kind, "unit", ""),
                    }
                )
        measured = []
        for item_measured in effects_of(record, prices=may("read", "prices")):
            measured.append(
                {
                    "measured": item_measured,
                    "title": MEASURE_LABELS[item_measured.name],
                    "words": effect_words(item_measured),
                    "doubts": doubt_words(item_measured.doubts),
                    "chart": lots_chart(item_measured),
                    "days": {lot.lot: day_of(lot) for lot in item_measured.lots},
                }
            )
        return {
            **super().show_context(record),
            "pairs": pairs,
            "measured": measured,
            "chosen": request.args.get("measure", "")[:20],
        }


CHANGE_LABELS = {
    "al2o3": _l("Al₂O₃ of the clinker"),
    "specific_surface": _l("Specific surface"),
    "residue_45um": _l("45 µm residue"),
    "scm": _l("Mineral admixture in it"),
    "scm_share": _l("Its share"),
    "initial_set": _l("Initial set"),
}
MEASURE_LABELS = {
    "concrete_28d": _l("Concrete of the same mixes, 28 d"),
    "mortar_28d": _l("Mortar, 28 d"),
    "mortar_3d": _l("Mortar, 3 d"),
    "water_demand": _l("Water demand of the cement"),
    "admixture": _l("Admixture of the same mixes"),
    "initial_set": _l("Initial set"),
    "residue_45um": _l("45 µm residue"),
    "specific_surface": _l("Specific surface"),
    "al2o3": _l("Al₂O₃ of the clinker"),
    "scm_share": _l("Share of mineral admixture in the cement"),
    "cost": _l("Cost of a cubic metre at equal strength"),
}


class CustomerMaterialView(RecordView):
    service = CustomerMaterialService()
    title = _l("Customers' materials")
    title_one = _l("Customer's material")
    menu = MenuPlace("customers", order=32, icon="layers")
    list_columns = ("lot", "customer", "kind", "received_on", "remark")
    labels = {"lot": _l("Sample or lot"), "customer": _l("Customer")}
    show_sections = ((_l("Material"), ("customer", "kind", "lot", "received_on", "remark")),)
    empty_hint = _l(
        "Note the customer's own sand, stone, fly ash, slag and admixture as the samples that came."
    )


class ProgrammeEntryView(RecordView):
    service = ProgrammeEntryService()
    title = _l("Programme entries")
    title_one = _l("Programme entry")
    menu = None
    list_columns = ("mix_revision", "trial", "week_of", "batches", "plan_ages", "responsible")
    labels = {"mix_revision": _l("Mix"), "trial": _l("Trial"), "week_of": _l("Week of")}
    show_sections = (
        (
            _l("Programme entry"),
            ("trial", "week_of", "mix_revision", "batches", "plan_ages", "responsible", "remark"),
        ),
    )

    def defaults(self) -> dict[str, Any]:
        return {"week_of": today() + timedelta(days=7), "plan_ages": "3,7,28"}

    def form_values(self, record: Any, schema: type[Schema]) -> dict[str, Any]:
        return {**super().form_values(record, schema), "plan_ages": record.plan_ages}

    def cell(self, record: Any, name: str) -> Cell:
        found = super().cell(record, name)
        return found._replace(text=show_ages(found.text)) if name == "plan_ages" else found


class TrialProgrammeView(GuardedView):
    """/trial-programme/: what is cast which week, for whom, and how far it is."""

    route_base = "/trial-programme"
    default_view = "show"
    permission_on = "programme-entries"
    title = _l("Trial programme")
    menu = MenuPlace("trials", order=15, icon="calendar")

    @expose("/")
    @permission_name("read")
    def show(self) -> ResponseReturnValue:
        self.allow("read")
        around = _day_asked("week") or today()
        trial_id = _key_asked("trial_id")
        found = weeks(around, trial_id)
        customers: dict[int, Customer] = {
            item.entry.trial.customer.id: item.entry.trial.customer
            for week in found
            for item in week.entries
            if item.entry.trial.customer is not None
        }
        shows_customers = may("read", "customers")
        page: str = self.render_template(
            "lims/trial_programme.html",
            view=self,
            address_of=address_of,
            weeks=found,
            trial=_trial(trial_id),
            before=monday(around) - timedelta(weeks=4),
            after=monday(around) + timedelta(weeks=4),
            shows_customers=shows_customers,
            materials=[(customer, materials_of(customer.id)) for customer in customers.values()]
            if shows_customers and may("read", "customer-materials")
            else [],
            kinds=COMPONENT_KINDS,
            states=PROGRESS_STATES,
            may_add=may("write", "programme-entries"),
        )
        return page


PROGRESS_STATES = {
    "done": (_l("Cast"), "released"),
    "missed": (_l("Missed"), "failed"),
    "running": (_l("This week"), "running"),
    "planned": (_l("Planned"), "planned"),
}


class OptimalMixView(GuardedView):
    """/optimal-mix/: the cheapest mix that surely reaches the grade, and what to cast next."""

    route_base = "/optimal-mix"
    default_view = "ask"
    permission_on = "comparisons"
    title = _l("Optimal mix")
    menu = MenuPlace("trials", order=62, icon="target")

    @expose("/")
    @permission_name("read")
    def ask(self) -> ResponseReturnValue:
        self.allow("read")
        given = asked_of(OptimumQuestion)
        found = None
        problems: tuple[Problem, ...] = ()
        prices = may("read", "prices")
        if "go" in request.args:
            try:
                found = optimum_for(OptimumQuestion.read(given), prices=prices)
            except Refused as error:
                problems = tuple(error.problems)
        sections = (
            (_l("For"), ("cement_product_id", "grade_mpa", "standard_deviation_mpa", "water_kg_m3")),
            (_l("Which trials"), ("trial_id", "customer_id", "region_id")),
        )
        page: str = self.render_template(
            "lims/optimal_mix.html",
            view=self,
            form=build_form(OptimumQuestion, given, sections=sections, problems=problems),
            found=found,
            prices=prices,
            law=LAW_NAMES.get(found.law, "") if found else "",
            kinds=COMPONENT_KINDS,
            purposes=PURPOSES,
            tenths=tenths,
        )
        return (page, 422) if problems else page


PURPOSES = {
    "sure": _l("Reaches the target, 90 % sure"),
    "middle": _l("On the target in the middle: tells most"),
    "model": _l("On the target by the forecast model"),
    "model-sure": _l("Reaches the target, 90 % sure by the forecast model"),
}


class AggregateReminderView(GuardedView):
    """/aggregate-reminders/: regions whose sand and stone were not sampled for a quarter."""

    route_base = "/aggregate-reminders"
    default_view = "show"
    permission_on = "aggregate-samples"
    title = _l("Samples to renew")
    menu = None

    @expose("/")
    @permission_name("read")
    def show(self) -> ResponseReturnValue:
        self.allow("read")
        by_region: dict[str, list[Any]] = {}
        for pit in old_pits():
            name = pit.source.region.name if pit.source.region else _("No region")
            by_region.setdefault(name, []).append(pit)
        page: str = self.render_template(
            "lims/aggregate_reminders.html",
            view=self,
            address_of=address_of,
            regions=sorted(by_region.items()),
            may_add=may("write", "aggregate-samples"),
            show_day=show_day,
        )
        return page


def _day_asked(name: str) -> date | None:
    """A day of the query string; whatever else stands there is left out."""
    text = request.args.get(name, "")
    if not text:
        return None
    try:
        return Day().parse(text[:20])
    except ValueError:
        return None


def _key_asked(name: str) -> int | None:
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) <= 18 else None


def _trial(trial_id: int | None) -> Trial | None:
    from lims.base.services import SERVICES

    return SERVICES["trials"].find(id=trial_id) if trial_id is not None else None


VIEWS = (
    PriceView,
    ComparisonView,
    CementComparisonView,
    ProcessChangeView,
    CustomerMaterialView,
    ProgrammeEntryView,
    TrialProgrammeView,
    OptimalMixView,
    AggregateReminderView,
)
