"""The outbox."""

from __future__ import annotations

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.security import current_actor
from lims.base.views import MenuPlace, RecordView
from lims.mail.service import OutgoingMailService

MAIL_STATES = {
    "waiting": _l("To be sent"),
    "sending": _l("Being sent"),
    "sent": _l("Sent"),
    "failed": _l("Given up"),
}


class OutgoingMailView(RecordView):
    service = OutgoingMailService()
    title = _l("E-mails")
    title_one = _l("E-mail")
    menu = MenuPlace("setup", order=70, icon="mail")
    list_columns = ("subject", "to_address", "state", "attempts", "sent_at", "next_try_at")
    labels = {
        "subject": _l("Subject"),
        "to_address": _l("To"),
        "state": _l("State"),
        "attempts": _l("Attempts"),
        "sent_at": _l("Sent at"),
        "next_try_at": _l("Next attempt"),
        "last_error": _l("What the server said"),
        "body": _l("Text"),
        "message_id": _l("Message-ID"),
    }
    choices = {"state": MAIL_STATES}
    show_sections = (
        (
            _l("E-mail"),
            (
                "to_address",
                "subject",
                "body",
                "state",
                "attempts",
                "sent_at",
                "next_try_at",
                "last_error",
                "message_id",
            ),
        ),
    )
    show_template = "lims/mail_show.html"
    empty_hint = _l("Mails about clocks that run out appear here.")

    @expose("/<int:record_id>/again", methods=["POST"])
    @permission_name("write")
    def again(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        self.service.again(record_id, current_actor())
        flash(_("The mail will be tried again."), "success")
        return redirect(url_for("OutgoingMailView.show", record_id=record_id))


VIEWS = (OutgoingMailView,)
