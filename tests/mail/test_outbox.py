"""The outbox against a real mail server on loopback: sent once, kept while it is away, tried again later."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from flask import Flask
from sqlalchemy import select

from lims.aftersales.jobs import round_is_due, service_round
from lims.base.actor import system_actor
from lims.base.auditing.models import AuditEntry
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.jobs import RunningJob
from lims.mail import service
from lims.mail.models import OutgoingMail
from lims.mail.service import (
    CLAIM_ENDS_AFTER,
    MOST_ATTEMPTS,
    OutgoingMailService,
    next_try,
    send_waiting,
    write_mail,
)
from lims.settings import Settings
from tests.browser import free_port
from tests.factories import ACTOR


class Letterbox:
    """Takes mails as a server does; `refuse` is what it answers instead, `answers` what it answers to other commands."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.refuse = ""
        self.answers: dict[str, str] = {}

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, session: Any, _envelope: Any, hostname: str, lines: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [self.answers["HELO"]] if "HELO" in self.answers else lines

    async def handle_HELO(self, _server: Any, session: Any, _envelope: Any, hostname: str) -> str:  # noqa: N802
        session.host_name = hostname
        return self.answers.get("HELO", "250 here")

    async def handle_MAIL(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_QUIT(self, *_given: Any) -> str:  # noqa: N802
        return self.answers.get("QUIT", "221 Bye")

    def knows(self, _server: Any, _session: Any, _envelope: Any, _mechanism: Any, _given: Any) -> AuthResult:
        """Whether it lets somebody in who gives a password."""
        return AuthResult(success="AUTH" not in self.answers, message=self.answers.get("AUTH"), handled=False)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refuse:
            return self.refuse
        assert isinstance(envelope.content, bytes)
        self.taken.append(message_from_bytes(envelope.content))
        return "250 taken"


@pytest.fixture
def letterbox(records_on_both: Flask) -> Iterator[Letterbox]:
    box, port = Letterbox(), free_port()
    server = Controller(
        box,
        hostname="127.0.0.1",
        port=port,
        authenticator=box.knows,
        auth_require_tls=False,
        auth_exclude_mechanism=["LOGIN"],
    )
    server.start()
    records_on_both.config["LIMS_SETTINGS"] = Settings(
        smtp_host="127.0.0.1",
        smtp_port=port,
        smtp_security="none",
        smtp_from="lims@example.com",
        smtp_timeout_s=5,
    )
    yield box
    server.stop()


def a_mail(occasion: str = "complaint:1") -> OutgoingMail:
    return write_mail(occasion, "chen@example.com", "Clock ran out: K26-0001", "掉浆 in heading 2", ACTOR)


def stored() -> list[OutgoingMail]:
    return list(current_session().scalars(select(OutgoingMail).execution_options(populate_existing=True)))


def test_a_mail_is_sent_once_with_its_own_message_id(letterbox: Letterbox) -> None:
    mail = a_mail()
    assert send_waiting(ACTOR) == 1
    assert send_waiting(ACTOR) == 0
    assert len(letterbox.taken) == 1
    sent = letterbox.taken[0]
    assert sent["Message-ID"] == mail.message_id
    assert sent["To"] == "chen@example.com"
    assert "掉浆" in sent.get_payload(decode=True).decode("utf-8")
    assert stored()[0].state == "sent"


def test_the_same_occasion_is_written_once(letterbox: Letterbox) -> None:
    assert a_mail().id == a_mail().id
    assert a_mail("complaint:2").id != a_mail().id


def test_a_subject_cannot_bring_headers_of_its_own(letterbox: Letterbox) -> None:
    write_mail("x", "chen@example.com", "Hello\r\nBcc: all@example.com", "text", ACTOR)
    send_waiting(ACTOR)
    assert letterbox.taken[0]["Bcc"] is None
    assert letterbox.taken[0]["Subject"] == "Hello Bcc: all@example.com"


def test_mails_wait_while_the_server_is_away_and_go_out_when_it_is_back(
    letterbox: Letterbox, records_on_both: Flask
) -> None:
    working: Settings = records_on_both.config["LIMS_SETTINGS"]
    records_on_both.config["LIMS_SETTINGS"] = working.model_copy(update={"smtp_port": free_port()})
    a_mail()
    a_mail("complaint:2")
    assert send_waiting(ACTOR) == 0
    first, second = sorted(stored(), key=lambda mail: -mail.attempts)
    assert (first.state, first.attempts) == ("waiting", 1)
    assert first.next_try_at > utc_now()
    assert second.attempts == 0  # one failure told that the server is away
    records_on_both.config["LIMS_SETTINGS"] = working
    with transaction(ACTOR) as session:
        session.merge(first).next_try_at = utc_now()
    assert send_waiting(ACTOR) == 2
    assert len(letterbox.taken) == 2


def test_without_a_server_nothing_is_lost(records: Flask) -> None:
    records.config["LIMS_SETTINGS"] = Settings()
    a_mail()
    assert send_waiting(ACTOR) == 0
    assert (stored()[0].state, stored()[0].attempts) == ("waiting", 0)


@pytest.mark.parametrize(
    ("answer", "state"), [("451 busy, later", "waiting"), ("550 no such person", "failed")]
)
def test_a_server_that_says_later_is_asked_again_and_one_that_says_never_is_not(
    letterbox: Letterbox, answer: str, state: str
) -> None:
    letterbox.refuse = answer
    mail = a_mail()
    send_waiting(ACTOR)
    assert stored()[0].state == state
    assert answer[:3] in (stored()[0].last_error or "")
    if state == "failed":
        letterbox.refuse = ""
        OutgoingMailService().again(mail.id, ACTOR)
        assert send_waiting(ACTOR) == 1


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("HELO", "554 not you"),
        ("AUTH", "535 5.7.8 wrong password"),
        ("AUTH", "454 4.7.0 later"),
        ("MAIL", "553 that sender is not ours"),
        ("MAIL", "451 not now"),
        ("RCPT", "421 going away"),
    ],
)
def test_server_that_refuses_us_and_not_a_mail_costs_none_of_them(
    letterbox: Letterbox, records_on_both: Flask, command: str, answer: str
) -> None:
    settings: Settings = records_on_both.config["LIMS_SETTINGS"]
    records_on_both.config["LIMS_SETTINGS"] = settings.model_copy(
        update={"smtp_user": "lims", "smtp_password": "granite"}
    )
    for number in range(3):
        a_mail(f"complaint:{number}")
    letterbox.answers[command] = answer
    assert send_waiting(ACTOR) == 0
    assert [mail.state for mail in stored()] == ["waiting"] * 3
    assert sorted(mail.attempts for mail in stored()) == [
        0,
        0,
        1,
    ]  # one told that the others would fail as well
    tried = max(stored(), key=lambda mail: mail.attempts)
    assert answer[:3] in (tried.last_error or "")
    letterbox.answers.clear()
    with transaction(ACTOR) as session:
        session.merge(tried).next_try_at = utc_now()
    assert send_waiting(ACTOR) == 3


def test_recipient_that_there_is_not_is_given_up_and_the_others_go_out(letterbox: Letterbox) -> None:
    a_mail()
    letterbox.answers["RCPT"] = "550 no such person"
    send_waiting(ACTOR)
    assert (stored()[0].state, stored()[0].last_error) == ("failed", "550 no such person")
    letterbox.answers.clear()
    a_mail("complaint:2")
    assert send_waiting(ACTOR) == 1


def test_address_that_a_server_says_again_is_not_in_what_it_said(letterbox: Letterbox) -> None:
    """Erasing its account takes an address out of the mail; nothing would take it out of the record of changes."""
    a_mail()
    letterbox.answers["RCPT"] = "550 5.1.1 <Chen@example.com>: no such person"
    send_waiting(ACTOR)
    assert stored()[0].last_error == "550 5.1.1 <…>: no such person"
    written = " ".join(current_session().scalars(select(AuditEntry.payload)))
    assert "no such person" in written
    assert "chen@example.com" not in written.lower()


def test_address_that_the_server_cannot_write_is_given_up_and_the_others_go_out(
    letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers = smtplib.SMTP.has_extn
    monkeypatch.setattr(
        smtplib.SMTP, "has_extn", lambda self, name: name != "smtputf8" and offers(self, name)
    )
    write_mail("complaint:0", "陈@example.com", "Clock ran out", "text", ACTOR)
    a_mail()
    assert send_waiting(ACTOR) == 1
    assert [mail.state for mail in stored()] == ["failed", "sent"]
    assert "SMTPUTF8" in (stored()[0].last_error or "")


def test_mail_that_was_taken_is_sent_whatever_the_server_says_to_the_farewell(letterbox: Letterbox) -> None:
    a_mail()
    letterbox.answers["QUIT"] = "554 closing"
    assert send_waiting(ACTOR) == 1
    assert (stored()[0].state, len(letterbox.taken)) == ("sent", 1)


def test_attempts_come_further_apart_and_end(letterbox: Letterbox) -> None:
    now = utc_now()
    waits = [next_try(now, attempts) - now for attempts in range(1, 9)]
    assert waits == sorted(waits)
    assert waits[0] == timedelta(minutes=1)
    assert waits[-1] == timedelta(hours=4)
    letterbox.refuse = "451 later"
    mail = a_mail()
    with transaction(ACTOR) as session:
        session.merge(mail).attempts = MOST_ATTEMPTS - 1
    send_waiting(ACTOR)
    assert stored()[0].state == "failed"


def test_a_mail_of_a_sender_that_died_is_taken_up_again_under_the_same_message_id(
    letterbox: Letterbox,
) -> None:
    mail = a_mail()
    with transaction(ACTOR) as session:
        row = session.merge(mail)
        row.state, row.claimed_at = "sending", utc_now()
    assert send_waiting(ACTOR) == 0  # it may be sending right now
    with transaction(ACTOR) as session:
        session.merge(row).claimed_at = utc_now() - CLAIM_ENDS_AFTER - timedelta(seconds=1)
    assert send_waiting(ACTOR) == 1
    assert letterbox.taken[0]["Message-ID"] == mail.message_id


def test_mails_of_a_clock_that_was_ahead_do_not_wait_until_then(
    letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as ahead:
        ahead.setattr(service, "utc_now", lambda: utc_now() + timedelta(days=365))
        a_mail("written"), a_mail("tried"), a_mail("claimed")
        with transaction(ACTOR) as session:
            for mail in session.scalars(select(OutgoingMail).where(OutgoingMail.occasion != "written")):
                mail.attempts = 1
                if mail.occasion == "claimed":
                    mail.state, mail.claimed_at = "sending", service.utc_now()
    assert round_is_due(utc_now())
    assert send_waiting(ACTOR) == 3


def test_the_round_is_due_only_when_there_is_something_to_do(letterbox: Letterbox) -> None:
    assert not round_is_due(utc_now())
    a_mail()
    assert round_is_due(utc_now())

    class Quiet(RunningJob):
        def check(self) -> None:
            """Nobody cancels."""

    found = service_round(Quiet(1, system_actor("clock"), None))  # type: ignore[arg-type]
    assert "1" in found["message"]
    assert not round_is_due(utc_now())
