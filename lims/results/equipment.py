"""Presses, scales and moulds: whether each is calibrated on the day it is used, in words for entry and certificate."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, Select, func, not_, select
from sqlalchemy.orm import aliased

from lims.base.database import current_session
from lims.base.display import local_today
from lims.results.models import Calibration, Mould, Press, Scale
from lims.trials.warnings import EQUIPMENT, Noticed


def valid_until(column: Any, key: int, day: date) -> date | None:
    """The last day covered by a calibration begun by `day`; None when there never was one."""
    return current_session().scalar(_covered(column == key, day))


def _covered(of_device: ColumnElement[bool], day: date) -> Select[date | None]:
    return select(func.max(Calibration.due_on)).where(
        of_device, Calibration.retired_at.is_(None), Calibration.calibrated_on <= day
    )


def presses_with_calibration() -> list[tuple[Press, date | None]]:
    """The presses in use by their codes, each with the last day that a calibration begun by today covers."""
    covered = _covered(Calibration.press_id == Press.id, local_today()).scalar_subquery()
    query = select(Press, covered).where(Press.retired_at.is_(None)).order_by(Press.code)
    return [(press, until) for press, until in current_session().execute(query)]


def in_force() -> list[ColumnElement[bool]]:
    """Conditions on calibrations: the one of each device that holds longest, of devices in use. What was followed by another
    runs out unheeded, and so does that of a press which is gone."""
    later = aliased(Calibration)
    followed = [
        select(later.id)
        .where(
            getattr(later, name) == getattr(Calibration, name),
            later.retired_at.is_(None),
            (later.due_on > Calibration.due_on)
            | ((later.due_on == Calibration.due_on) & (later.id > Calibration.id)),
        )
        .exists()
        for name in ("press_id", "scale_id", "mould_id")
    ]
    gone = [
        relation.has(device.retired_at.is_not(None))
        for relation, device in (
            (Calibration.press, Press),
            (Calibration.scale, Scale),
            (Calibration.mould, Mould),
        )
    ]
    return [Calibration.retired_at.is_(None), *(not_(one) for one in (*followed, *gone))]


def calibration_warnings(press_id: int, day: date | None = None) -> list[str]:
    """What the certificate will have to say about this press on this day (today unless given)."""
    day = day or local_today()
    press = current_session().get(Press, press_id)
    due = valid_until(Calibration.press_id, press_id, day)
    if press is None or (due is not None and due >= day):
        return []
    if due is None:
        return [
            _("Press %(press)s has no calibration on record; the certificate will say so.", press=press.code)
        ]
    return [
        _(
            "The calibration of press %(press)s ran out on %(day)s; the certificate will say so.",
            press=press.code,
            day=due.isoformat(),
        )
    ]


def _equipment_of_batch(day: date, scale_id: int | None, mould_id: int | None) -> list[Noticed]:
    """A scale or a set of moulds without a valid calibration: asked about when the batch is registered, so also before
    its first use."""
    found: list[Noticed] = []
    session = current_session()
    scale = session.get(Scale, scale_id) if scale_id is not None else None
    if scale is not None:
        due = valid_until(Calibration.scale_id, scale.id, day)
        if due is None:
            words = _(
                "Scale %(scale)s was never calibrated: have it done before its first use.", scale=scale.code
            )
            found.append(Noticed("scale-not-calibrated", scale.code, words))
        elif due < day:
            words = _(
                "The calibration of scale %(scale)s ran out on %(day)s.",
                scale=scale.code,
                day=due.isoformat(),
            )
            found.append(Noticed("scale-not-calibrated", scale.code, words))
    mould = session.get(Mould, mould_id) if mould_id is not None else None
    if mould is not None:
        due = valid_until(Calibration.mould_id, mould.id, day)
        if due is None or due < day:
            words = _("Moulds %(moulds)s have no valid check of size and squareness.", moulds=mould.code)
            found.append(Noticed("moulds-not-checked", mould.code, words))
    return found


EQUIPMENT.append(_equipment_of_batch)
