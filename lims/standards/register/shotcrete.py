"""Shotcrete."""

from __future__ import annotations

from lims.standards.checks import all_passed
from lims.standards.inputs import Count, Given, Number
from lims.standards.register.rule import Answer, Rule, Vector
from lims.standards.rounding import shown
from lims.standards.shotcrete import (
    CURING_DAYS,
    FINAL_SET_MIN,
    INITIAL_SET_MIN,
    REBOUND_LIMIT_PERCENT,
    curing_check,
    rebound_check,
    rebound_percent,
    setting_checks,
)
from lims.standards.words import N_


def _rebound(given: Given) -> Answer:
    sprayed, rebound = given.number("sprayed_kg"), given.number("rebound_kg")
    check = rebound_check(sprayed, rebound, given.number("limit_percent"))
    return {
        "rebound_percent": shown(rebound_percent(sprayed, rebound), 1),
        "accepted": check.passed,
        "checks": [check],
    }


def _setting(given: Given) -> Answer:
    names = ("initial_set_min", "final_set_min", "initial_limit_min", "final_limit_min")
    checks = setting_checks(*map(given.number, names))
    return {"accepted": all_passed(checks), "checks": checks}


def _curing(given: Given) -> Answer:
    check = curing_check(given.count("curing_days"), given.count("least_days"))
    return {"accepted": check.passed, "checks": [check]}


RULES = (
    Rule(
        id="shotcrete/rebound",
        code=N_("Shotcrete practice"),
        edition="1",
        subject=N_("Shotcrete"),
        title=N_("Rebound on walls"),
        formula=N_("Rebound ≤ 20 % of what was sprayed; other codes 10 to 20 %."),
        provenance=((N_("the source document's limit"), "S"),),
        sources=(N_("source document"), "GB 50086"),
        fields=(
            Number(name="sprayed_kg", text=N_("Sprayed, kg"), above=0, maximum=1_000_000),
            Number(name="rebound_kg", text=N_("Rebound, kg"), minimum=0, maximum=1_000_000),
            Number(
                name="limit_percent",
                text=N_("Limit, %"),
                minimum=1,
                maximum=50,
                default=str(REBOUND_LIMIT_PERCENT),
            ),
        ),
        compute=_rebound,
        configurable=("limit_percent",),
        vectors=(
            Vector(
                {"sprayed_kg": "500", "rebound_kg": "100"}, {"rebound_percent": "20", "accepted": True}, "C"
            ),
            Vector({"sprayed_kg": "500", "rebound_kg": "100.5"}, {"accepted": False}, "C"),
        ),
    ),
    Rule(
        id="shotcrete/setting",
        code=N_("Shotcrete practice"),
        edition="1",
        subject=N_("Shotcrete"),
        title=N_("Setting with accelerator"),
        formula=N_("Initial set ≤ 5 min, final set ≤ 10 min."),
        provenance=((N_("limits"), "S"),),
        sources=(N_("source document"),),
        fields=(
            Number(name="initial_set_min", text=N_("Initial set, min"), above=0, maximum=5000),
            Number(name="final_set_min", text=N_("Final set, min"), above=0, maximum=5000),
            Number(
                name="initial_limit_min",
                text=N_("Limit of the initial set, min"),
                above=0,
                maximum=600,
                default=str(INITIAL_SET_MIN),
            ),
            Number(
                name="final_limit_min",
                text=N_("Limit of the final set, min"),
                above=0,
                maximum=600,
                default=str(FINAL_SET_MIN),
            ),
        ),
        compute=_setting,
        configurable=("initial_limit_min", "final_limit_min"),
        vectors=(
            Vector({"initial_set_min": "5", "final_set_min": "10"}, {"accepted": True}, "S"),
            Vector({"initial_set_min": "4", "final_set_min": "10.5"}, {"accepted": False}, "S"),
        ),
    ),
    Rule(
        id="shotcrete/curing",
        code=N_("Shotcrete practice"),
        edition="1",
        subject=N_("Shotcrete"),
        title=N_("Curing of shotcrete"),
        formula=N_("At least 14 days."),
        provenance=((N_("the source document's limit"), "S"),),
        sources=(N_("source document"),),
        fields=(
            Count(name="curing_days", text=N_("Curing, d"), minimum=0, maximum=3650),
            Count(name="least_days", text=N_("At least, d"), minimum=1, maximum=365, default=CURING_DAYS),
        ),
        compute=_curing,
        configurable=("least_days",),
        vectors=(
            Vector({"curing_days": 14}, {"accepted": True}, "S"),
            Vector({"curing_days": 13}, {"accepted": False}, "S"),
        ),
    ),
)
