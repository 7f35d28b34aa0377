"""The layout of a workbook: which sheets, columns and charts, in which order, under which titles.

A TOML file under reports/; the laboratory's own of the same name in LIMS_DATA/reports goes first. A mistake in it is
refused with the file, the key and what would be accepted.
"""

from __future__ import annotations

import tomllib
from typing import Annotated, Any, Literal, Self

from flask_babel import gettext as _
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lims.base.exports import sheet_name
from lims.base.papers import layout_file
from lims.base.problems import Problem, Refused, refuse
from lims.base.words import reading_language
from lims.reporting.schemas import DIMENSIONS
from lims.reporting.sheets import COLUMNS

Shows = Literal["filters", "groups", "verdicts", "months", "control", "results"]
#: Sheets that need `by`.
BY_DIMENSION = {"groups", "verdicts", "control"}
CONTROLLED = ("grade", "mix", "lot")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Part):
    """A title in the three languages; a missing one falls back to English."""

    en: Annotated[str, Field(min_length=1, max_length=120)]
    zh: Annotated[str, Field(max_length=120)] = ""
    zh_TW: Annotated[str, Field(max_length=120)] = ""  # noqa: N815 - the name of the language

    def here(self) -> str:
        """In the language of the reader."""
        return self.said(reading_language())

    def said(self, language: str) -> str:
        """In this language, or what stands for it."""
        if language == "en":
            return self.en
        return (self.zh_TW if language == "zh_TW" else self.zh) or self.zh or self.en


class Chart(_Part):
    """A native chart over columns of its sheet. `series_by` draws a line for each value of a column, `each` a chart."""

    kind: Literal["line", "column", "scatter"]
    title: Words
    x: str
    y: Annotated[list[str], Field(min_length=1, max_length=8)]
    series_by: str | None = None
    each: str | None = None


class Sheet(_Part):
    name: Words
    shows: Shows
    by: str | None = None
    columns: list[str] = Field(default_factory=list)
    charts: list[Chart] = Field(default_factory=list)


class Layout(_Part):
    """A whole workbook."""

    file_name: Annotated[str, Field(pattern=r"^[\w-]{1,60}$")]
    sheets: Annotated[list[Sheet], Field(min_length=1, max_length=30)]
    #: Own titles of columns: name -> words.
    titles: dict[str, Words] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        # As Excel compares them: cut to its length, whatever the case; in each language, since one is missing at times.
        for language in ("en", "zh", "zh_TW"):
            names = [sheet_name(sheet.name.said(language)) for sheet in self.sheets]
            folded = [name.casefold() for name in names]
            twice = next((name for name in names if folded.count(name.casefold()) > 1), None)
            if twice is not None:
                raise ValueError(_("two sheets are called “%(name)s”", name=twice))
        return self


def read_layout(name: str) -> Layout:
    """`<name>.toml`, checked whole. Raises: Refused with file and key for each mistake."""
    file = f"{name}.toml"
    path = layout_file(file)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise refuse(str(path), _("is not TOML: %(why)s", why=str(error)[:200])) from None
    try:
        layout = Layout.model_validate(raw)
    except ValidationError as error:
        problems = [
            Problem(f"{path}: {_path(item['loc'])}", _said(item), str(item.get("input"))[:80])
            for item in error.errors(include_url=False)
        ]
        raise Refused(problems) from None
    problems = _unknown_names(layout, str(path))
    if problems:
        raise Refused(problems)
    return layout


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "-"


def _said(item: Any) -> str:
    if item["type"] == "missing":
        return str(_("is required"))
    if item["type"] == "extra_forbidden":
        return str(_("is not a key of a layout"))
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    return str(item["msg"])


def _unknown_names(layout: Layout, file: str) -> list[Problem]:
    problems = []

    def check(key: str, value: str | None, accepted: Any) -> None:
        if value is not None and value not in accepted:
            what = ", ".join(accepted)
            problems.append(
                Problem(f"{file}: {key}", _("is not known; accepted: %(what)s", what=what), value)
            )

    for number, sheet in enumerate(layout.sheets, start=1):
        known = COLUMNS[sheet.shows]
        if sheet.shows in BY_DIMENSION:
            accepted = CONTROLLED if sheet.shows == "control" else tuple(DIMENSIONS)
            check(f"sheets[{number}].by", sheet.by or "", accepted)
        elif sheet.by is not None:
            problems.append(
                Problem(f"{file}: sheets[{number}].by", _("is not used by this kind of sheet"), sheet.by)
            )
        for place, column in enumerate(sheet.columns, start=1):
            check(f"sheets[{number}].columns[{place}]", column, known)
        columns = sheet.columns or list(known)
        for place, chart in enumerate(sheet.charts, start=1):
            key = f"sheets[{number}].charts[{place}]"
            check(f"{key}.x", chart.x, columns)
            for series, name in enumerate(chart.y, start=1):
                check(f"{key}.y[{series}]", name, columns)
            check(f"{key}.series_by", chart.series_by, columns)
            check(f"{key}.each", chart.each, columns)
    everywhere = {name for columns in COLUMNS.values() for name in columns}
    for name in layout.titles:
        check(f"titles.{name}", name, sorted(everywhere))
    return problems
