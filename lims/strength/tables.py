"""Long tables of strengths as CSV: a row a specimen or set, read into mixes; and forecasts written back.

Choices for input that is readable but doubtful, each reported with its row and column:
- a value that cannot be a strength (not a number, negative, above MOST_MPA: psi?) leaves its break out;
- a strength below 0.5 MPa (zero too) is a real break that tells nothing about a ratio: kept, never a basis;
- exact duplicate rows are kept: two specimens may break at the same load;
- a mix with two compositions or grades keeps the first; of one cured at two temperatures the breaks of the second are left
  out, since they are no ages of the first; unknown columns are left out; 28 d below an earlier age is kept.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

from lims.strength.history import COMPOSITION, LEAST_TELLING_MPA, AgeStrength, MixHistory, combine
from lims.strength.model import Forecast

REQUIRED = ("lab", "mix_id", "age_days", "strength_mpa")
OPTIONAL = (*COMPOSITION, "curing_temperature_c", "grade_mpa")
#: Above this, MPa, a number is taken for psi (200 MPa would be ultra-high-performance; 29 000 psi).
MOST_MPA = 250.0
MPA_PER_PSI = 0.006894757293168
LONGEST_AGE_DAYS = 36_525.0
LARGEST_MASS_KG_M3 = 3_500.0
#: Curing temperatures of one mix that lie further apart are two kinds of curing, degC: 20 +- 2 is one.
ONE_CURING_C = 4.0
#: Messages of one kind beyond this many are counted, not listed.
LISTED = 20


class TableError(ValueError):
    """The table as a whole cannot be read: what, and what would be accepted."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something doubtful in one row: `row` counts lines of the file from 1, the header being 1."""

    row: int
    column: str
    message: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: {self.message}"


@dataclass(slots=True)
class Remarks:
    """Remarks by kind, so that a million bad rows do not make a million lines."""

    by_kind: dict[str, list[Remark]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, row: int, column: str, message: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        kept = self.by_kind.setdefault(kind, [])
        if len(kept) < LISTED:
            kept.append(Remark(row, column, message))

    def lines(self) -> list[str]:
        found = []
        for kind, kept in self.by_kind.items():
            found += [str(remark) for remark in kept]
            if self.counts[kind] > len(kept):
                found.append(f"… and {self.counts[kind] - len(kept)} more rows: {kind}")
        return found

    def __len__(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Table:
    """Mixes in the order of their first row, what was doubtful, and a word for each mix that needs one."""

    mixes: list[MixHistory]
    rows: int
    remarks: Remarks
    notes: dict[tuple[str, str], str]


def decode(content: bytes, name: str) -> str:
    """Text of a CSV file: UTF-8 (with or without mark), UTF-16 with mark, or GB18030."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TableError(f"{name}: is neither UTF-8 nor GB18030 text; accepted: a CSV file in one of them")


@dataclass(slots=True)
class _Mix:
    composition: dict[str, float]
    first_row: int
    #: The cells that describe the mix, as they stood in its first row: most rows repeat them.
    described: tuple[str, ...] = ()
    temperature: float | None = None
    grade: float | None = None
    breaks: dict[float, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_table(path: Path) -> Table:
    """Read a table of strengths. Raises: TableError when there is no table to read."""
    return parse_table(decode(path.read_bytes(), path.name), path.name)


def parse_table(text: str, name: str = "table") -> Table:
    """Parse a table of strengths; see the module's docstring for what is done with doubtful rows."""
    if "\0" in text:
        raise TableError(f"{name}: holds binary data; accepted: a CSV file")
    remarks = Remarks()
    if not text.strip():
        return Table([], 0, remarks, {})
    delimiter = _delimiter(text)
    lines = _lines(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), name)
    header = [cell.strip().lower() for cell in next(lines)[1]]
    missing = [column for column in REQUIRED if column not in header]
    if missing:
        raise TableError(
            f"{name}: row 1: no column {', '.join(missing)}; accepted: {', '.join(REQUIRED)} and optionally "
            f"{', '.join(OPTIONAL)}"
        )
    doubled = sorted({column for column in header if column and header.count(column) > 1})
    if doubled:
        raise TableError(f"{name}: row 1: column {doubled[0]} stands there twice; accepted: each once")
    for column in header:
        if column and column not in REQUIRED and column not in OPTIONAL:
            remarks.add("unknown column", 1, column, "is not known and is left out")
    place = {column: header.index(column) for column in (*REQUIRED, *OPTIONAL) if column in header}
    found: dict[tuple[str, str], _Mix] = {}
    describing = [place[column] for column in OPTIONAL if column in place]
    rows = 0
    for row, cells in lines:
        if not any(cells) or "".join(cells).isspace():
            continue
        rows += 1
        if len(cells) < len(header):
            cells = cells + [""] * (len(header) - len(cells))
        elif len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            remarks.add("too many cells", row, "row", f"has {len(cells)} cells, the header {len(header)}")
        _read_row(row, cells, place, describing, found, remarks)
    mixes, notes = [], {}
    for (lab, mix_id), mix in found.items():
        breaks = tuple(
            AgeStrength(age, combine(values), len(values)) for age, values in sorted(mix.breaks.items())
        )
        _look_at_growth(mix_id, mix, breaks, remarks)
        mixes.append(MixHistory(lab, mix_id, breaks, mix.composition, mix.temperature, mix.grade))
        if mix.notes:
            notes[lab, mix_id] = "; ".join(dict.fromkeys(mix.notes))
    return Table(mixes, rows, remarks, notes)


def _lines(reader: Any, name: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line they end in. A quotation mark that is never closed would take all rows below into one cell."""
    begins = 1
    try:
        for cells in reader:
            yield reader.line_num, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise TableError(
            f"{name}: row {begins}: {error}; accepted: cells without quotation marks or with one at either end"
        ) from error


def _delimiter(text: str) -> str:
    first = text.lstrip("\r\n").split("\n", 1)[0]
    return max((",", ";", "\t"), key=first.count)


def _read_row(
    row: int,
    cells: list[str],
    place: dict[str, int],
    describing: list[int],
    found: dict[tuple[str, str], _Mix],
    remarks: Remarks,
) -> None:
    lab, mix_id = cells[place["lab"]].strip(), cells[place["mix_id"]].strip()
    if not mix_id:
        remarks.add("no mix_id", row, "mix_id", "is blank; accepted: a name; the row is left out")
        return
    mix = found.get((lab, mix_id))
    described = tuple([cells[i] for i in describing])
    if mix is None:
        mix = found[lab, mix_id] = _Mix(_composition(row, cells, place, remarks), row)
        mix.temperature = _temperature(row, cells, place, remarks)
        mix.grade = _grade(row, cells, place, remarks)
        mix.described = described
    elif described != mix.described:
        _look_at_composition(row, cells, place, mix, mix_id, remarks)
        if not _described_alike(row, cells, place, mix, mix_id, remarks):
            return
    age_text, strength_text = cells[place["age_days"]].strip(), cells[place["strength_mpa"]].strip()
    if not age_text and not strength_text:
        return  # a mix to be forecast from its composition
    age = _number(row, cells, place, "age_days", remarks, low=0, high=LONGEST_AGE_DAYS)
    if not strength_text:
        remarks.add("blank strength", row, "strength_mpa", f"is blank at {age_text} d; blank is not zero")
        return
    if not age_text:
        remarks.add("blank age", row, "age_days", "is blank beside a strength; the break is left out")
    strength = _float(strength_text)
    if strength is None or strength < 0 or not math.isfinite(strength):
        remarks.add(
            "not a strength",
            row,
            "strength_mpa",
            f"{strength_text[:40]!r} is not accepted; accepted: MPa, 0 to {MOST_MPA:g}; the break is left out",
        )
        mix.notes.append(f"a strength in row {row} could not be used")
        return
    if strength > MOST_MPA:
        remarks.add(
            "psi?",
            row,
            "strength_mpa",
            f"{strength_text[:40]} is above {MOST_MPA:g} MPa; in psi it would be {strength * MPA_PER_PSI:.1f} MPa; "
            "the break is left out",
        )
        mix.notes.append("a strength looks like psi given as MPa and was not used")
        return
    if age is None:
        mix.notes.append(f"a break in row {row} has no usable age")
        return
    if strength < LEAST_TELLING_MPA:
        remarks.add(
            "hardly set",
            row,
            "strength_mpa",
            f"is {strength:g} MPa at {age_text} d; below {LEAST_TELLING_MPA:g} MPa it tells nothing about a ratio",
        )
        mix.notes.append(f"a strength below {LEAST_TELLING_MPA:g} MPa is no basis")
    values = mix.breaks.setdefault(age, [])
    if strength in values and described == mix.described:
        remarks.add("duplicate row", row, "row", "repeats an earlier row; kept as another specimen")
    values.append(strength)


def _composition(row: int, cells: list[str], place: dict[str, int], remarks: Remarks) -> dict[str, float]:
    composition = {}
    for column in COMPOSITION:
        mass = _mass(row, cells, place, column, remarks)
        if mass is not None:
            composition[column] = mass
    if composition.get("cement_kg_m3") == 0 and sum(composition.values()) == 0:
        return {}
    return composition


def _look_at_composition(
    row: int, cells: list[str], place: dict[str, int], mix: _Mix, mix_id: str, remarks: Remarks
) -> None:
    for column in COMPOSITION:
        value = _mass(row, cells, place, column, remarks)
        if value is None:
            continue
        had = mix.composition.setdefault(column, value)
        if abs(had - value) > 1e-6 * max(1.0, had):
            remarks.add(
                "two compositions",
                row,
                column,
                f"{value:g} differs from {had:g} of row {mix.first_row} for mix {mix_id[:60]}; the first is kept",
            )
            mix.notes.append("given with two compositions; the first is used")
            return


def _described_alike(
    row: int, cells: list[str], place: dict[str, int], mix: _Mix, mix_id: str, remarks: Remarks
) -> bool:
    """Grade and curing of a later row of a mix; what the first one lacked is taken. False: its break is of another
    curing."""
    alike = True
    for column, attribute, read in (
        ("grade_mpa", "grade", _grade),
        ("curing_temperature_c", "temperature", _temperature),
    ):
        value = read(row, cells, place, remarks)
        if value is None:
            continue
        had = getattr(mix, attribute)
        if had is None:
            setattr(mix, attribute, value)
        elif abs(value - had) > (ONE_CURING_C if attribute == "temperature" else 1e-6):
            alike = alike and attribute != "temperature"
            done = "the first is kept" if attribute == "grade" else "the break is left out"
            remarks.add(
                f"two values of {column}",
                row,
                column,
                f"{value:g} differs from {had:g} of row {mix.first_row} for mix {mix_id[:60]}; {done}",
            )
            mix.notes.append(f"given with two values of {column}; the first is used")
    return alike


def _look_at_growth(mix_id: str, mix: _Mix, breaks: Sequence[AgeStrength], remarks: Remarks) -> None:
    for earlier, later in pairwise(breaks):
        if later.strength_mpa < earlier.strength_mpa:
            remarks.add(
                "strength falls",
                mix.first_row,
                "strength_mpa",
                f"mix {mix_id[:60]}: {later.strength_mpa:.1f} MPa at {later.age_days:g} d lies below "
                f"{earlier.strength_mpa:.1f} MPa at {earlier.age_days:g} d; kept",
            )
            mix.notes.append(f"{later.age_days:g} d lies below {earlier.age_days:g} d")
            return


def _mass(row: int, cells: list[str], place: dict[str, int], column: str, remarks: Remarks) -> float | None:
    if column not in place or not cells[place[column]]:
        return None  # most cells, told at once
    return _number(row, cells, place, column, remarks, low=0, high=LARGEST_MASS_KG_M3, zero=True)


def _temperature(row: int, cells: list[str], place: dict[str, int], remarks: Remarks) -> float | None:
    return _number(row, cells, place, "curing_temperature_c", remarks, low=-60, high=120, zero=True)


def _grade(row: int, cells: list[str], place: dict[str, int], remarks: Remarks) -> float | None:
    return _number(row, cells, place, "grade_mpa", remarks, low=0, high=MOST_MPA)


def _number(
    row: int,
    cells: list[str],
    place: dict[str, int],
    column: str,
    remarks: Remarks,
    *,
    low: float,
    high: float,
    zero: bool = False,
) -> float | None:
    if column not in place:
        return None
    text = cells[place[column]].strip()
    if not text:
        return None
    value = _float(text)
    if value is None or not math.isfinite(value) or not low <= value <= high or (value == 0 and not zero):
        least = f"{low:g}" if zero else f"above {low:g}"
        remarks.add(
            f"not a value of {column}",
            row,
            column,
            f"{text[:40]!r} is not accepted; accepted: {least} to {high:g}; taken as unknown",
        )
        return None
    return value


def _float(text: str) -> float | None:
    """A plain number; float() itself would also read 1_000, infinity and digits of other scripts."""
    if "_" in text or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def forecast_columns(levels: Sequence[float]) -> list[str]:
    """Header of the output: a lower and an upper bound for each level."""
    bounds = [f"{side}_{level_name(level)}" for level in levels for side in ("lower", "upper")]
    return [
        "lab",
        "mix_id",
        "age_days",
        "strength_mpa",
        *bounds,
        "p_grade",
        "local_mixes",
        "history_mixes",
        "method",
        "note",
    ]


def level_name(level: float) -> str:
    """0.9 -> 90, 0.975 -> 97.5."""
    return f"{100 * level:.6g}"


def write_forecasts(file: TextIO, forecasts: Iterable[Forecast], levels: Sequence[float]) -> None:
    """Forecasts as CSV; a refusal has blank numbers and says why in `note`."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(forecast_columns(levels))
    for item in forecasts:
        bounds: list[str] = []
        for level in levels:
            pair = item.intervals.get(level)
            bounds += ["", ""] if pair is None else [f"{pair[0]:.3f}", f"{pair[1]:.3f}"]
        writer.writerow(
            [
                item.lab,
                item.mix_id,
                f"{item.age_days:g}",
                "" if item.strength_mpa is None else f"{item.strength_mpa:.3f}",
                *bounds,
                "" if item.p_grade is None else f"{item.p_grade:.4f}",
                item.local_mixes,
                item.history_mixes,
                item.method,
                item.note,
            ]
        )
