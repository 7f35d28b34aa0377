"""REST of share links. The token is never readable; only adding a link in the browser shows it, once."""

from __future__ import annotations

from lims.base.api import RecordApi
from lims.sharing.views import ShareLinkView


class ShareLinkApi(RecordApi):
    service = ShareLinkView.service
    fields = (
        "id",
        "version",
        "name",
        "trial_id",
        "customer_id",
        "shows",
        "expires_at",
        "revoked_at",
        "live",
        "created_at",
        "created_by",
    )


APIS = (ShareLinkApi,)
