"""Signed-in sessions, kept on the server so that logout, a new password or a disabled account end them at once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from sqlalchemy import ForeignKey, Integer, String, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lims.base.columns import UtcDateTime, utc_now
from lims.base.metadata import Model
from lims.base.secret_addresses import is_secret

#: However active, a session is opened anew after this long.
LONGEST = timedelta(days=7)


class PageSessions(SecureCookieSessionInterface):
    """The cookie's idle time is renewed by pages, not by files, scripts and what scripts fetch: one that answers late
    would bring back the cookie from before, and undo a change of language or a sign-in. Addresses that are keys leave no
    session behind."""

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        if is_secret(request.path):
            return False
        page = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
        page = page and not (request.endpoint or "").endswith("static")
        return session.modified or (page and super().should_set_cookie(app, session))


class LoginSession(Model):
    """One signed-in browser. Only the hash of its token is stored."""

    __tablename__ = "login_sessions"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("ab_user.id", ondelete="CASCADE"), nullable=False, index=True
    )
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def hashed(token: str) -> str:
    """What the database keeps of a session's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def open_session(session: Session, user_id: int) -> str:
    """Begin a session of this user and return its token (for the signed cookie)."""
    token = secrets.token_urlsafe(32)
    session.add(LoginSession(token_sha256=hashed(token), user_id=user_id, started_at=utc_now()))
    session.flush()
    return token


def expired(started_at: datetime) -> bool:
    """Is a session that began then over, however active?"""
    return utc_now() - started_at > LONGEST


def end_session(session: Session, token: str) -> None:
    session.execute(
        update(LoginSession).where(LoginSession.token_sha256 == hashed(token)).values(ended_at=utc_now())
    )


def end_sessions_of(session: Session, user_id: int) -> None:
    """Sign a person out everywhere: after a new password, a change of roles or when disabled."""
    session.execute(
        update(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None))
        .values(ended_at=utc_now())
    )
