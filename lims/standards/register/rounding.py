"""Rounding."""

from __future__ import annotations

from datetime import date

from lims.standards.inputs import Given, Number
from lims.standards.register.rule import Answer, Rule, Vector
from lims.standards.rounding import round_half_even
from lims.standards.words import N_


def _round(given: Given) -> Answer:
    return {"value": round_half_even(given.number("value"), given.number("to"))}


FIELDS = (
    Number(name="value", text=N_("The full value")),
    Number(name="to", text=N_("The place to round to: 1, 0.1, 0.01 …"), above=0),
)

RULES = (
    Rule(
        id="gbt8170/round",
        code="GB/T 8170",
        edition="2008",
        effective=date(2009, 1, 1),
        clause="3",
        subject=N_("Rounding"),
        title=N_("Rounding of values, half to even"),
        formula=N_("四舍六入五成双: the full value is rounded once, half to even."),
        provenance=((N_("rule"), "S"),),
        sources=("GB/T 8170",),
        fields=FIELDS,
        compute=_round,
        vectors=(
            Vector({"value": "1.050", "to": "0.1"}, {"value": "1.0"}, "S"),
            Vector({"value": "0.35", "to": "0.1"}, {"value": "0.4"}, "S"),
            Vector({"value": "28.175", "to": "0.01"}, {"value": "28.18"}, "S"),
            Vector({"value": "28.165", "to": "0.01"}, {"value": "28.16"}, "S"),
        ),
    ),
    Rule(
        id="astm-e29/round",
        code="ASTM E29",
        edition="22",
        subject=N_("Rounding"),
        title=N_("Rounding method, half to even on the last digit kept"),
        formula=N_("The last digit kept is even when what is dropped is exactly a half."),
        provenance=((N_("rule"), "R"),),
        sources=("ASTM E29",),
        fields=FIELDS,
        compute=_round,
        vectors=(Vector({"value": "2.5", "to": "1"}, {"value": "2"}, "C"),),
    ),
)
