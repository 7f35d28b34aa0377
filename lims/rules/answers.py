"""Words for the answers of rules, as people read them."""

from __future__ import annotations

import re
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.words import told_refusal
from lims.standards.errors import RuleInputError
from lims.standards.inputs import Choice, Field, Many, Record
from lims.standards.register.rule import Rule
from lims.standards.words import N_, said
from lims.trials.schemas import SHAPES

#: A field of a rule as a refusal names it: loads_kn[1], densities_kg_m3.sand, intervals[0].hours.
PATH = re.compile(r"(\w+)(?:\[(\d+)\])?(?:\.(\w*))?", re.ASCII)

LABELS: dict[str, tuple[Any, str]] = {
    "value": (_l("Rounded value"), ""),
    "strength_mpa": (_l("Strength"), "MPa"),
    "basis": (_l("Basis"), ""),
    "specimen_strengths_mpa": (_l("Specimens"), "MPa"),
    "low_deviation_percent": (_l("Lowest below the middle one"), "%"),
    "high_deviation_percent": (_l("Highest above the middle one"), "%"),
    "size_factor": (_l("Size factor"), ""),
    "measured_mpa": (_l("Before the size factor"), "MPa"),
    "factor": (_l("Factor"), ""),
    "age_hours": (_l("Age"), "h"),
    "within": (_l("Within the limits"), ""),
    "tolerance_hours": (_l("Tolerance"), "± h"),
    "due_from": (_l("Earliest"), ""),
    "due_at": (_l("Due"), ""),
    "due_until": (_l("Latest"), ""),
    "low_mpa_s": (_l("Lowest rate"), "MPa/s"),
    "high_mpa_s": (_l("Highest rate"), "MPa/s"),
    "standard": (_l("Standard curing"), ""),
    "sets": (_l("Sets"), ""),
    "specimens": (_l("Specimens"), ""),
    "due": (_l("May be broken"), ""),
    "equivalent_strength_mpa": (_l("Strength to judge by"), "MPa"),
    "method": (_l("Method"), ""),
    "n": (_l("Results"), ""),
    "mean_mpa": (_l("Mean"), "MPa"),
    "minimum_mpa": (_l("Lowest"), "MPa"),
    "s_mpa": (_l("Standard deviation used"), "MPa"),
    "s_computed_mpa": (_l("Standard deviation found"), "MPa"),
    "accepted": (_l("Accepted"), ""),
    "sigma0_mpa": (_l("σ0 used"), "MPa"),
    "computed_mpa": (_l("σ0 found"), "MPa"),
    "fcr_mpa": (_l("Required average"), "MPa"),
    "sample_factor": (_l("Factor of the sample"), ""),
    "standard_of_control": (_l("Standard of control"), ""),
    "k_mpa": ("k", "MPa"),
    "h_mpa": ("h", "MPa"),
    "high_mpa": (_l("Sums above"), "MPa"),
    "low_mpa": (_l("Sums below"), "MPa"),
    "signal": (_l("Signal"), ""),
    "signal_at": (_l("Signal at result"), ""),
    "lower_limit_mpa": (_l("Lower limit"), "MPa"),
    "upper_limit_mpa": (_l("Upper limit"), "MPa"),
    "mean_range_mpa": (_l("Mean moving range"), "MPa"),
    "upper_range_mpa": (_l("Limit of the moving range"), "MPa"),
    "signals": (_l("Signals"), ""),
    "ratio": (_l("Ratio to the 28-day strength"), ""),
    "fcm_mpa": ("fcm", "MPa"),
    "f28_mpa": (_l("28-day strength"), "MPa"),
    "a": ("a", ""),
    "b": ("b", ""),
    "correlation": (_l("Correlation r"), ""),
    "maturity_c_h": (_l("Maturity"), "°C·h"),
    "datum_c": (_l("Datum temperature"), "°C"),
    "equivalent_age_hours": (_l("Equivalent age"), "h"),
    "equivalent_age_days": (_l("Equivalent age"), "d"),
    "q_k": ("Q", "K"),
    "reference_c": (_l("Reference temperature"), "°C"),
    "adjusted_age_hours": (_l("Adjusted age"), "h"),
    "adjusted_age_days": (_l("Adjusted age"), "d"),
    "target_mpa": (_l("Target strength"), "MPa"),
    "deviation_mpa": (_l("Standard deviation used"), "MPa"),
    "water_binder_ratio": (_l("Water/binder ratio"), ""),
    "water_kg_m3": (_l("Water"), "kg/m³"),
    "binder_kg_m3": (_l("Binder"), "kg/m³"),
    "cement_kg_m3": (_l("Cement"), "kg/m³"),
    "fly_ash_kg_m3": (_l("Fly ash"), "kg/m³"),
    "slag_kg_m3": (_l("Slag powder"), "kg/m³"),
    "scm_kg_m3": (_l("Mineral admixtures"), "kg/m³"),
    "sand_ratio_percent": (_l("Sand ratio"), "%"),
    "sand_kg_m3": (_l("Sand"), "kg/m³"),
    "stone_kg_m3": (_l("Stone"), "kg/m³"),
    "density_kg_m3": (_l("Density"), "kg/m³"),
    "within_limits": (_l("Within the limits"), ""),
    "batch_kg_m3": (_l("To weigh with wet aggregates"), "kg/m³"),
    "aggregate_kg_m3": (_l("Aggregate, wet"), "kg/m³"),
    "dropped": (_l("Dropped"), "MPa"),
    "mean_of_six_mpa": (_l("Mean of six"), "MPa"),
    "lots": (_l("Lots"), ""),
    "retest_needed": (_l("Retest needed"), ""),
    "use_until": (_l("Use without retest until"), ""),
    "cement_deviation_mpa": (_l("Deviation of the cement"), "MPa"),
    "fineness_modulus": (_l("Fineness modulus"), ""),
    "fineness_modulus_full": (_l("Fineness modulus, unrounded"), ""),
    "class": (_l("Class"), ""),
    "zone": (_l("Zone"), ""),
    "cumulative_percent": (_l("Cumulative retained"), "%"),
    "limits_percent": (_l("Limits"), "%"),
    "rebound_percent": (_l("Rebound"), "%"),
    "candidates": (_l("Candidates"), ""),
}

WORDS: dict[str, Any] = {
    "mean": _l("mean of the specimens"),
    "middle": _l("middle value"),
    "invalid": _l("invalid"),
    "spread": _l("invalid: range of more than 15 %"),
    "statistical-known": _l("statistical, σ0 known"),
    "statistical-unknown": _l("statistical, σ0 unknown"),
    "non-statistical": _l("non-statistical"),
    "excellent": _l("excellent"),
    "very good": _l("very good"),
    "good": _l("good"),
    "fair": _l("fair"),
    "poor": _l("poor"),
    "coarse": _l("Coarse"),
    "medium": _l("Medium"),
    "fine": _l("Fine"),
    "extra-fine": _l("Extra fine"),
    "high": _l("above"),
    "low": _l("below"),
    "formula": _l("Formula"),
    "value": _l("Value"),
    "en206-initial": _l("Initial production"),
    "en206-continuous": _l("Continuous production"),
    "aci318": "ACI 318",
    "rule": _l("rule"),
    "at": _l("at result"),
    "side": _l("side"),
    "water": _l("Water"),
    "cement": _l("Cement"),
    "fly_ash": _l("Fly ash"),
    "slag": _l("Slag powder"),
    "sand": _l("Sand"),
    "stone": _l("Stone"),
    "mud": _l("Mud"),
    "lumps": _l("Clay lumps"),
    "flaky": _l("Flaky particles"),
}


#: What may be chosen in a calculator, in words; classes and types that read alike everywhere are left as they are.
OPTIONS: dict[str, Any] = {
    **SHAPES,
    "prism-half": _l("Half of a prism"),
    "core": _l("Core"),
    "core-cube": _l("Cube cut from a panel"),
    "crushed": _l("Crushed stone"),
    "gravel": _l("Gravel"),
    "sand": _l("Sand"),
    "stone": _l("Stone"),
    "plain": _l("Plain concrete"),
    "reinforced": _l("Reinforced concrete"),
    "prestressed": _l("Prestressed concrete"),
    "mass": _l("By mass"),
    "volume": _l("By volume"),
    "bulk": _l("Bulk"),
    "bagged": _l("Bagged"),
    "moist": _l("Moist"),
    "steam": _l("Steam"),
    "linear": _l("Linear"),
    "power": _l("Power law"),
    "gbt50081-2019": "GB/T 50081-2019",
    "astm-c39": "ASTM C39",
    "en12390-3": "EN 12390-3",
}


def field_label(field: Field) -> str:
    """The field's text, or what its name says where it has none of its own."""
    own = field.text if field.text != field.name else ""
    return str(_(own) if own else WORDS.get(field.name, field.name))


def refusal(rule: Rule, error: RuleInputError) -> str:
    """What a rule refused, in the reader's language, under the name that its calculator has for the field."""
    found = PATH.fullmatch(error.field)
    fields: dict[str, Field] = {name: field for field in rule.fields for name in (field.name, *field.aliases)}
    if found is None or found[1] not in fields:
        return str(_("%(name)s: %(what)s", name=error.field, what=told_refusal(error)))
    field = fields[found[1]]
    label = field_label(field)
    if found[2] is not None:
        label = str(_("%(label)s, no. %(n)s", label=label, n=int(found[2]) + 1))
    whole = field.each if isinstance(field, Many) else field
    if found[3] and isinstance(whole, Record):
        inner = next((part for part in whole.fields if part.name == found[3]), None)
        part = field_label(inner) if inner is not None else found[3]
        label = str(_("%(name)s: %(what)s", name=label, what=part))
    if isinstance(whole, Choice) and error.accepted == whole.accepted():
        words = _(", ").join(str(OPTIONS.get(option, option)) for option in whole.options)
        error = RuleInputError(error.field, error.value, said(N_("one of %(options)s"), options=words))
    return str(_("%(name)s: %(what)s", name=label, what=told_refusal(error)))


def shown(name: str, value: Any) -> str:
    """A value of an answer in words."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, list):
        return _(", ").join(shown(name, item) for item in value) or "–"
    if isinstance(value, dict):
        return str(_(", ")).join(f"{WORDS.get(key, key)} {shown(key, item)}" for key, item in value.items())
    text = str(value)
    return str(WORDS.get(text, text))


def rows(answer: dict[str, Any]) -> list[tuple[str, str, str, Any]]:
    """(label, value in words, unit, raw) of an answer without its checks and steps."""
    found = []
    for name, value in answer.items():
        if name in {"checks", "steps"}:
            continue
        label, unit = LABELS.get(name, (name, ""))
        found.append((str(label), shown(name, value), unit if value is not None else "", value))
    return found
