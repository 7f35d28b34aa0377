"""The rule register: every rule with its code, edition, provenance and vectors."""

from lims.standards.register import (
    acceptance,
    aggregates,
    cement,
    growth,
    maturity,
    proportioning,
    rounding,
    sampling,
    shotcrete,
    specimens,
)
from lims.standards.register.rule import Register

REGISTER = Register(
    (
        *rounding.RULES,
        *specimens.RULES,
        *sampling.RULES,
        *acceptance.RULES,
        *growth.RULES,
        *maturity.RULES,
        *proportioning.RULES,
        *cement.RULES,
        *aggregates.RULES,
        *shotcrete.RULES,
    )
)
