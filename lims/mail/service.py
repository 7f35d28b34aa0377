"""Writing mails into the outbox, and sending what waits there: once, and kept while the server is away.

A mail is claimed in a transaction of its own before it is sent, so that two senders never send the same one. A sender
that dies between sending and noting it leaves the mail claimed; after a while it is sent again under the same
Message-ID, which receivers show once.
"""

from __future__ import annotations

import logging
import re
import smtplib
import ssl
from contextlib import suppress
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from flask import current_app
from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from lims.accounts.service import ERASED_TOO
from lims.base.actor import Actor
from lims.base.auditing.erasure import forget
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.services import RecordService
from lims.mail.models import OutgoingMail
from lims.settings import Settings

log = logging.getLogger(__name__)

#: Minutes until the next attempt, by the number of those that failed; the last one repeats.
BACKOFF_MINUTES = (1, 2, 5, 15, 60, 240)
#: A mail that was claimed so long ago belongs to a sender that died.
CLAIM_ENDS_AFTER = timedelta(minutes=10)
#: Attempts before a mail is given up: with the steps above, about five days.
MOST_ATTEMPTS = 35
#: What a server says that closes, in the place of any answer.
GOING_AWAY = 421


class OutgoingMailService(RecordService[OutgoingMail]):
    record = OutgoingMail
    search_columns = ("to_address", "subject")
    filter_columns = ("state",)
    order_columns = ("id", "next_try_at", "sent_at")
    writable = False

    def again(self, mail_id: int, actor: Actor) -> OutgoingMail:
        """Try a mail that was given up from the beginning. Raises: NotFound."""
        with transaction(actor, "mail tried again") as session:
            mail: OutgoingMail = self.locked(session, mail_id)
            if mail.state == "failed":
                mail.state, mail.attempts, mail.next_try_at, mail.last_error = "waiting", 0, utc_now(), None
            self._flush(session, mail)
        return mail


def write_mail(occasion: str, to_address: str, subject: str, body: str, actor: Actor) -> OutgoingMail:
    """Put a mail into the outbox; one of the same occasion that stands there already is given back. An occasion ends with
    the id of the account that the mail goes to, after a colon.

    Goes with the transaction that it is called in: no mail about what was not saved.
    """
    with transaction(actor, "mail") as session:
        known = session.scalars(select(OutgoingMail).where(OutgoingMail.occasion == occasion)).one_or_none()
        if known is not None:
            return known
        mail = OutgoingMail(
            occasion=occasion,
            to_address=to_address,
            subject=" ".join(subject.split())[:300],
            body=body,
            message_id=make_msgid(domain="lims.invalid"),
            state="waiting",
            attempts=0,
            next_try_at=utc_now(),
        )
        session.add(mail)
        session.flush()
    return mail


def forget_address(session: Session, user_id: int, address: str, mark: str) -> None:
    """The mark in the place of the address in all mails to this account, also to an address that it had before; what waits
    is given up."""
    to_account = or_(OutgoingMail.to_address == address, OutgoingMail.occasion.endswith(f":{user_id}"))
    for mail in session.scalars(select(OutgoingMail).where(to_account)).all():
        mail.last_error = mail.last_error and _without(mail.to_address, mail.last_error)
        mail.to_address = mark
        if mail.state == "waiting":
            mail.state = "failed"
        forget(OutgoingMail.__tablename__, mail.id, session)


ERASED_TOO.append(forget_address)


def send_waiting(actor: Actor, most: int = 200) -> int:
    """Send what is due, one mail at a time. Returns how many went out; 0 while no server is set."""
    settings: Settings = current_app.config["LIMS_SETTINGS"]
    if not settings.smtp_host:
        return 0
    sent = 0
    for _number in range(most):
        mail_id = _claim(actor)
        if mail_id is None:
            break
        mail = current_session().get(OutgoingMail, mail_id, populate_existing=True)
        assert mail is not None  # claimed a moment ago; mails are never deleted
        try:
            _deliver(settings, mail)
        except smtplib.SMTPRecipientsRefused as error:
            code, words = next(iter(error.recipients.values()))
            if _refused(mail_id, code, words, settings, actor):
                break
        except smtplib.SMTPDataError as error:
            if _refused(mail_id, error.smtp_code, error.smtp_error, settings, actor):
                break
        except (smtplib.SMTPException, OSError) as error:
            # Away, no mail server, or one that refuses us and not this mail (greeting, TLS, password, sender): the others
            # would fail as this one did, and whoever mends it has lost none of them.
            told = f"{type(error).__name__}: {error}"
            if isinstance(error, smtplib.SMTPNotSupportedError) and not mail.to_address.isascii():
                # This address alone: a server without SMTPUTF8 never takes it, and the others are not to wait for it.
                _note_failure(mail_id, told, actor, give_up=True)
                continue
            if isinstance(error, smtplib.SMTPResponseException):
                told = f"{type(error).__name__}: {error.smtp_code} {_words(error.smtp_error)}"
            _note_failure(mail_id, told, actor)
            _log_away(settings, told)
            break
        else:
            _note_sent(mail_id, actor)
            sent += 1
    return sent


def _refused(mail_id: int, code: int, words: bytes | str, settings: Settings, actor: Actor) -> bool:
    """Note that the server would not take this mail, its recipient or its text. Is the server going away (421)?"""
    told = f"{code} {_words(words)}"
    _note_failure(mail_id, told, actor, give_up=500 <= code < 600)
    if code == GOING_AWAY:
        _log_away(settings, told)
    return code == GOING_AWAY


def _log_away(settings: Settings, told: str) -> None:
    log.warning("mail server %s:%s is away: %s", settings.smtp_host, settings.smtp_port, told)


def due_at(now: datetime) -> ColumnElement[bool]:
    """Condition on mails that are to be sent by now. Not only by the time that stands with them: a clock that was ahead, or
    that was put back, would keep them until that has come."""
    told = or_(
        OutgoingMail.attempts == 0,
        OutgoingMail.next_try_at <= now,
        OutgoingMail.next_try_at > now + timedelta(minutes=BACKOFF_MINUTES[-1]),
    )
    return (OutgoingMail.state == "waiting") & told


def left_at(now: datetime) -> ColumnElement[bool]:
    """Condition on mails whose sender has died."""
    told = or_(
        OutgoingMail.claimed_at < now - CLAIM_ENDS_AFTER, OutgoingMail.claimed_at > now + CLAIM_ENDS_AFTER
    )
    return (OutgoingMail.state == "sending") & told


def _claim(actor: Actor) -> int | None:
    """The id of one due mail that is ours alone from now on."""
    now = utc_now()
    with transaction(actor, "mail claimed") as session:
        session.execute(
            update(OutgoingMail)
            .where(left_at(now))
            .values(state="waiting", next_try_at=now)
            .execution_options(synchronize_session=False)
        )
        due = (
            select(OutgoingMail)
            .where(due_at(now))
            .order_by(OutgoingMail.next_try_at, OutgoingMail.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
        mail = session.scalars(due).one_or_none()
        if mail is None:
            return None
        mail.state, mail.claimed_at, mail.attempts = "sending", now, mail.attempts + 1
        session.flush()
        return mail.id


def _deliver(settings: Settings, mail: OutgoingMail) -> None:
    message = EmailMessage()
    message["From"] = settings.smtp_from
    message["To"] = mail.to_address
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body)
    server = _connected(settings)
    try:
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password)
        server.send_message(message)
    finally:
        with suppress(
            smtplib.SMTPException, OSError
        ):  # the mail was taken before, whatever is answered to the farewell
            server.quit()


def _connected(settings: Settings) -> smtplib.SMTP:
    """The server, encrypted unless that is switched off: smtplib by itself takes any certificate, so whoever stands in
    between would read the password and the mails. Raises: OSError, smtplib.SMTPException."""
    host, port, seconds = settings.smtp_host, settings.smtp_port, settings.smtp_timeout_s
    if settings.smtp_security == "none":
        return smtplib.SMTP(host, port, timeout=seconds)
    trusted = ssl.create_default_context(cafile=settings.smtp_ca_file or None)
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=seconds, context=trusted)
    server = smtplib.SMTP(host, port, timeout=seconds)
    try:
        server.starttls(context=trusted)
    except BaseException:
        server.close()
        raise
    return server


def _note_sent(mail_id: int, actor: Actor) -> None:
    with transaction(actor, "mail sent") as session:
        mail = session.get(OutgoingMail, mail_id, populate_existing=True)
        assert mail is not None
        mail.state, mail.sent_at, mail.last_error = "sent", utc_now(), None


def _note_failure(mail_id: int, words: str, actor: Actor, *, give_up: bool = False) -> None:
    with transaction(actor, "mail not sent") as session:
        mail = session.get(OutgoingMail, mail_id, populate_existing=True)
        assert mail is not None
        mail.last_error = _without(mail.to_address, words)[:300]
        mail.state = "failed" if give_up or mail.attempts >= MOST_ATTEMPTS else "waiting"
        mail.next_try_at = next_try(utc_now(), mail.attempts)


def _without(address: str, words: str) -> str:
    """What a server said, without the address, which most of them say again: it would stand in the record of changes, where
    nothing takes it out."""
    return re.sub(re.escape(address), "…", words, flags=re.IGNORECASE)


def next_try(now: datetime, attempts: int) -> datetime:
    """When a mail that failed `attempts` times is tried again."""
    return now + timedelta(minutes=BACKOFF_MINUTES[min(attempts, len(BACKOFF_MINUTES)) - 1])


def _words(error: bytes | str) -> str:
    return error.decode("utf-8", "replace") if isinstance(error, bytes) else error
