"""Aggregates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise

from lims.standards.aggregates import (
    ASTM_C33_BETWEEN_PERCENT,
    ASTM_C33_FINENESS_MODULUS,
    ASTM_C33_PASSING,
    MUD_LIMITS,
    SAND_SIEVES_MM,
    SAND_ZONES,
    astm_fineness_modulus,
    cumulative_retained,
    fineness_modulus,
    impurity_limits,
)
from lims.standards.checks import Check, all_passed, at_least, at_most
from lims.standards.errors import RuleInputError
from lims.standards.grades import require_grade
from lims.standards.inputs import Choice, Given, Many, Number
from lims.standards.register.rule import REPLACED, Answer, Rule, Vector
from lims.standards.rounding import round_half_even, shown
from lims.standards.words import N_, said

RETAINED = Many(
    name="retained_g",
    text=N_("Retained on 4.75, 2.36, 1.18, 0.60, 0.30, 0.15 mm and in the pan, g"),
    each=Number(name="mass", minimum=0, maximum=100000),
    least=7,
    most=7,
)
JGJ52 = date(2007, 6, 1)


def _jgj52(given: Given) -> Answer:
    found = fineness_modulus(given.numbers("retained_g"))
    return {
        "fineness_modulus": round_half_even(found.modulus, Decimal("0.1")),
        "fineness_modulus_full": shown(found.modulus),
        "class": found.size_class,
        "zone": found.zone,
        "cumulative_percent": [round_half_even(value, Decimal("0.1")) for value in found.cumulative_percent],
    }


def _astm(given: Given) -> Answer:
    cumulative = cumulative_retained(given.numbers("retained_g"))
    return {
        "fineness_modulus": round_half_even(
            astm_fineness_modulus(given.numbers("retained_g")), Decimal("0.01")
        ),
        "cumulative_percent": [round_half_even(value, Decimal("0.1")) for value in cumulative],
    }


def _c33(given: Given) -> Answer:
    retained = given.numbers("retained_g")
    cumulative = cumulative_retained(retained)
    checks: list[Check] = []
    for sieve, percent in zip(SAND_SIEVES_MM, cumulative, strict=True):
        low, high = ASTM_C33_PASSING[sieve]
        passing = 100 - percent
        checks += [
            at_least(said(N_("passing %(sieve)s mm, %%"), sieve=sieve), passing, Decimal(low)),
            at_most(said(N_("passing %(sieve)s mm, %%"), sieve=sieve), passing, Decimal(high)),
        ]
    named = zip(SAND_SIEVES_MM, cumulative, strict=True)
    for (sieve, above), (after, below) in pairwise(named):
        name = said(N_("passing %(sieve)s mm and retained on %(next)s mm, %%"), sieve=sieve, next=after)
        checks.append(at_most(name, below - above, ASTM_C33_BETWEEN_PERCENT))
    modulus = astm_fineness_modulus(retained)
    low_fm, high_fm = ASTM_C33_FINENESS_MODULUS
    checks += [
        at_least(N_("fineness modulus"), modulus, low_fm),
        at_most(N_("fineness modulus"), modulus, high_fm),
    ]
    return {
        "accepted": all_passed(checks),
        "fineness_modulus": round_half_even(modulus, Decimal("0.01")),
        "checks": checks,
    }


AGGREGATES = {"sand": N_("sand"), "stone": N_("stone")}
#: What may stand in an aggregate, by the name that JSON has for it.
IMPURITIES = {"mud": N_("mud"), "lumps": N_("lumps"), "flaky": N_("flaky")}


def _impurities(given: Given) -> Answer:
    kind = given.word("aggregate")
    limits = impurity_limits(kind, require_grade(given.number("grade_mpa")))
    checks = [
        at_most(said(N_("%(name)s, %%"), name=IMPURITIES[name]), given.number(f"{name}_percent"), limit)
        for name, limit in limits.items()
        if given.has(f"{name}_percent")
    ]
    for name in ("mud", "lumps", "flaky"):
        if name not in limits and given.has(f"{name}_percent"):
            raise RuleInputError(
                f"{name}_percent", given.number(f"{name}_percent"), N_("nothing: sand has no such limit")
            )
    return {
        "accepted": all_passed(checks) if checks else None,
        "limits_percent": dict(limits),
        "checks": checks,
    }


RULES = (
    Rule(
        id="jgj52/fineness-modulus",
        code="JGJ 52",
        edition="2006",
        effective=JGJ52,
        clause="6.1",
        subject=N_("Aggregates"),
        title=N_("Fineness modulus, class and zone of sand"),
        formula="Mx = ((A2+A3+A4+A5+A6) − 5 A1) / (100 − A1)",
        provenance=(
            (N_("formula, classes, zones"), "S"),
            (N_("total excess of 5 %"), "R"),
            (N_("at least 80 % on 0.30 mm in zone I"), "R"),
        ),
        sources=(
            "JGJ 52-2006",
            "GB/T 14684-2011",
            said(REPLACED, newer="GB/T 14684-2022", older="GB/T 14684-2011"),
        ),
        fields=(RETAINED,),
        compute=_jgj52,
        numbers=(
            (N_("coarse / medium / fine / extra fine"), "3.7–3.1 / 3.0–2.3 / 2.2–1.6 / 1.5–0.7"),
            *(
                (
                    f"{sieve} mm: I / II / III",
                    " / ".join(f"{zone[i][0]}–{zone[i][1]} %" for zone in SAND_ZONES.values()),
                )
                for i, sieve in enumerate(SAND_SIEVES_MM)
            ),
        ),
        vectors=(
            Vector(
                {"retained_g": ["25", "50", "100", "125", "100", "75", "25"]},
                {
                    "fineness_modulus": "2.7",
                    "class": "medium",
                    "zone": "II",
                    "fineness_modulus_full": "2.737",
                },
                "C",
            ),
            Vector(
                {"retained_g": ["15", "75", "95", "105", "115", "85", "10"]},
                {"fineness_modulus_full": "2.856"},
                "S",
            ),
            Vector(
                {"retained_g": ["20", "80", "180", "260", "240", "170", "50"]},
                {"fineness_modulus": "2.6", "fineness_modulus_full": "2.602"},
                "C",
            ),
            Vector(  # 5, 30, 60, 75, 80 and 86 % retained: zone I but for 4 % at 0.15 mm
                {"retained_g": ["25", "125", "150", "75", "25", "30", "70"]},
                {"zone": "I"},
                "C",
            ),
        ),
    ),
    Rule(
        id="astm-c136/fineness-modulus",
        code="ASTM C136",
        edition="19",
        clause="9.2",
        subject=N_("Aggregates"),
        title=N_("Fineness modulus by ASTM"),
        formula=N_("FM = Σ cumulative % retained / 100"),
        provenance=((N_("formula"), "S"),),
        sources=("ASTM C136",),
        fields=(RETAINED,),
        compute=_astm,
        vectors=(
            Vector(
                {"retained_g": ["20", "80", "180", "260", "240", "170", "50"]},
                {"fineness_modulus": "2.67"},
                "C",
            ),
        ),
    ),
    Rule(
        id="astm-c33/fine",
        code="ASTM C33",
        edition="18",
        clause="6",
        subject=N_("Aggregates"),
        title=N_("Grading of fine aggregate by ASTM C33"),
        formula=N_(
            "% passing within the limits of each sieve, at most 45 % between one sieve and the next; FM 2.3 to 3.1."
        ),
        provenance=((N_("limits of the sieves and between them"), "R"), (N_("fineness modulus"), "S")),
        sources=("ASTM C33",),
        fields=(RETAINED,),
        compute=_c33,
        numbers=tuple((f"{sieve} mm", f"{low}–{high} %") for sieve, (low, high) in ASTM_C33_PASSING.items()),
        vectors=(
            Vector(
                {"retained_g": ["20", "80", "180", "260", "240", "170", "50"]},
                {"accepted": True, "fineness_modulus": "2.67"},
                "C",
            ),
            Vector({"retained_g": ["100", "50", "100", "125", "100", "75", "25"]}, {"accepted": False}, "C"),
            # Every sieve within its limits: 98, 85, 80, 30, 10 and 2 % pass; 50 % lie between 1.18 and 0.60 mm.
            Vector({"retained_g": ["20", "130", "50", "500", "200", "80", "20"]}, {"accepted": False}, "C"),
            Vector({"retained_g": ["20", "130", "50", "450", "250", "80", "20"]}, {"accepted": True}, "C"),
        ),
    ),
    Rule(
        id="jgj52/impurities",
        code="JGJ 52",
        edition="2006",
        effective=JGJ52,
        clause="3.1, 3.2",
        subject=N_("Aggregates"),
        title=N_("Mud, clay lumps and flaky particles"),
        formula=N_("Limits by grade: ≥ C60, C55–C30, ≤ C25."),
        provenance=((N_("limits"), "R"),),
        sources=("JGJ 52-2006",),
        fields=(
            Choice(name="aggregate", text=N_("Aggregate"), options=("sand", "stone")),
            Number(name="grade_mpa", text=N_("Strength grade, MPa (30 for C30)"), above=0),
            Number(name="mud_percent", text=N_("Mud, %"), minimum=0, maximum=100, required=False),
            Number(name="lumps_percent", text=N_("Clay lumps, %"), minimum=0, maximum=100, required=False),
            Number(
                name="flaky_percent", text=N_("Flaky particles, %"), minimum=0, maximum=100, required=False
            ),
        ),
        compute=_impurities,
        numbers=tuple(
            (
                said(
                    N_("%(aggregate)s, %(what)s: ≥ C60 / C55–C30 / ≤ C25"),
                    aggregate=AGGREGATES[kind],
                    what=IMPURITIES[name],
                ),
                " / ".join(f"{limit} %" for limit in limits),
            )
            for kind, rows in MUD_LIMITS.items()
            for name, limits in rows.items()
        ),
        vectors=(
            Vector({"aggregate": "sand", "grade_mpa": "30", "mud_percent": "3"}, {"accepted": True}, "C"),
            Vector({"aggregate": "stone", "grade_mpa": "60", "mud_percent": "0.6"}, {"accepted": False}, "C"),
        ),
    ),
)
