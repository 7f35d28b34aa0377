"""Strength grades of the Chinese codes."""

from __future__ import annotations

from decimal import Decimal

from lims.standards.errors import RuleInputError
from lims.standards.rounding import require_number
from lims.standards.words import N_

#: C10 to C100 in steps of 5 MPa, GB/T 50107-2010 (R).
GB_GRADES_MPA = tuple(Decimal(grade) for grade in range(10, 101, 5))


def require_grade(grade_mpa: Decimal) -> Decimal:
    """The grade when it is one of C10 to C100. Raises: RuleInputError for any other number."""
    grade = require_number("grade_mpa", grade_mpa)
    if grade not in GB_GRADES_MPA:
        raise RuleInputError("grade_mpa", grade_mpa, N_("a grade from 10 to 100 in steps of 5 (30 for C30)"))
    return grade
