"""Strength grades of the Chinese codes, and what a strength class says of cubes and of cylinders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType

from lims.standards.errors import RuleInputError
from lims.standards.rounding import require_number
from lims.standards.words import N_

#: C10 to C100 in steps of 5 MPa, GB/T 50107-2010 (R).
GB_GRADES_MPA = tuple(Decimal(grade) for grade in range(10, 101, 5))
#: C30, M7.5, C30/37, and with classes of impermeability, frost, exposure or slump after it, C30P8, C30/37 XC4.
STRENGTH_CLASS = re.compile(
    r"[CM](\d+(?:\.\d)?)(?:/(\d+)(?![\d.]|d\b)|(?=$|[PF/]))", re.ASCII | re.IGNORECASE
)


@lru_cache(maxsize=1024)
def grades_of_class(strength_class: str) -> Mapping[str, Decimal]:
    """Shape of specimen -> characteristic strength, MPa: C30/37 is 30 of cylinders and 37 of cubes, C30 is 30 of what the
    laboratory breaks. Empty where the text is no class.

    Source: EN 206:2013 4.3.1, table 12 (R).
    """
    found = STRENGTH_CLASS.match(strength_class)
    if found is None:
        return MappingProxyType({})
    first, second = (Decimal(text) if text else None for text in found.groups())
    assert first is not None
    of_cubes = second if second is not None and second > first else first  # a cube bears more than a cylinder
    return MappingProxyType({"cylinder": first, "cube": of_cubes})


def grade_of_shape(strength_class: str | None, grade_mpa: Decimal | None, shape: str) -> Decimal | None:
    """The grade that results of this shape are held against: of a class of two numbers the one of the shape, unless another
    grade than these was typed."""
    both = grades_of_class(strength_class or "")
    return both[shape] if shape in both and grade_mpa in both.values() else grade_mpa


def require_grade(grade_mpa: Decimal) -> Decimal:
    """The grade when it is one of C10 to C100. Raises: RuleInputError for any other number."""
    grade = require_number("grade_mpa", grade_mpa)
    if grade not in GB_GRADES_MPA:
        raise RuleInputError("grade_mpa", grade_mpa, N_("a grade from 10 to 100 in steps of 5 (30 for C30)"))
    return grade
