"""Curing as it was measured: readings of tanks and places, and the maturity that follows for a batch."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import or_, select

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.display import day_begins, laboratory_zone, local_day, show_time
from lims.base.fields import plain_text, too_many_cells
from lims.base.problems import Problem, Refused, refuse
from lims.standards.errors import RuleInputError
from lims.standards.maturity import ASTM_Q_K, equivalent_age
from lims.standards.sampling import same_condition_due
from lims.trials.models import Batch, CuringReading, CuringTank
from lims.trials.schemas import CuringReadingIn

#: Readings of a chart.
SHOWN_READINGS = 500
MOST_ROWS = 20_000
CLOCK_SLACK = timedelta(hours=1)


def add_readings(
    place_id: int, content: bytes, actor: Actor, *, place: str = "curing_tank_id"
) -> tuple[int, int]:
    """Readings of a logger's CSV: time, temperature, humidity (blank allowed). All or none; times known are skipped.

    `place` is curing_tank_id, or batch_id where a batch lies at a place of its own. Returns: added, known. Raises: Refused
    with the rows that do not read.
    """
    rows, heads = _rows(content)
    problems: list[Problem] = []
    values: list[CuringReadingIn] = []
    for number, row in rows:
        if heads is not None and any(row[heads:]):  # of 20,5 the temperature would be 20, and 5 the humidity
            what = too_many_cells(len(row), heads)
            over = ", ".join(row[heads:])[:200]
            problems.append(Problem("file", _("row %(n)s: %(what)s", n=number, what=what), over))
            continue
        fields: dict[str, Any] = dict(
            zip(("read_at", "temperature_c", "relative_humidity_percent"), (*row, "", "")[:3], strict=True)
        )
        fields["read_at"] = _with_zone(fields["read_at"])
        try:
            value = CuringReadingIn.read({**fields, place: place_id})
            require_read(value.read_at)
            values.append(value)
        except Refused as error:
            problems += [
                Problem("file", _("row %(n)s: %(what)s", n=number, what=str(p.message)), p.value)
                for p in error.problems
            ]
    if problems:
        raise Refused(problems[:20])
    with transaction(actor, "curing readings") as session:
        here = getattr(CuringReading, place) == place_id
        known = set(session.scalars(select(CuringReading.read_at).where(here)))
        added = 0
        for item in values:
            if item.read_at not in known:
                known.add(item.read_at)
                session.add(CuringReading(**item.values()))
                added += 1
    return added, len(values) - added


def require_read(moment: datetime) -> None:
    """A reading lies not in the future, but for the clock of a logger that runs ahead. Raises: Refused."""
    if moment > utc_now() + CLOCK_SLACK:
        raise refuse("read_at", _("lies in the future; accepted: a time up to now"), moment.isoformat())


def _rows(content: bytes) -> tuple[list[tuple[int, list[str]]], int | None]:
    """(number from 1, cells) of each row below the heads, and how many heads there are; None in a file without."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise refuse("file", _("is not text; accepted: CSV in UTF-8 or GB 18030"))
    delimiter = (
        ";" if text[:2000].count(";") > text[:2000].count(",") else "\t" if "\t" in text[:2000] else ","
    )
    try:
        read = (
            (number, [cell.strip() for cell in row])
            for number, row in enumerate(csv.reader(io.StringIO(text), delimiter=delimiter), start=1)
            if any(cell.strip() for cell in row)
        )
        rows = list(islice(read, MOST_ROWS + 1))  # one may be the head
        more = sum(1 for _row in read)  # counted, not kept: eight million would take a gigabyte
    except csv.Error as error:
        raise refuse("file", _("is no table that can be read (%(why)s)", why=str(error)[:80])) from None
    heads = None
    if rows and not any(character.isdigit() for character in rows[0][1][0]):
        (_first, head), *rows = rows
        heads = len(head) if len(head) > 1 else None  # one cell is a title
    number = len(rows) + more
    if not 0 < number <= MOST_ROWS:
        raise refuse("file", _("has %(n)s rows; accepted: 1 to %(most)s", n=number, most=MOST_ROWS))
    return rows, heads


def _with_zone(text: str) -> str:
    plain = plain_text(text).replace("/", "-")
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError:
        return plain  # the schema says what is wrong
    return (moment if moment.tzinfo else moment.replace(tzinfo=laboratory_zone())).isoformat()


def readings_chart(tank: CuringTank) -> dict[str, Any] | None:
    """The latest readings of a tank for static/js/series.js."""
    rows = list(
        current_session().scalars(
            select(CuringReading)
            .where(CuringReading.curing_tank_id == tank.id, CuringReading.retired_at.is_(None))
            .order_by(CuringReading.read_at.desc())
            .limit(SHOWN_READINGS)
        )
    )[::-1]
    if len(rows) < 2:
        return None
    series: list[dict[str, Any]] = [
        {"name": _("Temperature, °C"), "data": [float(row.temperature_c) for row in rows]}
    ]
    if any(row.relative_humidity_percent is not None for row in rows):
        series.append(
            {
                "name": _("Relative humidity, %(sign)s", sign="%"),
                "data": [
                    float(row.relative_humidity_percent)
                    if row.relative_humidity_percent is not None
                    else None
                    for row in rows
                ],
            }
        )
    return {
        "x": [show_time(row.read_at, year=False) for row in rows],
        "series": series,
        "labels": {"x": "", "y": "°C, %"},
    }


@dataclass(frozen=True, slots=True)
class Maturity:
    """What the readings since casting say. `degree_days`: sum of the daily mean temperatures above 0 degC, degC d;
    `equivalent_days` at 20 degC."""

    readings: int
    until: datetime
    degree_days: Decimal
    equivalent_days: Decimal
    same_condition_due: bool


def maturity_of(batch: Batch) -> Maturity | None:
    """Maturity of a batch from the readings of its own place, else of the tanks its sets lie in. None below two readings."""
    if batch.cast_at is None:
        return None
    tanks = {found.curing_tank_id for found in batch.sets if found.curing_tank_id is not None}
    query = select(CuringReading).where(
        or_(CuringReading.batch_id == batch.id, CuringReading.curing_tank_id.in_(tanks)),
        CuringReading.read_at >= batch.cast_at - timedelta(hours=1),
        CuringReading.read_at <= utc_now(),
        CuringReading.retired_at.is_(None),
    )
    rows = list(current_session().scalars(query.order_by(CuringReading.read_at)))
    # Same-condition specimens lie at the structure, whatever the tank is held at in which the others of the batch lie.
    rows = [row for row in rows if row.batch_id is not None] or rows
    spells = list(_spells(batch.cast_at, rows))
    timed = [(_seconds(begun, ended) / 3600, degrees) for begun, ended, degrees in spells]
    if len(rows) < 2 or not timed:
        return None
    try:
        equivalent_hours = equivalent_age(timed, ASTM_Q_K)
    except RuleInputError:
        return None  # a reading outside what the law is made for
    degree_days = _degree_days(spells)
    age_days = (rows[-1].read_at - batch.cast_at).days
    return Maturity(
        len(rows),
        rows[-1].read_at,
        degree_days.quantize(Decimal("0.1")),
        (equivalent_hours / 24).quantize(Decimal("0.01")),
        same_condition_due(degree_days, age_days),
    )


def _spells(cast_at: datetime, rows: Sequence[CuringReading]) -> Iterator[tuple[datetime, datetime, Decimal]]:
    """(from, until, mean degC) between readings; the first reading stands for the time since casting."""
    before_at, before_c = cast_at, rows[0].temperature_c if rows else Decimal(0)
    for row in rows:
        if row.read_at > before_at:
            yield before_at, row.read_at, (before_c + row.temperature_c) / 2
        # What was read before casting says how warm it was then; the time counts from casting on.
        before_at, before_c = max(row.read_at, cast_at), row.temperature_c


def _seconds(begun: datetime, ended: datetime) -> Decimal:
    """Elapsed, exactly: ten minutes are no 0.167 h, of which a month of readings would make an hour and a half too much."""
    elapsed = ended - begun
    return Decimal(elapsed.days * 86_400 + elapsed.seconds) + Decimal(elapsed.microseconds) / 1_000_000


def _degree_days(spells: Sequence[tuple[datetime, datetime, Decimal]]) -> Decimal:
    """Sum of the daily mean temperatures, degC d, by the laboratory's calendar. A day whose mean is not above 0 degC adds
    nothing, and a frosty night takes from the day that it belongs to.

    Source: GB 50204-2015 10.1.2 (R).
    """
    of_day: dict[date, Decimal] = defaultdict(Decimal)
    for begun, ended, degrees in spells:
        start = begun
        while start < ended:
            day = local_day(start)
            midnight = min(day_begins(day + timedelta(days=1)), ended)
            of_day[day] += degrees * _seconds(start, midnight)
            start = midnight
    return sum((max(degree_seconds, Decimal(0)) for degree_seconds in of_day.values()), Decimal(0)) / 86_400
