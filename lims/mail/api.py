"""REST of the outbox."""

from __future__ import annotations

from lims.base.api import RecordApi
from lims.mail.views import OutgoingMailView


class OutgoingMailApi(RecordApi):
    service = OutgoingMailView.service
    fields = (
        "id", "version", "occasion", "to_address", "subject", "state", "attempts", "next_try_at", "sent_at",
        "last_error", "message_id", "created_at", "created_by",
    )  # fmt: skip


APIS = (OutgoingMailApi,)
