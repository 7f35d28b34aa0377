"""Maturity."""

from __future__ import annotations

from decimal import Decimal

from lims.standards.errors import RuleInputError
from lims.standards.inputs import Given, Many, Number, Record
from lims.standards.maturity import (
    c918_strength,
    ec2_adjusted_age,
    equivalent_age,
    nurse_saul,
    q_of_activation_energy,
)
from lims.standards.register.rule import Answer, Rule, Vector
from lims.standards.rounding import round_half_even, shown
from lims.standards.words import N_

INTERVALS = Many(
    name="intervals",
    text=N_("Spells of constant temperature: hours and °C"),
    each=Record(
        name="interval",
        fields=(
            Number(name="hours", text=N_("Hours"), above=0, maximum=100000),
            Number(name="temperature_c", text=N_("Temperature, °C"), minimum=-50, maximum=100),
        ),
    ),
)
TENTH = Decimal("0.1")


def _spells(given: Given) -> list[tuple[Decimal, Decimal]]:
    return [(spell.number("hours"), spell.number("temperature_c")) for spell in given.records("intervals")]


def _nurse_saul(given: Given) -> Answer:
    datum = given.number("datum_c")
    return {"maturity_c_h": shown(nurse_saul(_spells(given), datum)), "datum_c": datum}


def _equivalent(given: Given) -> Answer:
    q, energy = given.number_or_none("q_k"), given.number_or_none("activation_energy_j_mol")
    if q is not None and energy is not None:
        raise RuleInputError("q_k", q, N_("either q_k or activation_energy_j_mol, not both"))
    if energy is not None:
        q = q_of_activation_energy(energy)
    if q is None:
        q = Decimal(5000)
    age = equivalent_age(_spells(given), q, given.number("reference_c"))
    return {
        "equivalent_age_hours": round_half_even(age, TENTH),
        "equivalent_age_days": shown(age / 24),
        "q_k": shown(q, 2),
        "reference_c": given.number("reference_c"),
    }


def _ec2(given: Given) -> Answer:
    age = ec2_adjusted_age(_spells(given))
    return {"adjusted_age_hours": round_half_even(age, TENTH), "adjusted_age_days": shown(age / 24)}


def _c918(given: Given) -> Answer:
    names = ("strength_mpa", "maturity_c_h", "later_maturity_c_h", "slope_mpa")
    return {"strength_mpa": round_half_even(c918_strength(*(given.number(name) for name in names)), TENTH)}


EXAMPLE = [{"hours": "24", "temperature_c": "30"}, {"hours": "48", "temperature_c": "10"}]

RULES = (
    Rule(
        id="maturity/nurse-saul",
        code="ASTM C1074",
        edition="19",
        clause="6.2",
        subject=N_("Maturity"),
        title=N_("Maturity by Nurse and Saul"),
        formula="M = Σ (T − T0) Δt",
        provenance=((N_("form and datum"), "S"),),
        sources=("ASTM C1074",),
        fields=(
            INTERVALS,
            Number(
                name="datum_c",
                text=N_("Datum temperature T0, °C"),
                minimum=-20,
                maximum=20,
                default="-10",
                aliases=("datum_temperature_c", "t0_c"),
            ),
        ),
        compute=_nurse_saul,
        configurable=("datum_c",),
        numbers=((N_("T0 in use"), "−10 °C, 0 °C"),),
        vectors=(
            Vector({"intervals": EXAMPLE, "datum_c": "-10"}, {"maturity_c_h": "1920"}, "C"),
            Vector({"intervals": EXAMPLE, "datum_c": "0"}, {"maturity_c_h": "1200"}, "C"),
        ),
    ),
    Rule(
        id="maturity/equivalent-age",
        code="ASTM C1074",
        edition="19",
        clause="6.3",
        subject=N_("Maturity"),
        title=N_("Equivalent age"),
        formula="te = Σ Δt · exp(−Q (1/T − 1/Ts))",
        provenance=((N_("form, E = 33 500 J/mol"), "S"), (N_("Q = 5000 K"), "R")),
        sources=("ASTM C1074",),
        fields=(
            INTERVALS,
            Number(
                name="q_k",
                text=N_("Q, K (5000 without E)"),
                above=0,
                maximum=20000,
                required=False,
                aliases=("q",),
            ),
            Number(
                name="activation_energy_j_mol",
                text=N_("Activation energy E, J/mol"),
                above=0,
                maximum=200000,
                required=False,
                aliases=("e_j_mol",),
            ),
            Number(
                name="reference_c",
                text=N_("Reference temperature Ts, °C"),
                minimum=-20,
                maximum=60,
                default="20",
                aliases=("reference_temperature_c", "ts_c"),
            ),
        ),
        compute=_equivalent,
        configurable=("reference_c",),
        numbers=(("Q", "5000 K"), ("E", "33 500 J/mol"), ("R", "8.314 J/(mol K)")),
        vectors=(
            Vector(
                {"intervals": EXAMPLE, "q_k": "5000", "reference_c": "20"},
                {"equivalent_age_hours": "68.4"},
                "C",
            ),
            Vector(
                {"intervals": [{"hours": "24", "temperature_c": "20"}]}, {"equivalent_age_hours": "24.0"}, "C"
            ),
        ),
    ),
    Rule(
        id="ec2/adjusted-age",
        code="EN 1992-1-1",
        edition="2004",
        clause="B.1 (B.10)",
        subject=N_("Maturity"),
        title=N_("Temperature-adjusted age"),
        formula="tT = Σ Δt · exp(13.65 − 4000/(273 + T))",
        provenance=((N_("formula"), "S"),),
        sources=("EN 1992-1-1 annex B",),
        fields=(INTERVALS,),
        compute=_ec2,
        vectors=(
            Vector(
                {"intervals": [{"hours": "24", "temperature_c": "20"}]}, {"adjusted_age_hours": "24.0"}, "C"
            ),
        ),
    ),
    Rule(
        id="astm-c918/strength",
        code="ASTM C918",
        edition="20",
        clause="9",
        subject=N_("Maturity"),
        title=N_("Later strength from an early one by maturity"),
        formula="S_M = S_m + b · lg(M/m)",
        provenance=((N_("linear in log maturity from 24 h to 28 d"), "S"), (N_("formula"), "R")),
        sources=("ASTM C918",),
        fields=(
            Number(name="strength_mpa", text=N_("Early strength, MPa"), above=0, maximum=300),
            Number(name="maturity_c_h", text=N_("Maturity at the early test m, °C·h"), above=0),
            Number(name="later_maturity_c_h", text=N_("Maturity at the later age M, °C·h"), above=0),
            Number(name="slope_mpa", text=N_("Slope b of the same materials, MPa"), above=0, maximum=200),
        ),
        compute=_c918,
        vectors=(
            Vector(
                {
                    "strength_mpa": "20",
                    "maturity_c_h": "720",
                    "later_maturity_c_h": "7200",
                    "slope_mpa": "15",
                },
                {"strength_mpa": "35.0"},
                "C",
            ),
        ),
    ),
)
