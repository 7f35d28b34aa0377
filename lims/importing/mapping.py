"""How a sheet is read: which row names the columns, which column is which field, in which unit, and how days and
decimals are written. Our own templates say it themselves; for other sheets it is proposed from their heads and settled on
a page.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from flask import current_app
from flask_babel import force_locale
from flask_babel import gettext as _
from pydantic_core import PydanticCustomError

from lims.base.fields import Instant, Quantity, WholeNumber, too_many_cells
from lims.base.problems import Problem, Refused, refuse
from lims.base.views import VIEWS, RecordView
from lims.importing.columns import LANGUAGES, Column, Place, Row, fill, in_all_languages
from lims.importing.former_labels import FORMER_LABELS
from lims.importing.numbers import DATE_FORMS, DECIMAL_MARKS, Form, plain, spelled, units_for
from lims.importing.templates import Template
from lims.importing.workbooks import Book, Cell, Sheet, cell_name, column_letters, column_of, shown

#: The names of a template's columns stand in one of the first rows; other people's heads within these.
TEMPLATE_HEAD_ROWS, FREE_HEAD_ROWS = 12, 30
#: Sheets of our templates around the one that is read.
AROUND = ("Examples", "Notes")
_AGE = re.compile(r"(?:^|[^0-9.月])([0-9]{1,4})\s*(?:-?\s*days?|天|日|d(?![a-z]))", re.IGNORECASE)
_DATED = re.compile(
    r"[0-9]{2,4}\s*[-/.年]\s*[0-9]{1,2}(?:\s*[-/.月]\s*[0-9]{1,2}\s*日?|\s*月份?)?|[0-9]{1,2}\s*月份?"
)
_NUMBERED = re.compile(r"(?:^|[^0-9])([1-9][0-9]?)\s*(?:#|号|號)?$")
#: What two writings of a head differ in.
_BETWEEN = re.compile(r"[\s*_:：.]+")
_AVERAGE = re.compile(r"平均|均值|代表值|average|mean|avg", re.IGNORECASE)
_UNIT = re.compile(
    r"[（(\[]\s*([^()（）\[\]]{1,16})\s*[)）\]]|[,，]\s*([^,，()（）]{1,12})$|/\s*([^,，/()（）]{1,12})$"
    r"|\s((?:[a-z]{1,3}/\S{1,8}|MPa|kN|psi|mm))$",
    re.IGNORECASE,
)
#: Heads that name a material or a sieve and are no mass of it: "water/binder", "水胶比", 0.15mm累计筛余.
_RATIO = re.compile(
    r"ratio|/(?:binder|cement)|/[bcw]\b|[^合]比例?$|取代率|掺率|摻率|累[计計]|cumulative|passing|通[过過]|增[长長]率",
    re.IGNORECASE,
)
#: A share, unless a unit says otherwise: 粉煤灰掺量 of 20 is no 20 kg/m³, 分计筛余 of 12 no 12 g.
_SHARE = re.compile("[掺摻]量|分[计計]")
#: A strength that was asked for, of a mix or its grade, or foretold: no specimen broke at it.
_ASKED_FOR = re.compile(
    "设计|設計|等级|等級|标号|標號|标准值|標準值|预测|預測|推定|要求|指[标標]"
    # At least so much; but ≥28d is an age.
    r"|≥(?!\s*[0-9]+\s*(?:d|天|日))"
    "|design|specified|target|required|grade|class|forecast|predict",
    re.IGNORECASE,
)
#: And one that was found, whatever else its head says: 达到设计强度的28d实测强度.
_MEASURED = re.compile(r"[实實][测測]|\bmeasured|\bactual", re.IGNORECASE)
#: What is told of an age and is no strength, not even where a head says of what strength: 28d强度标准差.
_NO_STRENGTH = re.compile(
    "日期|质量|質量|品質|密度|[标標][准準]差|[变變][异異]|系[数數]|係數|模量|指[数數]|收[缩縮]|碳化|[渗滲]透|保[证證]率|判定"
    "|[编編][号號]"
    "|(?<![a-z])(?:dates?|mass|density|deviation|variation|modulus|index|shrinkage)(?![a-z])",
    re.IGNORECASE,
)
_LOAD = re.compile("荷[载載重]|(?<![a-z])loads?(?![a-z])", re.IGNORECASE)
_STRENGTH = re.compile("强度|強度|抗[压壓]|strength|compress", re.IGNORECASE)
#: A grade names the material that has it: 水泥强度等级, fly ash grade.
_GRADE = re.compile("等[级級]|[标標][号號]|grade|class", re.IGNORECASE)
#: The strength of the cement beside that of the concrete: 28d胶砂强度 is no second cube, that of cement concrete is one.
_OF_CEMENT = re.compile(
    r"[胶膠]砂|水泥(?!混凝土|砼)"
    r"|\bcement\b(?![\s-]+(?:(?!(?:for|of|in|and)\b)[a-z]+[\s-]+)?concrete)",
    re.IGNORECASE,
)
_BEGINS_NUMBER = frozenset("+-0123456789")
#: What is said of a column of a group -> the field that it is.
OF_A_GROUP = {"age": "age_days", "number": "specimen_number"}
#: Template -> the field that names the concrete's own batch.
_OF_THE_BATCH = {"batches": "code", "breaks": "batch"}
#: What a lot can be one of: 粉煤灰批次 names the fly ash and not the concrete that it went into.
_MATERIAL = re.compile(
    "水泥(?!混凝土|砼)|[飞飛]灰|煤灰|[矿礦]|[爐炉]石|[硅矽]灰|[掺摻][合料]|外加|[减減]水|塑[剂劑]|骨[料材]|集料|粒料|石粉|砂(?![浆漿])|石子"
    "|(?<![a-z])(?:cement(?! +concrete)|ash|slag|ggbs|fume|admixtures?|reducer|superplastici[sz]er|filler|aggregates?|sand)"
    "(?![a-z])",
    re.IGNORECASE,
)
#: A strength of another kind: mill certificates name the flexural one first, 3d抗折 before 3d抗压.
_NOT_COMPRESSIVE = re.compile(
    "抗折|抗弯|抗彎|抗拉|劈裂|抗剪|粘结|flexur|bending|tensile|splitting|shear|bond", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """A column of the sheet. `age_days` and `number` are those of a group: the columns of 7 days, the second cube."""

    at: str
    field: str
    unit: str = ""
    age_days: int | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """All that is needed to read the file again the same way."""

    template: str
    sheet: str
    #: Row of the heads, from 1; what follows is data.
    header_row: int
    columns: tuple[MappedColumn, ...]
    #: Field -> what every row has, for facts that the sheet does not tell.
    constants: Mapping[str, str] = field(default_factory=dict)
    decimal_mark: str = ""
    date_form: str = "auto"
    time_of_day: str = ""
    rounds: bool = False
    encoding: str = ""
    delimiter: str = ""
    #: The sheet is one of our own templates: nothing needs to be settled.
    own: bool = False
    #: Of a remembered mapping, column -> what its head said (`head_key`): a sheet that says otherwise is not read so.
    heads: Mapping[str, str] = field(default_factory=dict, compare=False)

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def of_json(cls, text: str) -> Reading:
        data = json.loads(text)
        data["columns"] = tuple(MappedColumn(**item) for item in data["columns"])
        return cls(**data)

    def form(self, book: Book) -> Form:
        return Form(self.decimal_mark, self.date_form, self.time_of_day, self.rounds, book.mac_dates)


# --- our own templates -----------------------------------------------------------------------------------------


def own_reading(book: Book, templates: Sequence[Template]) -> Reading | None:
    """The template that this file is: one of its first rows holds the names of the columns. None for other sheets, and where
    several templates have these names as well, such as code and name alone.

    Raises: Refused where a name stands twice: which of the two is meant is not ours to guess.
    """
    for sheet in book.sheets:
        if sheet.hidden:
            continue
        for number, cells in enumerate(sheet.rows[:TEMPLATE_HEAD_ROWS]):
            names = [plain(cell) if isinstance(cell, str) else "" for cell in cells]
            hits = max(sum(name in item.columns for name in names) for item in templates)
            alike = [
                item
                for item in templates
                if sum(name in item.columns for name in names) == hits
                and {name for name, column in item.columns.items() if column.required} <= set(names)
            ]
            if hits >= 2 and hits * 2 >= sum(bool(name) for name in names) and len(alike) == 1:
                (best,) = alike
                for name in best.columns:
                    if names.count(name) > 1:
                        raise refuse(
                            "file",
                            _("“%(what)s” names two columns; accepted: each once", what=name),
                            book.name,
                        )
                columns = tuple(
                    MappedColumn(column_letters(position), name)
                    for position, name in enumerate(names)
                    if name in best.columns
                )
                return Reading(
                    best.name,
                    sheet.name,
                    number + 1,
                    columns,
                    encoding=book.encoding,
                    delimiter=book.delimiter,
                    own=True,
                )
    return None


# --- other people's sheets -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above a column."""

    at: str
    text: str
    #: The head of the group above it.
    group: str = ""
    examples: tuple[str, ...] = ()


def heads_of(sheet: Sheet, header_row: int) -> list[Head]:
    """The heads in row `header_row` (from 1) with those of the groups in the row above it."""
    row = header_row - 1
    width = max((len(cells) for cells in sheet.rows), default=0)
    above = _spread_out(sheet, row - 1, width) if row > 0 else [""] * width
    heads = []
    for column in range(width):
        text = _one_line(sheet.cell(row, column))
        group = above[column]
        if not text and not group:
            # Heads that are merged over two rows stand in the upper one.
            text = _merged_text(sheet, row, column)
        examples = tuple(
            shown(cell)[:24]
            for number in range(row + 1, min(row + 40, len(sheet.rows)))
            if (cell := sheet.cell(number, column)) is not None
        )[:3]
        if not text:
            text, group = (
                (group, "")
                if not any(_covers(m, row - 1, column) and m[3] > m[1] for m in sheet.merged)
                else ("", group)
            )
        if text or group or examples:
            heads.append(Head(column_letters(column), text, group, examples))
    return heads


def _one_line(cell: Cell) -> str:
    return re.sub(r"\s+", " ", shown(cell)).strip()


def _covers(merged: tuple[int, int, int, int], row: int, column: int) -> bool:
    return merged[0] <= row <= merged[2] and merged[1] <= column <= merged[3]


def _merged_text(sheet: Sheet, row: int, column: int) -> str:
    for merged in sheet.merged:
        if _covers(merged, row, column) and merged[1] == column:
            return _one_line(sheet.cell(merged[0], merged[1]))
    return ""


def _spread_out(sheet: Sheet, row: int, width: int) -> list[str]:
    """The cells of a row of groups, each over all the columns it stands above."""
    texts = [_one_line(sheet.cell(row, column)) for column in range(width)]
    for top, left, bottom, right in sheet.merged:
        if top <= row <= bottom and left < width:
            for column in range(left, min(right, width - 1) + 1):
                texts[column] = _one_line(sheet.cell(top, left))
    if not sheet.merged:  # text files and sheets without merged cells: a group reaches to the next one
        last = ""
        for column, text in enumerate(texts):
            if text:
                last = text if _AGE.search(text) else ""
            elif sheet.cell(row + 1, column) is not None:
                texts[column] = last
    return texts


def fingerprint(heads: Sequence[Head]) -> str:
    """The same for every sheet with the same heads."""
    return hashlib.sha256(
        "\n".join(f"{head.at}|{head.group}|{head.text}" for head in heads).encode()
    ).hexdigest()


def head_key(head: Head) -> str:
    """What a head says, without the days and months that differ from one sheet of a source to the next."""
    return _folded(_DATED.sub("", f"{head.group}|{head.text}")).strip("|")


def keys_of_heads(book: Book, reading: Reading) -> dict[str, str]:
    """Column -> its head, of the columns that are read."""
    read = {item.at for item in reading.columns}
    heads = heads_of(book.sheet(reading.sheet), reading.header_row)
    return {head.at: key for head in heads if head.at in read and (key := head_key(head))}


def fits(book: Book, reading: Reading) -> bool:
    """Has the file the heads that the reading was remembered with?"""
    return not reading.heads or keys_of_heads(book, reading) == reading.heads


def same_heads(book: Book, reading: Reading) -> None:
    """Raises: Refused naming each column whose head is not the one that the mapping was made for: a column more, and every
    number would be read as its neighbour's."""
    if fits(book, reading):
        return
    here = keys_of_heads(book, reading)
    problems = [
        Problem(
            "mapping",
            _(
                "column %(at)s is headed “%(now)s” here and was “%(then)s” when the mapping was made; accepted: the same "
                "heads, or the file without the mapping",
                at=at,
                now=here.get(at, ""),
                then=reading.heads.get(at, ""),
            ),
        )
        for at in dict.fromkeys((*reading.heads, *here))
        if here.get(at, "") != reading.heads.get(at, "")
    ]
    raise Refused(problems)


def _aliases(template: Template) -> dict[str, str]:
    """Every known head -> the field, "" for none; translated once an application."""
    kept: dict[str, dict[str, str]] = current_app.extensions.setdefault("lims.importing.heads", {})
    if template.name in kept:
        return kept[template.name]
    found = kept[template.name] = {}
    for name, column in template.columns.items():
        for text in (name, *in_all_languages(column.label), *column.aliases):
            found.setdefault(_folded(text), name)
    for name, texts in FORMER_LABELS.get(template.name, {}).items():
        for text in texts:
            found.setdefault(_folded(text), name)
    for view in filter(None, map(VIEWS.get, template.writes)):
        # Heads of our own lists, also of what is no field: "age within tolerance" is no age.
        for name in (*view.list_columns, *view.more_columns):
            field_name = next((item for item in (name, f"{name}_id") if item in template.columns), "")
            for text in _in_all_languages_of(view, name):
                found.setdefault(_folded(text), field_name)
    return found


def _in_all_languages_of(view: RecordView, name: str) -> Iterator[str]:
    for language in LANGUAGES:
        with force_locale(language):
            yield view.label(name)


def _folded(text: str) -> str:
    return _BETWEEN.sub("", plain(text)).lower()


def _says(text: str, folded: str, alias: str) -> bool:
    """Is the alias part of the head? Letters as words of their own: a dosage is no age."""
    if alias not in folded:
        return False
    if not (alias.isascii() and alias.isalpha()):
        return True
    return _as_words(alias).search(_BETWEEN.sub(" ", plain(text)).lower()) is not None


@cache
def _as_words(alias: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z]){' ?'.join(alias)}(?:e?s)?(?![a-z])")


def unit_in(text: str) -> tuple[str, str]:
    """(head without its unit, unit): "破坏荷载(kN)" -> ("破坏荷载", "kN"). The days of "28 (d)" are an age."""
    for found in _UNIT.finditer(text):
        unit = spelled(next(filter(None, found.groups())))
        if unit and not (unit == "d" and text[: found.start()].rstrip()[-1:].isdigit()):
            return (text[: found.start()] + text[found.end() :]).strip(), unit
    return text, ""


def field_of(template: Template, text: str) -> tuple[str, int]:
    """(field, merit): 3 for a known name, 1 where a known name is part of it, 0 for nothing."""
    aliases = _aliases(template)
    folded = _folded(text)
    if not folded:
        return "", 0
    if folded in aliases:
        return aliases[folded], 3 if aliases[folded] else 0
    parts = [
        alias for alias, name in aliases.items() if name and len(alias) >= 2 and _says(text, folded, alias)
    ]
    if parts and len(folded) <= 24 and not _RATIO.search(folded):
        return aliases[max(parts, key=len)], 1
    return "", 0


def proposed(sheet: Sheet, template: Template, header_row: int) -> tuple[tuple[MappedColumn, ...], int]:
    """What the heads of this row say, and how much they say. Columns that say the same as well as each other are all
    given: a recipe has two stones, and which of them is meant is for a person to say (`read_twice`)."""
    taken: dict[str, tuple[int, list[tuple[Head, MappedColumn]]]] = {}
    #: (head of the group, column).
    grouped: list[tuple[str, MappedColumn]] = []
    numbers: dict[int, int] = defaultdict(int)
    highest: dict[tuple[str, str, int], int] = defaultdict(int)
    heads = heads_of(sheet, header_row)
    title = _title_over(heads)
    for head in heads:
        text, unit = unit_in(head.text)
        if unit and not head.text[0].isdigit() and _aliases(template).get(_folded(head.text)):
            text, unit = head.text, ""  # "Retained on 4.75 mm" is grams, as that column of ours
        group_text, group_unit = unit_in(head.group)
        above = "" if head.group == title else group_text
        age = _AGE.search(group_text) or _AGE.search(text) if template.grouped else None
        if age is not None:
            if not _of_a_specimen(template, above, group_text, text):
                continue
            field_name = _grouped_field(template, f"{group_text} {text}", unit or group_unit)
            days = int(age.group(1))
            numbers[days] += 1
            stated = _NUMBERED.search(text) if head.group and head.text else None
            if _foreign(template.columns[field_name], unit or group_unit):
                continue
            number = int(stated.group(1)) if stated else numbers[days]
            of_group = highest[head.group, field_name, days]
            if number <= of_group:  # two groups under one head are one
                number = of_group + 1
            highest[head.group, field_name, days] = number
            fitting = _fitting(template.columns[field_name], unit or group_unit)
            grouped.append((head.group, MappedColumn(head.at, field_name, fitting, days, number)))
            continue
        name, points = _named(template, above, group_text, text)
        if points < 3 and (aged := _field_of_age(template, group_text, text, unit or group_unit)) is not None:
            name, points = aged, int(bool(aged))
        if not points or _AVERAGE.search(text) or _foreign(template.columns[name], unit or group_unit):
            continue
        if template.columns[name].unit == "MPa" and _of_another_kind(group_text, text):
            continue
        if points == 1 and _only_like(template, name, above, text, unit or group_unit):
            continue
        if name == "strength_class" and (_of_cement(above, text) or _MATERIAL.search(above)):
            continue
        found = MappedColumn(head.at, name, _fitting(template.columns[name], unit or group_unit))
        if name not in taken or taken[name][0] < points:
            taken[name] = (points, [])
        if taken[name][0] == points:
            taken[name][1].append((head, found))
    groups = _once_each(grouped)
    columns: list[MappedColumn] = []
    for name, (points, alike) in taken.items():
        columns += _meant(template.columns[name], points, alike)
    if groups:
        told = {*OF_A_GROUP.values(), *template.grouped}
        columns = [found for found in columns if found.field not in told]
    merit = 2 * len(groups) + sum(points for points, _alike in taken.values())
    return tuple(columns + groups), merit


def _meant(column: Column, points: int, alike: Sequence[tuple[Head, MappedColumn]]) -> list[MappedColumn]:
    """Of columns whose heads say the same those that hold something of the kind; the first where none does, or where text
    only sounds like it."""
    is_number = isinstance(column.kind, Quantity | WholeNumber)
    if points < 3 and not is_number:
        return [alike[0][1]]
    found = [
        item
        for head, item in alike
        if any(not is_number or plain(text)[:1] in _BEGINS_NUMBER for text in head.examples)
    ]
    return found or [alike[0][1]]


def _of_a_specimen(template: Template, above: str, group: str, text: str) -> bool:
    """Is what a head tells of an age a strength of the concrete that a specimen had?"""
    return not (
        _AVERAGE.search(text)
        or _RATIO.search(f"{above} {text}")
        or _of_cement(above, text)
        or _of_another_kind(group, text)
        or _asked_for(above, text)
        or _no_strength(template, above, text)
    )


def _only_like(template: Template, name: str, above: str, text: str, unit: str) -> bool:
    """Is a head that was given to this field by its likeness something else that sounds like it?"""
    column = template.columns[name]
    if not unit and _SHARE.search(text):
        return True
    if name in template.grouped and _of_cement(above, text):
        return True
    is_strength = name in template.grouped or (name.startswith("strength_") and column.unit == "MPa")
    if is_strength and (_asked_for(above, text) or _no_strength(template, above, text)):
        return True
    return column.unit == "kg/m³" and bool(_GRADE.search(text) or _STRENGTH.search(text))


def _of_cement(above: str, text: str) -> bool:
    return _OF_CEMENT.search(f"{above} {text}") is not None


def _named(template: Template, above: str, group: str, text: str) -> tuple[str, int]:
    """`field_of` the head, or of it with its group. The lot of a material is no batch of concrete."""
    batch = _OF_THE_BATCH.get(template.name, "")
    name, points = field_of(template, text)
    if name == batch and _MATERIAL.search(f"{above} {text}"):
        name = ""
    if not name and group:
        name, points = field_of(template, f"{group}{text}")
        if name == batch and _MATERIAL.search(f"{group} {text}"):
            name = ""
    return name, points if name else 0


def _title_over(heads: Sequence[Head]) -> str:
    """What stands above the first column and most others is the title of the sheet, and says nothing of a column: that
    of a cement works may name the cement. With an age it is a group like any other."""
    first = heads[0].group if heads else ""
    most = 2 * sum(head.group == first for head in heads) > len(heads)
    return first if most and not _AGE.search(first) else ""


def _once_each(grouped: Sequence[tuple[str, MappedColumn]]) -> list[MappedColumn]:
    """The columns of the groups. A group under another head, with a specimen that an earlier one has at the same age, is
    left to a person: the two may have been cured apart."""
    owners: dict[tuple[str, int | None, int | None], str] = {}
    left = {
        (group, item.field, item.age_days)
        for group, item in grouped
        if owners.setdefault((item.field, item.age_days, item.number), group) != group
    }
    return [item for group, item in grouped if (group, item.field, item.age_days) not in left]


def _field_of_age(template: Template, group: str, text: str, unit: str) -> str | None:
    """The field of a strength at one age, 28天强度 of a mill certificate; "" for an age without one, None where the head
    says no strength or no age."""
    age = _AGE.search(text) or _AGE.search(group)
    aged = any(re.fullmatch("strength_[0-9]+d_mpa", name) for name in template.columns)
    if age is None or not aged or not (_STRENGTH.search(f"{group} {text}") or unit in units_for("MPa")):
        return None
    name = f"strength_{int(age.group(1))}d_mpa"
    return name if name in template.columns and not _RATIO.search(text) else ""


def _asked_for(group: str, text: str) -> bool:
    if _MEASURED.search(text):
        return False
    return bool(_ASKED_FOR.search(text) or (_ASKED_FOR.search(group) and not _MEASURED.search(group)))


def _no_strength(template: Template, group: str, text: str) -> bool:
    """Does the head tell something else of an age? What stands above may name it beside the strength."""
    kinds = (_NO_STRENGTH,) if "load_kn" in template.columns else (_NO_STRENGTH, _LOAD)
    return any(kind.search(text) or (kind.search(group) and not _STRENGTH.search(text)) for kind in kinds)


def _grouped_field(template: Template, text: str, unit: str) -> str:
    for name in template.grouped:
        if unit and unit in units_for(template.columns[name].unit):
            return name
    folded = _folded(text)
    if any(word in folded for word in ("强度", "強度", "strength", "mpa", "psi")):
        return "strength_mpa"
    return template.grouped[0]


def _of_another_kind(group: str, text: str) -> bool:
    """Is it a strength, but no compressive one? What stands above the columns may name both."""
    return bool(
        _NOT_COMPRESSIVE.search(text)
        or (_NOT_COMPRESSIVE.search(group) and not re.search("抗压|抗壓|compress", group, re.IGNORECASE))
    )


def _foreign(column: Column, unit: str) -> bool:
    """Does the head name a unit that the field cannot be in, kg for a load? Then a person has to say what is meant."""
    return bool(unit and column.unit) and unit not in units_for(column.unit)


def _fitting(column: Column, unit: str) -> str:
    return unit if unit in units_for(column.unit) else ""


def propose(book: Book, templates: Sequence[Template]) -> Reading:
    """The sheet, template and row whose heads say most. Raises: Refused when no sheet has a row of heads."""
    best: tuple[int, int, Reading] | None = None
    for sheet in book.sheets:
        if sheet.hidden:
            continue
        for number in range(1, min(FREE_HEAD_ROWS, len(sheet.rows)) + 1):
            texts = [cell for cell in sheet.rows[number - 1] if isinstance(cell, str)]
            if len(texts) < 2:
                continue
            for template in templates:
                columns, merit = proposed(sheet, template, number)
                if best is None or merit > best[0]:
                    reading = Reading(
                        template.name,
                        sheet.name,
                        number,
                        columns,
                        encoding=book.encoding,
                        delimiter=book.delimiter,
                    )
                    best = (merit, number, reading)
    if best is None:
        raise refuse(
            "file", _("has no row of heads; accepted: a sheet with names above its columns"), book.name
        )
    return best[2]


# --- what a person settles -------------------------------------------------------------------------------------


def settled(book: Book, template: Template, posted: Mapping[str, str]) -> Reading:
    """The reading that a person chose on the page. Raises: Refused naming each choice that does not fit."""
    sheet = book.sheet(posted.get("sheet", ""))
    problems: list[Problem] = []
    header_row = row_of_heads(sheet, posted.get("header_row", ""))
    columns = []
    for head in heads_of(sheet, header_row):
        name = posted.get(f"field_{head.at}", "")
        if not name:
            continue
        column = template.columns.get(name)
        if column is None:
            problems.append(Problem(f"field_{head.at}", _("is not a field of this template"), name))
            continue
        unit = posted.get(f"unit_{head.at}", "")
        if unit and unit not in units_for(column.unit):
            unit = ""  # the field was changed after the unit was chosen
        of_group: dict[str, int] = {}
        for key, field_name in OF_A_GROUP.items() if name in template.grouped else ():
            text = posted.get(f"{key}_{head.at}", "").strip()
            try:
                of_group |= {key: template.columns[field_name].kind.parse(text)} if text else {}
            except PydanticCustomError as error:
                problems.append(Problem(f"{key}_{head.at}", str((error.context or {})["message"]), text))
        age, number = of_group.get("age"), of_group.get("number")
        columns.append(MappedColumn(head.at, name, "" if unit == column.unit else unit, age, number))
    constants = {
        name: posted[f"every_{name}"].strip()
        for name in template.columns
        if posted.get(f"every_{name}", "").strip()
    }
    problems += _misfits(template, columns, constants)
    mark, form = posted.get("decimal_mark", ""), posted.get("date_form", "auto")
    clock = posted.get("time_of_day", "").strip()
    if mark and mark not in DECIMAL_MARKS:
        problems.append(Problem("decimal_mark", _("is not known; accepted: %(what)s", what=". ,"), mark))
    if form not in DATE_FORMS:
        problems.append(
            Problem("date_form", _("is not known; accepted: %(what)s", what=", ".join(DATE_FORMS)), form)
        )
    if clock and not re.fullmatch(r"([01]?[0-9]|2[0-3]):[0-5][0-9]", clock):
        problems.append(Problem("time_of_day", _("is not an hour; accepted: HH:MM"), clock))
    if problems:
        raise Refused(problems)
    return Reading(
        template.name,
        sheet.name,
        header_row,
        tuple(columns),
        constants,
        mark,
        form,
        clock,
        bool(posted.get("rounds")),
        book.encoding,
        book.delimiter,
    )


def row_of_heads(sheet: Sheet, text: str) -> int:
    """The row that a person named, counted from 1. Raises: Refused."""
    number = int(text) if text.isdecimal() and len(text) < 7 else 0
    if not 1 <= number <= len(sheet.rows):
        raise refuse(
            "header_row", _("is not a row of the sheet; accepted: 1 to %(n)s", n=len(sheet.rows)), text
        )
    return number


def read_twice(columns: Sequence[MappedColumn]) -> Iterator[Problem]:
    """Columns that are read as what another one is: of two stones of a recipe the one would be dropped."""
    groups = [column for column in columns if column.age_days is not None]
    # What every row of a group is given has no column of its own, and without an age a number tells nothing apart.
    seen: dict[tuple[str, int | None, int | None], str] = {
        (name, None, None): groups[0].at
        for name in (*OF_A_GROUP.values(), *(group.field for group in groups))
        if groups
    }
    for column in columns:
        number = (column.number or 1) if column.age_days is not None else None
        key = (column.field, column.age_days, number)
        if key in seen:
            yield Problem(
                f"field_{column.at}",
                _("is read from column %(at)s already; accepted: one column for each field", at=seen[key]),
                column.field,
            )
        seen[key] = column.at


def once_each(template: Template, reading: Reading) -> None:
    """Raises: Refused naming each column that is read as what another one is, where nobody has settled the reading."""
    problems = []
    for item in read_twice(reading.columns):
        label = template.columns[item.value].label if item.value in template.columns else item.value
        what = _("%(name)s: %(what)s", name=label, what=item.message)
        at = item.field.removeprefix("field_")
        problems.append(Problem("mapping", _("Column %(at)s: %(what)s", at=at, what=what)))
    if problems:
        raise Refused(problems)


def _misfits(
    template: Template, columns: Sequence[MappedColumn], constants: Mapping[str, str]
) -> Iterator[Problem]:
    yield from read_twice(columns)
    groups = any(column.age_days is not None for column in columns)
    given = {column.field for column in columns} | set(constants)
    if groups:
        given |= set(OF_A_GROUP.values())
    for name, wanted in template.columns.items():
        if wanted.required and name not in given:
            yield Problem(
                f"every_{name}",
                _("“%(what)s” is needed: choose its column, or say what every row has", what=wanted.label),
            )


# --- rows ------------------------------------------------------------------------------------------------------


def rows_of(book: Book, template: Template, reading: Reading) -> tuple[list[Row], list[str]]:
    """The rows below the heads, each cell as a value or a problem; and remarks on what a reader might not expect."""
    sheet = book.sheet(reading.sheet)
    form = reading.form(book)
    remarks = list(_told(book, sheet, reading, template))
    mapped = [
        (column_of(item.at), item, template.columns[item.field])
        for item in reading.columns
        if item.field in template.columns
    ]
    data = sheet.rows[reading.header_row :]
    filled = {at for cells in data for at, cell in enumerate(cells) if cell is not None} | _marked(sheet)
    places = {item.field: at for at, item, _column in mapped if item.age_days is None}
    single = [(at, item, column) for at, item, column in mapped if item.age_days is None and at in filled]
    groups: dict[tuple[int, int], list[tuple[int, MappedColumn, Column]]] = defaultdict(list)
    for at, item, column in mapped:
        if item.age_days is not None:
            groups[item.age_days, item.number or 1].append((at, item, column))
    merged, twice = _filled(sheet, reading.header_row, mapped)
    heads = max(map(len, sheet.rows[: reading.header_row]), default=0) if book.is_text else None
    reader = _CellReader(sheet, form, merged, twice, places, heads)
    marked = sheet.errors | sheet.no_value
    rows: list[Row] = []
    for index in range(reading.header_row, len(sheet.rows)):
        cells = sheet.rows[index]
        if all(map(_is_blank, cells)) and not any(
            cell_name(index, at) in marked for at in range(len(cells) if marked else 0)
        ):
            continue
        if not groups:
            rows.append(reader.row(index, single, reading, template))
            continue
        for (age, number), columns in sorted(groups.items()):
            if all(
                _is_blank(sheet.cell(index, at)) and cell_name(index, at) not in marked
                for at, _item, _c in columns
            ):
                continue
            row = reader.row(index, single + columns, reading, template)
            place = Place(index, columns[0][0])
            row.values["age_days"], row.places["age_days"] = age, place
            row.values["specimen_number"], row.places["specimen_number"] = number, place
            rows.append(row)
    return rows, remarks


def _is_blank(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _marked(sheet: Sheet) -> set[int]:
    """Columns with cells that look blank and are not: errors, and formulas without their value."""
    return {column_of(re.sub(r"[0-9]", "", name)) for name in (*sheet.errors, *sheet.no_value)}


class _CellReader:
    """Cells of one sheet; what repeats in a column is read once."""

    def __init__(
        self,
        sheet: Sheet,
        form: Form,
        merged: Mapping[tuple[int, int], Cell],
        twice: frozenset[tuple[int, int]],
        places: Mapping[str, int],
        heads: int | None,
    ) -> None:
        self.places = places
        #: Of a text file, how many cells the heads have.
        self.heads = heads
        self.sheet, self.form, self.merged, self.twice = sheet, form, merged, twice
        #: Column of the sheet -> (type, cell) -> value.
        self.known: dict[int, dict[tuple[type, Cell], Any]] = defaultdict(dict)
        self.special = bool(sheet.errors or sheet.no_value or merged or twice)

    def row(
        self,
        index: int,
        columns: Sequence[tuple[int, MappedColumn, Column]],
        reading: Reading,
        template: Template,
    ) -> Row:
        row = Row(index + 1, self.places)
        cells, values = self.sheet.rows[index], row.values
        width = len(cells)
        if self.heads is not None and any(cell is not None for cell in cells[self.heads :]):
            over = ", ".join(shown(cell) for cell in cells[self.heads :])[:200]
            row.refuse([Problem("", too_many_cells(width, self.heads), over)])
        for at, item, column in columns:
            cell = cells[at] if at < width else None
            if item.age_days is not None:
                row.places[column.name] = Place(index, at)
            if self.special:
                cell = self.merged.get((index, at), cell)
                if self._refused(row, column, index, at):
                    continue
            if cell is None:
                continue
            known, key = self.known[at], (type(cell), cell)
            value = known.get(key)
            if value is not None:
                values[column.name] = value
                continue
            fill(row, column, cell, self.form, item.unit)
            if column.name in values:
                known[key] = values[column.name]
        for name, text in reading.constants.items():
            if (
                name in template.columns
                and name not in row.values
                and name not in {p.field for p in row.problems}
            ):
                if row.place_of(name) is None:
                    row.places[name] = Place(index, -1)
                fill(row, template.columns[name], text, self.form, "")
        return row

    def _refused(self, row: Row, column: Column, index: int, at: int) -> bool:
        name = cell_name(index, at)
        message = ""
        if name in self.sheet.errors:
            message = _("holds an error of the sheet; accepted: a value")
        elif name in self.sheet.no_value:
            message = _(
                "is a formula without its value; accepted: the file opened and saved in Excel, or the value itself"
            )
        elif (index, at) in self.twice:
            message = _("is merged over several rows; accepted: a measured value in each row")
        if message:
            row.refuse([Problem(column.name, message, shown(self.sheet.cell(index, at)))])
        return bool(message)


def _filled(
    sheet: Sheet, header_row: int, mapped: Sequence[tuple[int, MappedColumn, Column]]
) -> tuple[dict[tuple[int, int], Cell], frozenset[tuple[int, int]]]:
    """Cells of merged ranges that reach over rows: what every row of them has, and measured values that may not."""
    columns = {at: column for at, _item, column in mapped}
    filled: dict[tuple[int, int], Cell] = {}
    twice = set()
    for top, left, bottom, right in sheet.merged:
        column = columns.get(left)
        if top < header_row or top == bottom or column is None or right - left > 50:
            continue
        for index in range(top, min(bottom + 1, len(sheet.rows))):
            if column.measured:
                twice.add((index, left))
            else:
                filled[index, left] = sheet.cell(top, left)
    return filled, frozenset(twice)


def _told(book: Book, sheet: Sheet, reading: Reading, template: Template) -> Iterator[str]:
    hidden = [
        item.name for item in book.sheets if item.hidden and item.rows and not item.name.startswith("_")
    ]
    if hidden:
        yield _("Hidden sheets are not read: %(what)s.", what=_(", ").join(hidden)[:200])
    ours = AROUND if reading.own else ()
    others = [
        item.name
        for item in book.sheets
        if not item.hidden and item.rows and item.name not in (sheet.name, *ours)
    ]
    if others:
        yield _("Other sheets are not read: %(what)s.", what=_(", ").join(others)[:200])
    rows = [number for number in sheet.hidden_rows if number > reading.header_row]
    if rows:
        yield _("Hidden rows are read like the others: %(what)s.", what=_listed(rows))
    over = [m for m in sheet.merged if m[0] >= reading.header_row and m[2] > m[0]]
    if over:
        names = _(", ").join(cell_name(m[0], m[1]) + ":" + cell_name(m[2], m[3]) for m in over[:8])
        yield _("Merged cells count for each of their rows: %(what)s.", what=names)
    read = {item.at for item in reading.columns}
    left = [head for head in heads_of(sheet, reading.header_row) if head.at not in read and head.examples]
    if left:
        yield _(
            "Columns that are not read: %(what)s.",
            what=_(", ").join(f"{h.at} {(h.text or h.group)[:30]}".strip() for h in left[:12]),
        )
    if reading.rounds:
        yield _("Values with more places than are kept are rounded, half to even.")
    read_as = ((template.columns[c.field], c.unit) for c in reading.columns if c.unit)
    for label, unit in sorted({(str(column.label), unit) for column, unit in read_as if unit != column.unit}):
        yield _("%(what)s is converted from %(unit)s.", what=label, unit=unit)


def _listed(numbers: Sequence[int]) -> str:
    return str(_(", ")).join(map(str, numbers[:12])) + (" …" if len(numbers) > 12 else "")


def needs_hour(template: Template) -> bool:
    return any(isinstance(column.kind, Instant) for column in template.columns.values())


def has_units(column: Column) -> bool:
    return isinstance(column.kind, Quantity) and len(units_for(column.unit)) > 1
