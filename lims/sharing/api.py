"""REST of share links and answers. The token is never readable; only making a link in the browser shows it, once."""

from __future__ import annotations

from typing import Annotated

from flask_babel import lazy_gettext as _l

from lims.base.api import RecordApi, Step
from lims.base.fields import Ui, WholeNumber
from lims.base.schemas import Schema
from lims.sharing.views import ShareAnswerView, ShareLinkView


class HandOverIn(Schema):
    owner_id: Annotated[int, WholeNumber(1), Ui(_l("Shared by"))]


class ShareLinkApi(RecordApi):
    service = ShareLinkView.service
    fields = (
        "id",
        "version",
        "name",
        "trial_id",
        "customer_id",
        "owner_id",
        "note",
        "shows",
        "language",
        "asks_password",
        "expires_at",
        "revoked_at",
        "live",
        "created_at",
        "created_by",
    )
    steps = (
        Step(
            "revoke", "The link shows nothing any more", "write", "share-links",
            lambda key, _values, actor: ShareLinkView.service.revoke(key, actor),
        ),
        Step(
            "hand-over", "Make the link another person's", "oversee", "share-links",
            lambda key, values, actor: ShareLinkView.service.hand_over(key, values.owner_id, actor), HandOverIn,
        ),
    )  # fmt: skip


class ShareAnswerApi(RecordApi):
    service = ShareAnswerView.service
    fields = (
        "id",
        "version",
        "share_link_id",
        "kind",
        "name",
        "company",
        "contact",
        "message",
        "customer_id",
        "handled_at",
        "created_at",
    )
    steps = (
        Step(
            "handle", "The answer is dealt with", "write", "share-answers",
            lambda key, _values, actor: ShareAnswerView.service.handle(key, actor),
        ),
        Step(
            "erase", "Take who answered, and where to be reached, out for good", "erase", "share-answers",
            lambda key, _values, actor: ShareAnswerView.service.erase(key, actor),
        ),
    )  # fmt: skip


APIS = (ShareLinkApi, ShareAnswerApi)
