"""Files of strength history -> mixes with their breaks. Reads only; nothing is written here.

Three shapes are known by their headers: BOxCrete (csv, psi), UCI Concrete (xls, MPa), and the long table of
`lims forecast` (csv or xlsx, a row a specimen).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from lims.base.fields import too_many_cells
from lims.base.problems import Problem, Refused
from lims.importing.workbooks import AS_A_JOB, Cell, Percentage, exact_text, place_of, read_book, shown
from lims.results.service import KEPT_MPA

#: 1 psi in MPa (NIST SP 811, exact to the digits given).
MPA_PER_PSI = Decimal("0.006894757293168")
KEPT_KG = Decimal("0.001")
#: Strengths above this are rather psi, or a slip.
LARGEST_STRENGTH_MPA = Decimal(300)
#: What stands for an error of the sheet, and for a formula whose value was not stored.
NOT_COMPUTED = "#error"
MOST_BYTES = 10_000_000
MOST_ROWS = 200_000

#: Ages in days that a break may have.
LONGEST_AGE_DAYS = 3650


@dataclass
class HistoryMix:
    """One mix as the file tells it. Masses in kg/m^3; breaks: age in days -> strengths in MPa."""

    code: str
    name: str = ""
    kind: str = "concrete"
    composition: dict[str, Decimal] = field(default_factory=dict)
    curing_temperature_c: Decimal | None = None
    slump_mm: Decimal | None = None
    grade_mpa: Decimal | None = None
    notes: str = ""
    shape: str = "cylinder"
    width_mm: Decimal | None = None
    breaks: dict[int, list[Decimal]] = field(default_factory=dict)
    #: Age -> the numbers of its specimens, in their order; counted from 1 where the file has none.
    numbers: dict[int, list[int]] = field(default_factory=dict)

    @property
    def specimen_count(self) -> int:
        return sum(len(values) for values in self.breaks.values())


@dataclass
class HistoryFile:
    """What a file holds: mixes in their order, rows read, exact duplicates left out, remarks for the reader."""

    laboratory: str
    mixes: list[HistoryMix]
    rows: int
    duplicate_rows: list[int]
    remarks: list[str]


def read_history(name: str, content: bytes) -> HistoryFile:
    """Read a history file of any known shape.

    Raises: Refused naming the file, row, column, value and what would be accepted.
    """
    if len(content) > MOST_BYTES:
        raise Refused([Problem("file", _("is larger than %(mb)s MB", mb=MOST_BYTES // 1_000_000), name)])
    table = _table(name, content)
    if len(table) > MOST_ROWS:
        raise Refused([Problem("file", _("has more than %(n)s rows", n=MOST_ROWS), name)])
    header = [str(cell).strip() for cell in table[0][1]] if table else []
    rows = table[1:]
    shape = _shape_of(header)
    _raise(_crowded(header, rows) if shape else [])
    if shape == "boxcrete":
        return _boxcrete(header, rows)
    if shape == "uci":
        return _uci(rows)
    if shape == "long":
        return _long(header, rows)
    raise Refused(
        [
            Problem(
                "file",
                _(
                    "has none of the known headers; accepted: BOxCrete csv, UCI Concrete xls, or a table with the "
                    "columns lab, mix_id, age_days, strength_mpa"
                ),
                ", ".join(header[:6]) or name,
            )
        ]
    )


def _shape_of(header: Sequence[str]) -> str:
    """boxcrete, uci, long, or "" for heads that are none of them."""
    if "Mix Name" in header and "Strength1 (psi)" in header:
        return "boxcrete"
    if (
        len(header) == 9
        and header[0].startswith("Cement (component 1)")
        and "compressive strength" in header[8]
    ):
        return "uci"
    return "long" if {"lab", "mix_id", "age_days", "strength_mpa"} <= set(header) else ""


def head_of(name: str, content: bytes) -> str | None:
    """The shape of a history file that `read_history` reads; None for other files. Raises: Refused for no table."""
    if len(content) > MOST_BYTES:
        return None
    table = _table(name, content)
    return _shape_of([str(cell).strip() for cell in table[0][1]]) or None if table else None


#: A row with its number in the file, from 1, blank rows counted: so people find what a message is about.
Numbered = tuple[int, Sequence[Any]]


def _table(name: str, content: bytes) -> list[Numbered]:
    """The rows that are not blank."""
    suffix = Path(name).suffix.lower()
    if suffix == ".csv":
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            try:
                text = content.decode("gb18030")
            except UnicodeDecodeError:
                raise Refused([Problem("file", _("is neither UTF-8 nor GB18030 text"), name)]) from None
        if "\0" in text:
            raise Refused([Problem("file", _("is not text"), name)])
        try:
            # Strictly: a quotation mark that is never closed would take the rows behind it into its cell.
            rows = enumerate(csv.reader(io.StringIO(text), strict=True), start=1)
            return [(number, row) for number, row in rows if any(cell.strip() for cell in row)]
        except csv.Error as error:
            raise Refused(
                [Problem("file", _("is not a csv table (%(why)s)", why=str(error)), name)]
            ) from None
    if suffix in {".xls", ".xlsx", ".xlsm", ".ods"}:
        sheet = read_book(name, content, AS_A_JOB).sheets[0]
        for at in sheet.errors | sheet.no_value:
            row, column = place_of(at)
            if column < len(sheet.rows[row]):  # what the sheet could not compute was not left blank
                sheet.rows[row][column] = NOT_COMPUTED
        rows = enumerate(([_plain(cell) for cell in row] for row in sheet.rows), start=1)
        return [(number, row) for number, row in rows if any(str(cell).strip() for cell in row)]
    raise Refused([Problem("file", _("has an unknown ending; accepted: .csv, .xls, .xlsx"), name)])


def _crowded(header: Sequence[str], rows: Sequence[Numbered]) -> list[Problem]:
    return [
        Problem(
            f"row {index}", too_many_cells(len(cells), len(header)), ", ".join(map(str, cells[len(header) :]))
        )
        for index, cells in rows
        if any(str(cell).strip() for cell in cells[len(header) :])
    ]


def _plain(cell: Cell) -> str:
    """A cell as text has it: mix 7 is no "7.0"."""
    return exact_text(cell) if isinstance(cell, Percentage) else shown(cell)


def _number(value: Any, row: int, column: str, problems: list[Problem]) -> Decimal | None:
    """A cell as an exact decimal; blank is None, never 0."""
    text = str(value).strip()
    if not text:
        return None
    if isinstance(value, float):
        text = repr(value)
    try:
        number = Decimal(text)
    except InvalidOperation:
        problems.append(
            Problem(f"row {row}, {column}", _("is not a number; accepted: digits with a decimal point"), text)
        )
        return None
    if not number.is_finite() or (number < 0 and "Temp" not in column and "temperature" not in column):
        problems.append(
            Problem(f"row {row}, {column}", _("is not accepted; accepted: a number of at least 0"), text)
        )
        return None
    return number


def _age(value: Any, row: int, column: str, problems: list[Problem]) -> int | None:
    number = _number(value, row, column, problems)
    if number is None:
        if not str(value).strip():
            problems.append(Problem(f"row {row}, {column}", _("is blank; accepted: an age in whole days")))
        return None
    if number != number.to_integral_value() or not 1 <= number <= LONGEST_AGE_DAYS:
        problems.append(
            Problem(
                f"row {row}, {column}", _("is not accepted; accepted: whole days from 1 to 3650"), str(value)
            )
        )
        return None
    return int(number)


def _strength(mpa: Decimal, row: int, column: str, problems: list[Problem]) -> Decimal | None:
    if mpa > LARGEST_STRENGTH_MPA:
        problems.append(
            Problem(
                f"row {row}, {column}", _("is above 300 MPa; accepted: MPa (psi divided by 145)"), f"{mpa:f}"
            )
        )
        return None
    return mpa.quantize(KEPT_MPA, ROUND_HALF_EVEN)


def _boxcrete(header: Sequence[str], rows: Sequence[Numbered]) -> HistoryFile:
    masses = {
        "cement_kg_m3": "Cement (kg/m3)",
        "slag_kg_m3": "Slag (kg/m3)",
        "fly_ash_kg_m3": "Fly Ash (kg/m3)",
        "water_kg_m3": "Water (kg/m3)",
        "superplasticizer_kg_m3": "HRWR (kg/m3)",
        "other_admixture_kg_m3": "MRWR (kg/m3)",
        "coarse_aggregate_kg_m3": "Coarse Aggregates (kg/m3)",
        "fine_aggregate_kg_m3": "Fine Aggregate (kg/m3)",
    }
    problems: list[Problem] = []
    remarks: list[str] = []
    mixes: dict[str, HistoryMix] = {}
    zeros = 0
    for index, cells in rows:
        record = dict(zip(header, cells, strict=False))
        code = str(record.get("Mix Name", "")).strip()
        if not code:
            problems.append(Problem(f"row {index}, Mix Name", _("is blank; accepted: the name of the mix")))
            continue
        mix = mixes.get(code)
        if mix is None:
            slump_in = _number(record.get("Slump (in)", ""), index, "Slump (in)", problems)
            mortar = str(record.get("Mortar or Concrete", "")).strip().lower() == "mortar"
            mix = mixes[code] = HistoryMix(
                code=mix_code(code),
                name=code,
                kind="mortar" if mortar else "concrete",
                composition=_masses(record, masses, index, problems),
                curing_temperature_c=_number(record.get("Temp (C)", ""), index, "Temp (C)", problems),
                slump_mm=(slump_in * Decimal("25.4")).quantize(Decimal("0.1"))
                if slump_in is not None
                else None,
                notes=f"BOxCrete, material source {str(record.get('Material Source', '')).strip()}",
                shape="cube" if mortar else "cylinder",
            )
        age = _age(record.get("Time", ""), index, "Time", problems)
        if age is None:
            continue
        for number in (1, 2, 3):
            column = f"Strength{number} (psi)"
            psi = _number(record.get(column, ""), index, column, problems)
            if psi is None:
                continue
            strength = _strength(psi * MPA_PER_PSI, index, column, problems)
            if strength is not None:
                zeros += strength == 0
                mix.breaks.setdefault(age, []).append(strength)
    _raise(problems)
    bare = sum(1 for mix in mixes.values() if not mix.breaks)
    cold = sum(
        1 for mix in mixes.values() if mix.curing_temperature_c is not None and mix.curing_temperature_c < 18
    )
    remarks.append(_("%(n)s mixes have no strength; their blanks stay blank", n=bare))
    remarks.append(_("%(n)s strengths are a true 0; they are kept and tell the forecast nothing", n=zeros))
    remarks.append(_("%(n)s mixes were cured below 18 °C: not standard curing, not used to fit", n=cold))
    return HistoryFile("BOxCrete", list(mixes.values()), len(rows), [], remarks)


def _masses(
    record: Mapping[str, Any], columns: Mapping[str, str], row: int, problems: list[Problem]
) -> dict[str, Decimal]:
    found = {}
    for name, column in columns.items():
        value = _number(record.get(column, ""), row, column, problems)
        if value is not None:
            found[name] = value.quantize(KEPT_KG, ROUND_HALF_EVEN)
    return found


def _uci(rows: Sequence[Numbered]) -> HistoryFile:
    names = (
        "cement_kg_m3",
        "slag_kg_m3",
        "fly_ash_kg_m3",
        "water_kg_m3",
        "superplasticizer_kg_m3",
        "coarse_aggregate_kg_m3",
        "fine_aggregate_kg_m3",
    )
    problems: list[Problem] = []
    duplicates: list[int] = []
    seen: set[tuple[str, ...]] = set()
    mixes: dict[tuple[Decimal | None, ...], HistoryMix] = {}
    for index, cells in rows:
        cells = [*cells, *[""] * (9 - len(cells))]  # a line of text may end before its heads do
        exact = tuple(repr(cell) for cell in cells[:9])
        if exact in seen:
            duplicates.append(index)
            continue
        seen.add(exact)
        values = [_number(cell, index, name, problems) for cell, name in zip(cells, names, strict=False)]
        age = _age(cells[7], index, "Age (day)", problems)
        mpa = _number(cells[8], index, "strength", problems)
        if age is None or mpa is None:
            continue
        key = tuple(values)
        mix = mixes.get(key)
        if mix is None:
            masses = {n: v.quantize(KEPT_KG) for n, v in zip(names, values, strict=True) if v is not None}
            mix = mixes[key] = HistoryMix(
                code=f"UCI-{len(mixes) + 1:03d}", composition=masses, notes="I-C. Yeh 1998, UCI, CC BY 4.0"
            )
        strength = _strength(mpa, index, "strength", problems)
        if strength is not None:
            mix.breaks.setdefault(age, []).append(strength)
    _raise(problems)
    remarks = [_("%(n)s rows repeat an earlier one exactly and were left out", n=len(duplicates))]
    remarks += _odd_ages(mixes.values())
    return HistoryFile("UCI", list(mixes.values()), len(rows), duplicates, remarks)


def _long(header: Sequence[str], rows: Sequence[Numbered]) -> HistoryFile:
    from lims.mixes.schemas import COMPONENT_KINDS

    columns = {f"{kind}_kg_m3": f"{kind}_kg_m3" for kind in COMPONENT_KINDS if f"{kind}_kg_m3" in header}
    known = {"lab", "mix_id", "age_days", "strength_mpa", "curing_temperature_c", "grade_mpa", *columns}
    unknown = [name for name in header if name and name not in known]
    problems = [
        Problem(
            f"header, {name}", _("is not a known column; accepted: %(what)s", what=", ".join(sorted(known)))
        )
        for name in unknown
    ]
    problems += [
        Problem(f"header, {name}", _("“%(what)s” names two columns; accepted: each once", what=name))
        for name in dict.fromkeys(header)
        if name and header.count(name) > 1
    ]
    mixes: dict[str, HistoryMix] = {}
    labs: set[str] = set()
    duplicates: list[int] = []
    seen: set[tuple[str, ...]] = set()
    for index, cells in rows:
        record = dict(zip(header, cells, strict=False))
        exact = tuple(str(cell).strip() for cell in cells)
        if exact in seen:
            duplicates.append(
                index
            )  # a repeated specimen cannot be told from a repeated row: reported, not doubled
            continue
        seen.add(exact)
        lab, code = str(record.get("lab", "")).strip(), str(record.get("mix_id", "")).strip()
        if not lab or not code:
            problems.append(Problem(f"row {index}, lab and mix_id", _("is blank; accepted: names")))
            continue
        labs.add(lab)
        masses = _masses(record, columns, index, problems)
        mix = mixes.get(code)
        if mix is None:
            mix = mixes[code] = HistoryMix(
                code=mix_code(code),
                name=code,
                composition=masses,
                curing_temperature_c=_number(
                    record.get("curing_temperature_c", ""), index, "curing_temperature_c", problems
                ),
                grade_mpa=_number(record.get("grade_mpa", ""), index, "grade_mpa", problems),
            )
        else:
            if masses and mix.composition and masses != mix.composition:
                problems.append(
                    Problem(
                        f"row {index}, mix_id",
                        _("has another composition than before; accepted: one for each mix"),
                        code,
                    )
                )
            mix.composition = mix.composition or masses
            for name in ("curing_temperature_c", "grade_mpa"):
                value, before = _number(record.get(name, ""), index, name, problems), getattr(mix, name)
                if before is None:
                    setattr(mix, name, value)
                elif value is not None and value != before:
                    message = _("differs from an earlier row of the mix; accepted: one for each mix")
                    problems.append(Problem(f"row {index}, {name}", message, f"{value:f}"))
        if not str(record.get("strength_mpa", "")).strip():
            continue
        age = _age(record.get("age_days", ""), index, "age_days", problems)
        mpa = _number(record.get("strength_mpa", ""), index, "strength_mpa", problems)
        if age is not None and mpa is not None:
            strength = _strength(mpa, index, "strength_mpa", problems)
            if strength is not None:
                mix.breaks.setdefault(age, []).append(strength)
    if len(labs) > 1:
        problems.append(
            Problem(
                "lab", _("holds several laboratories; accepted: one file for each"), ", ".join(sorted(labs))
            )
        )
    _raise(problems)
    remarks = (
        [_("%(n)s rows repeat an earlier one exactly and were left out", n=len(duplicates))]
        if duplicates
        else []
    )
    remarks += _odd_ages(mixes.values())
    return HistoryFile(next(iter(labs), "history"), list(mixes.values()), len(rows), duplicates, remarks)


def mix_code(name: str) -> str:
    """A mix's name as a code: codes carry no blanks, since they go on labels and into addresses."""
    return re.sub(r"\s+", "-", name)[:40]


def _odd_ages(mixes: Any) -> list[str]:
    """Mixes whose strength falls with age: reported, not changed."""
    found = []
    for mix in mixes:
        means = {age: sum(values) / len(values) for age, values in sorted(mix.breaks.items())}
        ages = [age for age in means if age <= 28]
        for early, late in pairwise(ages):
            if means[late] < means[early] * Decimal("0.9"):
                found.append(
                    _(
                        "%(mix)s: %(late)s d (%(b)s MPa) lies below %(early)s d (%(a)s MPa)",
                        mix=mix.code,
                        late=late,
                        early=early,
                        a=f"{means[early]:.1f}",
                        b=f"{means[late]:.1f}",
                    )
                )
    return found


def _raise(problems: list[Problem]) -> None:
    if problems:
        more = len(problems) - 50
        shown = problems[:50]
        if more > 0:
            shown.append(Problem("", _("and %(n)s more", n=more)))
        raise Refused(shown)
