"""Signed-in sessions, kept on the server so that logout, a new password or a disabled account end them at once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Request, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import ForeignKey, Integer, String, delete, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lims.base.columns import UtcDateTime, utc_now
from lims.base.metadata import Model
from lims.base.secret_addresses import is_secret

#: However active, a session is opened anew after this long.
LONGEST = timedelta(days=7)
#: A cookie is signed anew when this much of its idle time, at most a minute, has gone by since it was.
RENEWED_AFTER = 0.02


class CookieSession(SecureCookieSession):
    """What a browser's cookie carries, and when that was signed."""

    signed_at: datetime | None = None


class PageSessions(SecureCookieSessionInterface):
    """The cookie's idle time is renewed by pages, not by files, scripts and what scripts fetch: one that answers late
    would bring back the cookie from before, and undo a change of language or a sign-in. Addresses that are keys leave no
    session behind. A cookie that was just signed is not signed again with each page."""

    session_class = CookieSession

    def __init__(self) -> None:
        self._serializers: dict[Any, URLSafeTimedSerializer] = {}

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Flask's, made once for each key instead of twice a request."""
        key = (app.secret_key, *(app.config["SECRET_KEY_FALLBACKS"] or ()))
        if key not in self._serializers:
            made = super().get_signing_serializer(app)
            if made is None:
                return None
            self._serializers[key] = made
        return self._serializers[key]

    def open_session(self, app: Flask, request: Request) -> CookieSession | None:
        signing = self.get_signing_serializer(app)
        if signing is None:
            return None
        given = request.cookies.get(self.get_cookie_name(app))
        if not given:
            return self.session_class()
        idle_s = int(app.permanent_session_lifetime.total_seconds())
        try:
            data, signed_at = signing.loads(given, max_age=idle_s, return_timestamp=True)
        except BadSignature:
            return self.session_class()
        found = self.session_class(data)
        found.signed_at = signed_at
        return found

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        if is_secret(request.path):
            return False
        if session.modified:
            return True
        page = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
        page = page and not (request.endpoint or "").endswith("static")
        return page and super().should_set_cookie(app, session) and self._is_old(app, session)

    @staticmethod
    def _is_old(app: Flask, session: SessionMixin) -> bool:
        signed_at = getattr(session, "signed_at", None)
        after = min(timedelta(minutes=1), app.permanent_session_lifetime * RENEWED_AFTER)
        return signed_at is None or utc_now() - signed_at >= after


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


def forget_sessions(session: Session, now: datetime) -> int:
    """Take away the sessions that are too old to be anybody's. Returns how many. Inside a transaction."""
    gone = session.execute(delete(LoginSession).where(LoginSession.started_at < now - LONGEST))
    return int(gone.rowcount)  # type: ignore[attr-defined]


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
