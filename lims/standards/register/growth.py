"""Strength with age."""

from __future__ import annotations

from decimal import Decimal

from lims.standards.growth import (
    ACI209_CONSTANTS,
    EC2_S,
    MC2010_S,
    aci209_strength_ratio,
    ec2_mean_strength,
    ec2_strength_ratio,
    jgjt15_predicted,
    jgjt15_regression,
    lg_law_strength,
    mc2010_strength_ratio,
    root_law_strength,
    two_age_strength,
)
from lims.standards.inputs import Choice, Given, Many, Number
from lims.standards.register.rule import REPLACED, Answer, Rule, Vector
from lims.standards.rounding import round_half_even, shown
from lims.standards.words import N_, said

AGE = Number(name="age_days", text=N_("Age, d"), above=0, maximum=36525)
SIXTH = Decimal("0.000001")
TENTH = Decimal("0.1")

#: How a cylinder of ACI 209 was cured, in words.
CURING = {"moist": N_("moist"), "steam": N_("steam")}


def _with_strength(given: Given, ratio: Decimal) -> Answer:
    f28 = given.number_or_none("f28_mpa")
    return {
        "ratio": round_half_even(ratio, SIXTH),
        "strength_mpa": None if f28 is None else round_half_even(f28 * ratio, TENTH),
    }


F28 = Number(name="f28_mpa", text=N_("28-day strength, MPa"), above=0, maximum=300, required=False)


def _ec2(given: Given) -> Answer:
    return _with_strength(given, ec2_strength_ratio(given.number("age_days"), given.word("cement_class")))


def _ec2_mean(given: Given) -> Answer:
    return {"fcm_mpa": ec2_mean_strength(given.number("fck_mpa"))}


def _mc2010(given: Given) -> Answer:
    ratio = mc2010_strength_ratio(
        given.number("age_days"), given.word("cement_class"), given.number_or_none("fcm_mpa")
    )
    return _with_strength(given, ratio)


def _aci209(given: Given) -> Answer:
    ratio = aci209_strength_ratio(given.number("age_days"), given.word("curing"), given.word("cement_type"))
    return _with_strength(given, ratio)


def _lg(given: Given) -> Answer:
    return {
        "strength_mpa": round_half_even(
            lg_law_strength(given.number("f28_mpa"), given.number("age_days")), TENTH
        )
    }


def _root(given: Given) -> Answer:
    return {"f28_mpa": round_half_even(root_law_strength(given.number("f7_mpa"), given.number("r")), TENTH)}


def _two_ages(given: Given) -> Answer:
    names = ("age_a_days", "strength_a_mpa", "age_b_days", "strength_b_mpa", "age_days")
    return {"strength_mpa": round_half_even(two_age_strength(*(given.number(name) for name in names)), TENTH)}


def _jgjt15(given: Given) -> Answer:
    found = jgjt15_regression(
        given.numbers("early_mpa"),
        given.numbers("f28_mpa"),
        given.numbers("water_cement_ratios"),
        given.word("form"),
    )
    early = given.number_or_none("predict_from_mpa")
    pairs = len(given.numbers("early_mpa"))
    said = None if early is None else jgjt15_predicted(found, early, pairs)
    return {
        "a": shown(found.a, 4),
        "b": shown(found.b, 4),
        "correlation": None if found.correlation is None else shown(found.correlation, 4),
        "accepted": found.accepted,
        "f28_mpa": None if said is None else round_half_even(said, TENTH),
        "checks": found.checks,
    }


RULES = (
    Rule(
        id="ec2/strength-ratio",
        code="EN 1992-1-1",
        edition="2004",
        clause="3.1.2 (3.1)",
        subject=N_("Strength with age"),
        title=N_("Strength with age by EN 1992-1-1"),
        formula="f(t) / f28 = exp(s (1 − √(28/t)))",
        provenance=((N_("form and s"), "S"),),
        sources=("EN 1992-1-1 3.1.2",),
        fields=(AGE, Choice(name="cement_class", text=N_("Class of the cement"), options=tuple(EC2_S)), F28),
        compute=_ec2,
        numbers=tuple((f"s, {name}", f"{s:f}") for name, s in EC2_S.items()),
        vectors=tuple(
            Vector({"age_days": age, "cement_class": "N"}, {"ratio": ratio}, "S")
            for age, ratio in (("9", "0.826167"), ("27", "0.995423"), ("56", "1.075971"), ("365", "1.198125"))
        ),
    ),
    Rule(
        id="ec2/mean-strength",
        code="EN 1992-1-1",
        edition="2004",
        clause="table 3.1",
        subject=N_("Strength with age"),
        title=N_("Mean strength from the characteristic one"),
        formula="fcm = fck + 8 MPa",
        provenance=((N_("margin"), "S"),),
        sources=("EN 1992-1-1 table 3.1",),
        fields=(Number(name="fck_mpa", text=N_("Characteristic strength fck, MPa"), above=0, maximum=200),),
        compute=_ec2_mean,
        vectors=(Vector({"fck_mpa": "30"}, {"fcm_mpa": "38"}, "S"),),
    ),
    Rule(
        id="mc2010/strength-ratio",
        code="fib Model Code",
        edition="2010",
        clause="5.1.9.1 (5.1-51)",
        subject=N_("Strength with age"),
        title=N_("Strength with age by the fib Model Code 2010"),
        formula="f(t) / f28 = exp(s (1 − √(28/t)))",
        provenance=((N_("form and s"), "S"),),
        sources=("fib Model Code 2010 table 5.1-9",),
        fields=(
            AGE,
            Choice(
                name="cement_class",
                text=N_("Strength class of the cement"),
                options=tuple(MC2010_S),
                aliases=("strength_class",),
            ),
            Number(name="fcm_mpa", text=N_("Mean strength fcm, MPa"), above=0, maximum=200, required=False),
            F28,
        ),
        compute=_mc2010,
        numbers=(
            *((f"s, {name}", f"{s:f}") for name, s in MC2010_S.items()),
            (N_("s, fcm above 60 MPa"), "0.20"),
        ),
        vectors=(
            *(
                Vector({"age_days": age, "cement_class": "32.5N"}, {"ratio": ratio}, "S")
                for age, ratio in (("10", "0.774249"), ("20", "0.932746"), ("40", "1.064036"))
            ),
            Vector({"age_days": "10", "cement_class": "32.5N", "fcm_mpa": "61"}, {"ratio": "0.874010"}, "C"),
        ),
    ),
    Rule(
        id="aci209/strength-ratio",
        code="ACI 209R",
        edition="92",
        clause="2.2.1 (2-1)",
        subject=N_("Strength with age"),
        title=N_("Strength with age by ACI 209"),
        formula="f(t) / f28 = t / (a + b t)",
        provenance=((N_("moist cured"), "S"), (N_("steam cured"), "R")),
        sources=("ACI 209R-92",),
        fields=(
            AGE,
            Choice(name="curing", text=N_("Curing"), options=("moist", "steam"), default="moist"),
            Choice(name="cement_type", text=N_("Type of the cement"), options=("I", "III"), default="I"),
            F28,
        ),
        compute=_aci209,
        numbers=tuple(
            (said(N_("a, b: %(curing)s %(type)s"), curing=CURING[curing], type=kind), f"{a:f}, {b:f}")
            for (curing, kind), (a, b) in ACI209_CONSTANTS.items()
        ),
        vectors=(
            Vector({"age_days": "7", "curing": "moist", "cement_type": "I"}, {"ratio": "0.703518"}, "C"),
            Vector({"age_days": "28", "curing": "moist", "cement_type": "III"}, {"ratio": "0.997862"}, "C"),
        ),
    ),
    Rule(
        id="cn/lg-law",
        code=N_("Chinese practice"),
        edition="1",
        subject=N_("Strength with age"),
        title=N_("Strength with age by the logarithmic law"),
        formula="f_n = f28 · lg n / lg 28, n ≥ 3 d",
        provenance=((N_("law"), "S"),),
        sources=(N_("Chinese practice"),),
        fields=(
            Number(name="f28_mpa", text=N_("28-day strength, MPa"), above=0, maximum=300),
            Number(name="age_days", text=N_("Age, d"), minimum=3, maximum=36525),
        ),
        compute=_lg,
        vectors=(Vector({"f28_mpa": "40", "age_days": "7"}, {"strength_mpa": "23.4"}, "C"),),
    ),
    Rule(
        id="cn/root-law",
        code=N_("Chinese practice"),
        edition="1",
        subject=N_("Strength with age"),
        title=N_("28-day strength from the 7-day one"),
        formula="f28 = f7 + r √f7, r = 1.5–3.0 √MPa",
        provenance=((N_("law and r"), "S"),),
        sources=(N_("Chinese practice, after Slater"),),
        fields=(
            Number(name="f7_mpa", text=N_("7-day strength, MPa"), above=0, maximum=300),
            Number(name="r", text=N_("Coefficient r, √MPa"), minimum=Decimal("1.5"), maximum=Decimal("3.0")),
        ),
        compute=_root,
        vectors=(Vector({"f7_mpa": "12.2", "r": "2"}, {"f28_mpa": "19.2"}, "S"),),
    ),
    Rule(
        id="cn/two-ages",
        code=N_("Chinese practice"),
        edition="1",
        subject=N_("Strength with age"),
        title=N_("Strength from two earlier ages"),
        formula="f_n = f_a + m (f_b − f_a), m = (lg(1+lg n) − lg(1+lg a)) / (lg(1+lg b) − lg(1+lg a))",
        provenance=((N_("law"), "S"),),
        sources=(N_("Chinese practice"),),
        fields=(
            Number(name="age_a_days", text=N_("First age, d"), minimum=1, maximum=36525),
            Number(name="strength_a_mpa", text=N_("Strength at the first age, MPa"), above=0, maximum=300),
            Number(name="age_b_days", text=N_("Second age, d"), minimum=1, maximum=36525),
            Number(name="strength_b_mpa", text=N_("Strength at the second age, MPa"), above=0, maximum=300),
            Number(name="age_days", text=N_("Age wanted, d"), minimum=1, maximum=36525, default="28"),
        ),
        compute=_two_ages,
        vectors=(
            Vector(
                {
                    "age_a_days": "3",
                    "strength_a_mpa": "7.9",
                    "age_b_days": "7",
                    "strength_b_mpa": "13.3",
                    "age_days": "28",
                },
                {"strength_mpa": "20.2"},
                "S",
            ),
        ),
    ),
    Rule(
        id="jgjt15/regression",
        code="JGJ/T 15",
        edition="2008",
        subject=N_("Strength with age"),
        title=N_("28-day strength by regression on an early strength"),
        formula=N_("f28 = a + b fe | a fe^b; ≥ 30 pairs, ≥ 5 W/C over ≥ 0.2, r ≥ 0.85"),
        provenance=((N_("conditions, low confidence"), "R"),),
        sources=("JGJ/T 15-2008", said(REPLACED, newer="JGJ/T 15-2021", older="JGJ/T 15-2008")),
        fields=(
            Many(
                name="early_mpa",
                text=N_("Early strengths, MPa"),
                each=Number(name="early", above=0),
                least=2,
                most=1000,
            ),
            Many(
                name="f28_mpa",
                text=N_("28-day strengths, MPa"),
                each=Number(name="f28", above=0),
                least=2,
                most=1000,
            ),
            Many(
                name="water_cement_ratios",
                text=N_("Water/cement of each"),
                each=Number(name="ratio", above=0, maximum=2),
                least=2,
                most=1000,
            ),
            Choice(name="form", text=N_("Form"), options=("linear", "power"), default="linear"),
            Number(
                name="predict_from_mpa",
                text=N_("Early strength to predict from, MPa"),
                above=0,
                required=False,
            ),
        ),
        compute=_jgjt15,
        numbers=(
            (N_("pairs"), "≥ 30"),
            (N_("W/C levels"), "≥ 5"),
            (N_("span of W/C"), "≥ 0.2"),
            ("r", "≥ 0.85"),
        ),
        vectors=(
            Vector(
                {
                    "early_mpa": ["10", "20", "30"],
                    "f28_mpa": ["25", "40", "55"],
                    "water_cement_ratios": ["0.6", "0.5", "0.4"],
                    "form": "linear",
                    "predict_from_mpa": "24",
                },
                {"a": "10", "b": "1.5", "correlation": "1", "accepted": False, "f28_mpa": "46.0"},
                "C",
            ),
        ),
    ),
)
