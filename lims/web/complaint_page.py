"""A complaint on one page: its clocks, the next step with its form, checklist, lots, advice, cases like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from flask import Response
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from lims.accounts.service import ROLE_LABELS
from lims.aftersales.advice import matching_cards, similar_complaints, situation_of_complaint
from lims.aftersales.models import Complaint, ComplaintFact, Escalation, Objection, Retest
from lims.aftersales.schemas import (
    CATEGORIES,
    CLOCK_STATES,
    CLOCKS,
    OUTCOMES,
    PARTS,
    ROOT_CAUSES,
    SEVERITIES,
    STATES,
)
from lims.aftersales.triggers import NEXT_STATES
from lims.aftersales.views import STEPS, ComplaintView
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import form_text, format_decimal, local_today, show_day, show_time
from lims.base.files import file_response
from lims.base.forms import build_form
from lims.base.laboratory import laboratory
from lims.base.papers import pdf
from lims.base.problems import Problem
from lims.base.schemas import Schema
from lims.base.security import may
from lims.base.services import SERVICES
from lims.base.staff import staff_names
from lims.customers.models import Customer
from lims.trials.models import ShotcreteTrial, Trial
from lims.web.visit_page import photos_of, photos_on_paper

#: State -> the step that comes next, and what else may be done.
OFFERED: dict[str, tuple[str, tuple[str, ...]]] = {
    "received": ("answer", ("arrive", "findings", "withdraw")),
    "answered": ("arrive", ("solve", "findings", "withdraw")),
    "on_site": ("solve", ("findings", "withdraw")),
    "solved": ("agree", ("close", "findings", "reopen")),
}
#: The line of steps at the top.
LINE = ("received", "answered", "on_site", "solved", "closed")
#: Stands in a refusal for the checklist, which is no step.
CHECKLIST = "facts"
Refusal = tuple[str, Mapping[str, Any], Sequence[Problem]]


def complaint_context(
    view: ComplaintView, record: Complaint, refused: Refusal | None = None
) -> dict[str, Any]:
    """Everything the page shows; `refused` is a step or checklist that was not accepted, with what was typed."""
    session = current_session()
    service = view.service
    facts = service.facts(record)
    lots = service.lots(record)
    retests = session.scalars(
        select(Retest)
        .where(Retest.complaint_id == record.id, Retest.retired_at.is_(None))
        .options(joinedload(Retest.cement_lot))
        .order_by(Retest.id)
    ).all()
    objections = session.scalars(
        select(Objection).where(Objection.complaint_id == record.id, Objection.retired_at.is_(None))
    ).all()
    escalations = session.scalars(
        select(Escalation).where(Escalation.complaint_id == record.id).order_by(Escalation.id)
    ).all()
    cement_lots = [item.cement_lot for item in lots if item.cement_lot is not None]
    missing = service.missing_facts(record) if record.is_open else []
    may_write = may("write", "complaints") and record.is_open
    next_step = _next_step(record, missing, refused) if may_write else None
    other_steps = _other_steps(record, missing, refused) if may_write else []
    # It may have been cast for another customer, whom the reader does not know of.
    trial = (
        record.trial if record.trial_id is not None and SERVICES["trials"].knows(record.trial_id) else None
    )
    return {
        "clocks": [_clock(clock) for clock in record.clocks],
        "clock_words": {
            "left": _("{time} left"),
            "late": _("{time} over"),
            "days": _("{n} d"),
            "hours": _("{n} h"),
            "minutes": _("{n} min"),
        },
        "line": _line(record),
        "states": STATES,
        "category": CATEGORIES[record.category],
        "severity": SEVERITIES[record.severity],
        "owner": staff_names().get(str(record.owner_id), "") if record.owner_id is not None else "",
        "next_step": next_step,
        "other_steps": other_steps,
        "not_taken": _not_taken(record, refused, next_step, other_steps),
        "may_write": may_write,
        "facts": facts,
        "measured": sum(1 for fact in facts if fact.value),
        **_unsaved_checklist(facts, refused, may_write=may_write),
        "lots": lots,
        "parts": PARTS,
        "proposed": service.proposed_lots(record) if record.is_open else [],
        "missing": [(_field_name(problem), problem.message, problem.value) for problem in missing],
        "retests": retests,
        "outcomes": OUTCOMES,
        "objections": objections,
        "escalations": [
            (item, _(", ").join(str(ROLE_LABELS.get(name, name)) for name in item.roles.split(", ")))
            for item in escalations
        ],
        "clock_names": CLOCKS,
        "advice": matching_cards(situation_of_complaint(record, cement_lots, facts), category=record.category)
        if may("read", "advice-cards")
        else [],
        "similar": similar_complaints(record, service.visible()),
        "root_causes": ROOT_CAUSES,
        "findings": _findings(record),
        "trial": trial,
        "sprayings": _sprayings(trial),
        "photos": photos_of(complaint_id=record.id),
    }


def _unsaved_checklist(
    facts: Sequence[ComplaintFact], refused: Refusal | None, *, may_write: bool
) -> dict[str, Any]:
    """What was typed into the checklist and not taken, by the name of its control, and why."""
    typed: Mapping[str, Any] = {}
    problems: Sequence[Problem] = ()
    if refused is not None and refused[0] == CHECKLIST:
        typed, problems = refused[1], refused[2]
    titles = {f"fact_{fact.checklist_item_id}": fact.title for fact in facts}
    errors: dict[str, str] = {}
    words = []
    for problem in problems:
        if problem.field in titles:
            errors[problem.field] = problem.message
        else:
            words.append(f"{_field_name(problem)} {problem.value}: {problem.message}")
    if not may_write:  # closed meanwhile: no control holds the values any more
        for name, text in typed.items():
            said = _("“%(text)s”", text=text)
            words.append(_("%(name)s: %(what)s", name=titles.get(name, name), what=said))
    return {"typed": typed, "fact_titles": titles, "fact_errors": errors, "fact_problems": words}


def _not_taken(
    record: Complaint,
    refused: Refusal | None,
    next_step: dict[str, Any] | None,
    other_steps: Sequence[dict[str, Any]],
) -> dict[str, Any] | None:
    """A step that was refused and is offered no more, since another has gone on: why, and what was typed into it."""
    shown = {step["name"] for step in (next_step, *other_steps) if step is not None}
    if refused is None or refused[0] not in STEPS or refused[0] in shown:
        return None
    step = STEPS[refused[0]]
    return refused_step(step.title, step.schema, refused)


def refused_step(title: Any, schema: type[Schema] | None, refused: Refusal) -> dict[str, Any]:
    """Why a step was not taken, and what was typed into it, where the page has no form of it any more."""
    items = schema.inputs() if schema is not None else []
    typed = [(item, str(refused[1].get(item.name) or "")) for item in items]
    labels = {item.name: item.ui.label for item in items}
    return {
        "title": title,
        "problems": [_said(problem, labels) for problem in refused[2]],
        "typed": [
            (item.ui.label, getattr(item.kind, "options", {}).get(text, text)) for item, text in typed if text
        ],
    }


def _sprayings(trial: Trial | None) -> list[ShotcreteTrial]:
    """What was sprayed in the complaint's trial, in order."""
    if trial is None or not may("read", "shotcrete-trials"):
        return []
    query = select(ShotcreteTrial).where(
        ShotcreteTrial.trial_id == trial.id, ShotcreteTrial.retired_at.is_(None)
    )
    return list(
        current_session().scalars(query.order_by(ShotcreteTrial.sprayed_on, ShotcreteTrial.id).limit(20))
    )


def _clock(clock: Any) -> dict[str, Any]:
    return {
        "name": clock.name,
        "title": CLOCKS[clock.name],
        "state": clock.state,
        "state_text": CLOCK_STATES[clock.state],
        "due": show_time(clock.due_at, year=False) if clock.due_at else "",
        "due_iso": clock.due_at.isoformat(timespec="seconds") if clock.due_at else "",
        "done": show_time(clock.done_at, year=False) if clock.done_at else "",
        "left": span_text(clock.due_at, clock.done_at or utc_now(), over=clock.done_at is not None)
        if clock.due_at
        else "",
    }


def span_text(due: Any, at: Any, *, over: bool = False) -> str:
    """How much time is left or over, in the largest two units; early or late when the step is `over`."""
    seconds = int((due - at).total_seconds())
    minutes = abs(seconds) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = []
    if days:
        parts.append(_("%(n)s d", n=days))
    if hours or days:
        parts.append(_("%(n)s h", n=hours))
    if not days:
        parts.append(_("%(n)s min", n=minutes))
    text = " ".join(parts)
    if over:
        return str(_("%(time)s early", time=text) if seconds >= 0 else _("%(time)s late", time=text))
    return str(_("%(time)s left", time=text) if seconds >= 0 else _("%(time)s over", time=text))


def _line(record: Complaint) -> list[tuple[str, str, bool]]:
    """(name, when, reached) of each state."""
    times = {
        "received": record.received_at,
        "answered": record.answered_at,
        "on_site": record.on_site_at,
        "solved": record.solved_at,
        "closed": record.closed_at,
    }
    return [
        (
            str(STATES[name]),
            show_time(moment, year=False) if (moment := times[name]) else "",
            moment is not None,
        )
        for name in LINE
    ]


def _form(name: str, record: Complaint, refused: Refusal | None) -> dict[str, Any]:
    step = STEPS[name]
    form = None
    problems: Sequence[Problem] = ()
    #: What stands in the record now: the form says it again, so that it overwrites nothing that its writer did not see.
    stored = {item.name: form_text(item, getattr(record, item.name)) for item in step.kept}
    values: dict[str, Any] = {item: text for item, text in stored.items() if text}
    if name == "agree":
        values.setdefault("agreed_on", local_today())
    if refused is not None and refused[0] == name:
        problems = refused[2]
        values |= refused[1]
    if step.schema is not None:
        form = build_form(step.schema, values, problems=problems)
        if not may("read", "prices"):
            form.sections = [
                (title, [item for item in items if item.name != "compensation_amount"])
                for title, items in form.sections
            ]
    words = [_said(problem) for problem in problems if form is None]
    return {
        "name": name,
        "title": step.title,
        "icon": step.icon,
        "form": form,
        "problems": words,
        "stored": stored,
        "open": bool(problems),
    }


def _next_step(
    record: Complaint, missing: Sequence[Problem], refused: Refusal | None
) -> dict[str, Any] | None:
    if record.state not in OFFERED:
        return None
    name = OFFERED[record.state][0]
    if record.state == "solved" and record.agreed_on is not None:
        name = "close" if not missing else "findings"
    return _form(name, record, refused)


def _other_steps(
    record: Complaint, missing: Sequence[Problem], refused: Refusal | None
) -> list[dict[str, Any]]:
    if record.state not in OFFERED:
        return []
    first = _next_step(record, missing, None)
    taken = first["name"] if first else ""
    names = [name for name in OFFERED[record.state][1] if name != taken]
    if record.state == "solved" and taken != "agree":
        names.insert(0, "agree")
    return [
        _form(name, record, refused)
        for name in names
        if name != "arrive" or "on_site" in NEXT_STATES[record.state]
    ]


def _findings(record: Complaint) -> list[tuple[str, str]]:
    rows = [
        (_("What was answered"), record.answer or ""),
        (_("What was found on site"), record.site_facts or ""),
        (_("Root cause"), str(ROOT_CAUSES[record.root_cause]) if record.root_cause else ""),
        (_("The cause in words"), record.cause or ""),
        (_("Corrective action"), record.remedy or ""),
        (_("Compensation"), record.compensation or ""),
    ]
    if record.compensation_amount is not None and may("read", "prices"):
        rows.append((_("Its amount"), f"¥ {format_decimal(record.compensation_amount)}"))
    if record.agreed_on is not None:
        who = _("%(name)s, %(what)s", name=show_day(record.agreed_on), what=record.agreed_by)
        rows.append((_("The customer agrees"), who))
    if record.satisfaction is not None:
        rows.append((_("Satisfaction"), _("%(score)s of 5", score=record.satisfaction)))
    if record.withdrawn_reason:
        rows.append((_("Why it was withdrawn"), record.withdrawn_reason))
    return [row for row in rows if row[1]]


def _said(problem: Problem, labels: Mapping[str, Any] = MappingProxyType({})) -> str:
    name = labels.get(problem.field) or _field_name(problem)
    return f"{name}{' ' + problem.value if problem.value else ''}: {problem.message}"


def _field_name(problem: Problem) -> str:
    names = {
        "root_cause": _("Root cause"),
        "cause": _("The cause in words"),
        "remedy": _("Corrective action"),
        "agreed_on": _("The customer's agreement"),
        "fact": _("Checklist"),
        "facts": _("Checklist"),
        "retest": _("Retest"),
        "lots": _("Cement lots"),
        "objection": _("Objection"),
        "state": _("State"),
    }
    return str(names.get(problem.field, problem.field))


def complaint_pdf(record: Complaint) -> Response:
    """The feedback card (产品质量反馈卡) as paper."""
    service = ComplaintView.service
    lab = laboratory()
    customer = current_session().get(Customer, record.customer_id)
    names = staff_names()
    photos, files = photos_on_paper(complaint_id=record.id)
    data = {
        "title": _("Product quality feedback card"),
        "laboratory": lab.works or lab.name,
        "code": record.code,
        "rows": [
            [_("Customer"), customer.name if customer else ""],
            [_("Site"), record.site.name if record.site else "–"],
            [_("Received"), show_time(record.received_at)],
            [
                _("What it is about"),
                _("%(name)s: %(what)s", name=CATEGORIES[record.category], what=record.subject),
            ],
            [_("What the customer says"), record.description or "–"],
            [_("State"), str(STATES[record.state])],
            [_("Handled by"), names.get(str(record.owner_id), "–")],
            *[[label, text] for label, text in _findings(record)],
        ],
        "clocks_title": _("Clocks"),
        "clocks": [
            [
                str(CLOCKS[c.name]),
                show_time(c.due_at) if c.due_at else "–",
                show_time(c.done_at) if c.done_at else "–",
                str(CLOCK_STATES[c.state]),
            ]
            for c in record.clocks
        ],
        "clock_heads": [_("Clock"), _("Due by"), _("Done"), _("State")],
        "facts_title": _("What was measured"),
        "facts": [
            [fact.title, f"{fact.value} {fact.checklist_item.unit or ''}".strip(), "!" if fact.beyond else ""]
            for fact in service.facts(record)
            if fact.value
        ],
        "lots_title": _("Lots and batches involved"),
        "lots": [[item.title, str(PARTS.get(item.part or "involved", ""))] for item in service.lots(record)],
        "photos_title": _("Photos"),
        "photos": photos,
        "signatures": [_("For the works"), _("For the customer")],
    }
    return file_response(
        pdf("feedback-card", data, files=files), "application/pdf", f"{record.code}.pdf", in_place=True
    )
