"""The summary as a workbook: sheets and native charts as the layout asks, with the filters that chose the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from flask_babel import gettext as _
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from lims.base.anchors import anchor_text
from lims.base.columns import utc_now
from lims.base.display import laboratory_zone
from lims.base.exports import SheetWriter, local_now, sheet_name
from lims.base.laboratory import laboratory
from lims.base.services import SERVICES
from lims.customers.regions import own_regions
from lims.reporting.control import CUSUM, INDIVIDUALS, WESTERN_ELECTRIC, charted, names_of, series_of
from lims.reporting.layouts import Chart, Layout, Sheet, read_layout
from lims.reporting.schemas import SummaryFilters
from lims.reporting.sheets import COLUMNS, SheetColumn, checks_of, points_of, rule_named
from lims.reporting.statistics import (
    ACI,
    ACI214,
    EN,
    GB,
    ResultRow,
    by_month,
    grouped,
    result_rows,
    with_forecasts,
)
from lims.rules.service import unconfirmed

LAYOUT = "monthly-summary"
#: Series of control charts in a workbook, those with most results.
MOST_SERIES = 6
#: Points of a series of a chart; Excel draws no more.
MOST_CHART_POINTS = 32_000
#: Rows of a sheet that a chart of 15 rows' height takes with its gap.
CHART_ROWS, CHART_SIZE = 19, {"width": 760, "height": 360}


def fact_lines(filters: SummaryFilters, rows: Sequence[ResultRow], by_whom: str) -> list[tuple[str, str]]:
    """What a reader must know to read the figures: the laboratory, every filter, when, by whom, and the rules."""
    zone = laboratory_zone()
    everything = _("all")
    lines = [(_("Laboratory"), laboratory().name or "–")]
    inputs = {item.name: item for item in SummaryFilters.inputs()}
    for name in ("since", "until", "grade_mpa", "region_id", "customer_id", "cement_product_id", "age_days"):
        value = getattr(filters, name)
        item = inputs[name]
        text = everything if value is None else str(value)
        record_name = getattr(item.kind, "record_name", "")
        if record_name and value is not None:
            found = SERVICES[record_name].find(id=value)
            text = found.title if found is not None else str(value)
        unit = item.ui.unit or getattr(item.kind, "unit", "")
        lines.append((str(item.ui.label), f"{text} {unit}" if unit and value is not None else text))
    lines.append((str(inputs["released"].ui.label), _("yes") if filters.released else _("no")))
    if own_regions() is not None:
        lines.append((_("Customers"), _("those of your regions only")))
    counted = sum(row.counts for row in rows)
    lines += [
        (_("Results"), str(len(rows))),
        (_("Counted"), _("%(n)s valid sets under standard curing", n=counted)),
        (
            _("Outside the tolerance of the age"),
            _("%(n)s of those counted", n=sum(row.off_age for row in rows if row.counts)),
        ),
        (_("Made at"), local_now(zone, utc_now())),
        (_("Made by"), by_whom),
        (_("Decision rules"), _("; ").join(rule_named(rule) for rule in _rules())),
    ]
    missing = unconfirmed(_rules())
    if missing:
        lines.append((_("Rules not confirmed by the laboratory"), "; ".join(rule.id for rule in missing)))
    anchor = anchor_text()
    if anchor:
        lines.append((_("Checkpoint"), anchor))
    return lines


def _rules() -> tuple[str, ...]:
    return (GB, ACI, *EN, ACI214, INDIVIDUALS, WESTERN_ELECTRIC, CUSUM)


@dataclass(slots=True)
class Summary:
    """What the sheets are filled from; each part is made once."""

    filters: SummaryFilters
    rows: list[ResultRow]
    by_whom: str
    _groups: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, filters: SummaryFilters, by_whom: str) -> Summary:
        return cls(filters, with_forecasts(result_rows(filters)), by_whom)

    def groups(self, by: str) -> Any:
        if by not in self._groups:
            self._groups[by] = grouped(self.rows, by)
        return self._groups[by]

    def items(self, sheet: Sheet) -> Iterable[Any]:
        """What the rows of a sheet are read from."""
        by = sheet.by or "grade"
        if sheet.shows == "groups":
            return self.groups(by)  # type: ignore[no-any-return]
        if sheet.shows == "verdicts":
            return checks_of(self.groups(by))
        if sheet.shows == "months":
            return sorted(by_month(self.rows), key=lambda m: (m.grade, m.age_days, m.name))
        if sheet.shows == "control":
            rows = charted(self.rows, self.filters.age_days)
            names = [name for name, _n in names_of(rows, by)[:MOST_SERIES]]
            made = (series_of(name, rows, by) for name in names)
            return points_of(item for item in made if item is not None)
        return self.rows


def write_summary(
    target: Path | IO[bytes],
    filters: SummaryFilters,
    by_whom: str,
    progress: Callable[[int, int], None] | None = None,
) -> Layout:
    """The workbook of these filters by the layout in force. Raises: Refused when the layout is wrong."""
    layout = read_layout(LAYOUT)
    summary = Summary.of(filters, by_whom)
    with Workbook(target, {"constant_memory": True}) as book:
        book.set_properties({"title": layout.sheets[0].name.here(), "company": laboratory().name})
        cells = SheetWriter(book)
        forms: dict[str, Any] = {}
        for number, sheet in enumerate(layout.sheets, start=1):
            page = book.add_worksheet(sheet_name(sheet.name.here()))
            if sheet.shows == "filters":
                _write_facts(page, cells, fact_lines(filters, summary.rows, by_whom))
            else:
                _write_sheet(book, page, cells, forms, sheet, layout, summary)
            if progress is not None:
                progress(number, len(layout.sheets))
    return layout


def _write_facts(page: Worksheet, cells: SheetWriter, lines: Sequence[tuple[str, str]]) -> None:
    page.set_column(0, 0, 34)
    page.set_column(1, 1, 90)
    for line, (what, value) in enumerate(lines):
        cells.write(page, line, 0, what, cells.head)
        cells.write(page, line, 1, value)


def _write_sheet(
    book: Workbook,
    page: Worksheet,
    cells: SheetWriter,
    forms: dict[str, Any],
    sheet: Sheet,
    layout: Layout,
    summary: Summary,
) -> None:
    known = COLUMNS[sheet.shows]
    names = sheet.columns or list(known)
    columns = [known[name] for name in names]
    zone = laboratory_zone().key
    made = []
    for place, (name, column) in enumerate(zip(names, columns, strict=True)):
        page.set_column(place, place, column.width)
        cells.write(page, 0, place, _head(name, column, layout, zone), cells.head)
        if column.form and column.form not in forms:
            forms[column.form] = book.add_format({"num_format": column.form})
        made.append(forms.get(column.form) if column.form else None)
    page.freeze_panes(1, 0)
    blocks: dict[int, list[tuple[str, int, int]]] = {
        names.index(by): [] for chart in sheet.charts if (by := chart.series_by or chart.each)
    }
    last = 0
    for line, item in enumerate(summary.items(sheet), start=1):
        last = line
        for place, column in enumerate(columns):
            value = column.read(item)
            cells.write(page, line, place, value, made[place])
            if place in blocks:
                runs = blocks[place]
                if runs and runs[-1][0] == value:
                    runs[-1] = (value, runs[-1][1], line)
                else:
                    runs.append((value, line, line))
    if not last:
        return
    page.autofilter(0, 0, last, len(names) - 1)
    line = 1
    for chart in sheet.charts:
        by = chart.series_by or chart.each
        runs = blocks[names.index(by)] if by else [("", 1, last)]
        for part in [[run] for run in runs] if chart.each else [runs]:
            drawn = _chart(book, page.get_name(), chart, names, columns, layout, part)
            page.insert_chart(line, len(names) + 1, drawn)
            line += CHART_ROWS


def _head(name: str, column: SheetColumn, layout: Layout, zone: str) -> str:
    title = layout.titles[name].here() if name in layout.titles else str(column.title)
    unit = zone if column.unit == "zone" else column.unit
    return f"{title} ({unit})" if unit else title


def _chart(
    book: Workbook,
    page: str,
    chart: Chart,
    names: Sequence[str],
    columns: Sequence[SheetColumn],
    layout: Layout,
    runs: Sequence[tuple[str, int, int]],
) -> Any:
    kind: dict[str, str] = {"type": chart.kind}
    lines = chart.kind == "scatter" and chart.series_by is not None
    if lines:
        kind["subtype"] = "straight_with_markers"
    drawn = book.add_chart(kind)
    x = names.index(chart.x)
    for value, first, last in runs:
        first = max(first, last + 1 - MOST_CHART_POINTS)
        for name in chart.y:
            y = names.index(name)
            series: dict[str, Any] = {
                "categories": [page, first, x, last, x],
                "values": [page, first, y, last, y],
                "name": _text_name(_series_name(value, name, columns[y], chart, layout)),
            }
            drawn.add_series(series)
    title = chart.title.here()
    title = f"{title}: {runs[0][0]}" if chart.each else title
    drawn.set_title({"name": _text_name(title), "name_font": {"size": 12}})
    form = columns[x].form
    drawn.set_x_axis({"name": str(columns[x].title), **({"num_format": form} if form else {})})
    units = {columns[names.index(name)].unit for name in chart.y}
    drawn.set_y_axis({"name": units.pop() if len(units) == 1 else "", "major_gridlines": {"visible": True}})
    drawn.set_legend({"position": "bottom"})
    drawn.set_size(CHART_SIZE)
    return drawn


def _series_name(value: str, name: str, column: SheetColumn, chart: Chart, layout: Layout) -> str:
    title = layout.titles[name].here() if name in layout.titles else str(column.title)
    if chart.series_by is None:
        return title
    return f"{value} {title}" if len(chart.y) > 1 else str(value)


def _text_name(text: str) -> str:
    """A chart's name that begins with = would be a reference to a cell."""
    return f"'{text}" if text.startswith("=") else text
