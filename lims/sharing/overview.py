"""The manager's view: who shares, how often it is looked at, what is answered, and what a leaver left behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask_appbuilder.security.sqla.models import User
from sqlalchemy import func, select

from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import local_time
from lims.base.names import full_name
from lims.sharing.models import ShareAnswer, ShareLink, ShareView
from lims.sharing.service import ShareLinkService

LOOKED_BACK = timedelta(days=30)


@dataclass(slots=True)
class Sharer:
    """One person's sheets."""

    owner_id: int
    name: str
    active: bool
    live: int = 0
    sent: int = 0
    views: int = 0
    answers: int = 0
    open_answers: int = 0


def overview() -> dict[str, Any]:
    """By salesperson over the last 30 days; live links and open answers are those of now. Eight statements."""
    session, now = current_session(), utc_now()
    since = local_time(now - LOOKED_BACK).date()
    sharers: dict[int, Sharer] = {}
    for owner_id, first, last, active in session.execute(
        select(User.id, User.first_name, User.last_name, User.active).where(
            User.id.in_(select(ShareLink.owner_id).distinct())
        )
    ):
        sharers[owner_id] = Sharer(owner_id, full_name(first, last), bool(active))
    live = (ShareLink.revoked_at.is_(None)) & (ShareLink.retired_at.is_(None)) & (ShareLink.expires_at > now)
    owner = ShareLink.owner_id
    for name, query in (
        ("live", select(owner, func.count()).where(live)),
        ("sent", select(owner, func.count()).where(ShareLink.created_at > now - LOOKED_BACK)),
        (
            "views",
            select(owner, func.sum(ShareView.views))
            .select_from(ShareView)
            .join(ShareLink, ShareLink.id == ShareView.share_link_id)
            .where(ShareView.day >= since),
        ),
        (
            "answers",
            select(owner, func.count())
            .select_from(ShareAnswer)
            .join(ShareLink, ShareLink.id == ShareAnswer.share_link_id)
            .where(ShareAnswer.created_at > now - LOOKED_BACK),
        ),
        (
            "open_answers",
            select(owner, func.count())
            .select_from(ShareAnswer)
            .join(ShareLink, ShareLink.id == ShareAnswer.share_link_id)
            .where(ShareAnswer.handled_at.is_(None)),
        ),
    ):
        for owner_id, number in session.execute(query.group_by(owner)):
            if owner_id in sharers:
                setattr(sharers[owner_id], name, int(number))
    days = {
        found: int(number)
        for found, number in session.execute(
            select(ShareView.day, func.sum(ShareView.views))
            .where(ShareView.day >= since)
            .group_by(ShareView.day)
        )
    }
    today = local_time(now).date()
    by_day = [
        (today - timedelta(days=n), days.get(today - timedelta(days=n), 0)) for n in reversed(range(14))
    ]
    return {
        "sharers": sorted(sharers.values(), key=lambda item: (-item.live, item.name)),
        "left_behind": ShareLinkService().left_behind(),
        "days": by_day,
        "most": max(number for _day, number in by_day),
    }
