"""How many sets to cast, and same-condition specimens."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from lims.standards.inputs import Count, Flag, Given, Number
from lims.standards.register.rule import Answer, Rule, Vector
from lims.standards.rounding import round_half_even
from lims.standards.sampling import (
    gb50204_sets_required,
    same_condition_due,
    same_condition_strength,
    sets_per_volume,
    shotcrete_sets_required,
)
from lims.standards.words import N_

VOLUME = Number(name="volume_m3", text=N_("Volume, m³"), above=0, maximum=1_000_000)


def _site(given: Given) -> Answer:
    found = sets_per_volume(
        given.number("volume_m3"), given.number("per_m3"), given.count("specimens_per_set")
    )
    return {"sets": found.sets, "specimens": found.specimens}


def _gb50204(given: Given) -> Answer:
    return {
        "sets": gb50204_sets_required(
            given.number("volume_m3"),
            continuous=given.flag("continuous") if given.has("continuous") else False,
            batches=given.count_or_none("batches"),
            shifts=given.count_or_none("shifts"),
            floors=given.count_or_none("floors"),
        )
    }


def _shotcrete(given: Given) -> Answer:
    return {"sets": shotcrete_sets_required(given.number("volume_m3"), given.number("per_m3"))}


def _same_condition(given: Given) -> Answer:
    strength = given.number_or_none("strength_mpa")
    return {
        "due": same_condition_due(given.number("degree_days"), given.count("age_days")),
        "equivalent_strength_mpa": None
        if strength is None
        else round_half_even(same_condition_strength(strength), Decimal("0.1")),
    }


RULES = (
    Rule(
        id="site/sets-per-volume",
        code=N_("Sampling plan of the laboratory"),
        edition="1",
        subject=N_("Sampling"),
        title=N_("Sets for a volume, by the laboratory's plan"),
        formula=N_("ceil(V / 50 m³) sets of at least three specimens, every shift."),
        provenance=((N_("the source document's plan"), "S"),),
        sources=(N_("source document"),),
        fields=(
            VOLUME,
            Number(name="per_m3", text=N_("One set for each, m³"), above=0, maximum=1000, default="50"),
            Count(name="specimens_per_set", text=N_("Specimens of a set"), minimum=3, maximum=30, default=3),
        ),
        compute=_site,
        configurable=("per_m3", "specimens_per_set"),
        vectors=(
            Vector(
                {"volume_m3": "120", "per_m3": "50", "specimens_per_set": 3}, {"sets": 3, "specimens": 9}, "C"
            ),
            Vector({"volume_m3": "50"}, {"sets": 1, "specimens": 3}, "C"),
            Vector({"volume_m3": "50.1"}, {"sets": 2, "specimens": 6}, "C"),
        ),
    ),
    Rule(
        id="gb50204-2015/sets-required",
        code="GB 50204",
        edition="2015",
        effective=date(2015, 9, 1),
        clause="7.4.1",
        subject=N_("Sampling"),
        title=N_("Sets for concrete cast in place"),
        formula=N_(
            "One for each 100 batches and 100 m³, each shift, each floor; one pour above 1000 m³: one for each 200 m³."
        ),
        provenance=((N_("counts"), "S"),),
        sources=("GB 50204-2015 7.4.1",),
        fields=(
            VOLUME,
            Flag(name="continuous", text=N_("One continuous pour"), required=False),
            Count(name="batches", text=N_("Batches"), minimum=1, maximum=100000, required=False),
            Count(name="shifts", text=N_("Shifts"), minimum=1, maximum=10000, required=False),
            Count(name="floors", text=N_("Floors"), minimum=1, maximum=1000, required=False),
        ),
        compute=_gb50204,
        vectors=(
            Vector({"volume_m3": "1050", "continuous": True}, {"sets": 6}, "S"),
            Vector({"volume_m3": "1850", "continuous": True}, {"sets": 10}, "S"),
            Vector({"volume_m3": "1000", "continuous": True}, {"sets": 10}, "C"),
            Vector({"volume_m3": "80", "shifts": 2}, {"sets": 2}, "C"),
        ),
    ),
    Rule(
        id="shotcrete/sets-required",
        code=N_("Shotcrete codes"),
        edition="1",
        subject=N_("Sampling"),
        title=N_("Sets for shotcrete"),
        formula=N_("At least one for each 50 to 100 m³ of mix, or for each independent job below 50 m³."),
        provenance=((N_("counts"), "S"),),
        sources=(N_("source document"), "GB 50086"),
        fields=(
            VOLUME,
            Number(name="per_m3", text=N_("One set for each, m³"), minimum=50, maximum=100, default="50"),
        ),
        compute=_shotcrete,
        configurable=("per_m3",),
        vectors=(
            Vector({"volume_m3": "30"}, {"sets": 1}, "S"),
            Vector({"volume_m3": "120", "per_m3": "50"}, {"sets": 3}, "C"),
        ),
    ),
    Rule(
        id="gb50204-2015/same-condition",
        code="GB 50204",
        edition="2015",
        effective=date(2015, 9, 1),
        clause="10.1.2, C.0.3",
        subject=N_("Sampling"),
        title=N_("Same-condition specimens: when to break, and the strength to judge by"),
        formula=N_("600 °C·d of daily means above 0 °C, between 14 and 60 d; strength / 0.88."),
        provenance=((N_("600 °C·d, 14 to 60 d"), "S"), (N_("divisor 0.88"), "R")),
        sources=("GB 50204-2015 10.1.2, appendix C",),
        fields=(
            Number(
                name="degree_days", text=N_("Sum of daily mean temperatures, °C·d"), minimum=0, maximum=10000
            ),
            Count(name="age_days", text=N_("Age, d"), minimum=0, maximum=3650),
            Number(name="strength_mpa", text=N_("Strength, MPa"), above=0, required=False),
        ),
        compute=_same_condition,
        numbers=((N_("sum of temperatures"), "600 °C·d"), (N_("divisor"), "0.88")),
        vectors=(
            Vector(
                {"degree_days": "600", "age_days": 14, "strength_mpa": "26.4"},
                {"due": True, "equivalent_strength_mpa": "30.0"},
                "C",
            ),
            Vector({"degree_days": "700", "age_days": 13}, {"due": False}, "C"),
            Vector({"degree_days": "300", "age_days": 60}, {"due": True}, "C"),
        ),
    ),
)
