"""A line of a table of records (lims/web/table_rows.py)."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from lims.base.columns import utc_now
from lims.base.display import Cell
from lims.base.views import Column
from lims.web.table_rows import SHORT, _data, badge, line, value, with_numbers

HOSTILE = "<b>&\"'"
HARMLESS = "&lt;b&gt;&amp;&#34;&#39;"
PLAIN, NUMERIC = (
    Column("code", "Code", "", False, False),
    Column("strength_mpa", "Strength", "MPa", True, True),
)


@pytest.fixture(autouse=True)
def asked(app: Flask) -> Iterator[None]:
    with app.test_request_context("/set-results/"):
        yield


def _line(*cells: Cell, columns: tuple[Column, ...] = (), **record: Any) -> str:
    found = SimpleNamespace(**{"record_name": "set-results", "id": 7, **record})
    return str(line(found, cells, columns or (PLAIN,) * len(cells)))


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (Cell(HOSTILE), HARMLESS),
        (Cell(HOSTILE, "choice", raw=HOSTILE), HARMLESS),
        (Cell(HOSTILE, "link", HOSTILE), f'<a href="{HARMLESS}">{HARMLESS}</a>'),
        (Cell(HOSTILE, "link"), HARMLESS),
        (Cell(HOSTILE, "time", raw=HOSTILE), f'<time datetime="{HARMLESS}">{HARMLESS}</time>'),
        (Cell(HOSTILE, "choice", raw="released"), f'<span class="badge bg-green-lt">{HARMLESS}</span>'),
        (Cell("–", "empty"), "–"),
        (Cell("42.5", "number"), "42.5"),
    ],
)
def test_value_is_shown_by_its_kind_and_nothing_in_it_is_markup(cell: Cell, shown: str) -> None:
    assert str(value(cell)) == shown


def test_state_that_has_no_colour_is_grey() -> None:
    assert str(badge(HOSTILE, HOSTILE)) == f'<span class="badge bg-secondary-lt">{HARMLESS}</span>'


def test_line_leads_to_its_record() -> None:
    assert _line(Cell(HOSTILE)) == f'<td><a class="fw-medium" href="/set-results/7">{HARMLESS}</a></td>'


@pytest.mark.parametrize(("state", "told"), [("entered", True), ("retracted", False)])
def test_line_that_no_longer_counts_says_so_beside_its_link(state: str, told: bool) -> None:
    badge_beside = ' <span class="badge bg-secondary-lt">Superseded</span>' if told else ""
    shown = _line(Cell("B26-0001"), superseded_at=utc_now(), state=state)
    assert shown == f'<td><a class="fw-medium" href="/set-results/7">B26-0001</a>{badge_beside}</td>'


def test_numbers_stand_to_the_right_times_in_figures_and_short_choices_on_one_line() -> None:
    shown = _line(
        Cell("first"),
        Cell("–", "empty"),
        Cell("3", "number"),
        Cell("16:00", "time", raw="x"),
        Cell("s" * (SHORT - 1), "choice"),
        Cell("l" * SHORT, "choice"),
        columns=(PLAIN, NUMERIC, PLAIN, PLAIN, PLAIN, PLAIN),
    )
    styles = [part.partition(">")[0] for part in shown.split("<td")[1:]]
    figures, right = ' class="num"', ' class="text-end num"'
    assert styles == ["", right, right, figures, ' class="text-nowrap"', ""]


def test_text_of_a_line_is_not_kept_and_what_repeats_is() -> None:
    _data.cache_clear()
    lines = {_line(Cell("first"), Cell(HOSTILE), Cell("7", "number")) for _again in range(2)}
    assert [HARMLESS in found for found in lines] == [True]
    assert (_data.cache_info().currsize, _data.cache_info().hits) == (1, 1)


def test_column_of_numbers_without_a_unit_is_one_and_a_column_of_words_is_none() -> None:
    ratio = Column("water_binder", "Water/binder", "", True, False)
    rows = [(None, (Cell("C30"), Cell("–", "empty"))), (None, (Cell("C35"), Cell("0.46", "number")))]
    assert [column.numeric for column in with_numbers((PLAIN, ratio), rows)] == [False, True]
    assert with_numbers((PLAIN, NUMERIC), []) == [PLAIN, NUMERIC]
