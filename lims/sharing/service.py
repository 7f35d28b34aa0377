"""Making and revoking share links."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import transaction
from lims.base.problems import NotFound
from lims.base.schemas import Schema
from lims.base.services import RecordService
from lims.customers.regions import seen_through
from lims.sharing.models import ShareLink
from lims.sharing.schemas import ShareLinkIn
from lims.trials.service import batches_of_seen


class ShareLinkService(RecordService[ShareLink]):
    record = ShareLink
    retirable = False  # what is revoked stays revoked
    schema = ShareLinkIn
    search_columns = ("name", "trial.name", "customer.name")
    filter_columns = ("trial_id", "customer_id")
    order_columns = ("created_at", "expires_at", "name")
    shown_relations = ("trial", "customer")

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return [*seen_through(ShareLink.customer_id), *batches_of_seen(ShareLink.trial_id)]

    def before_add(self, record: ShareLink, values: ShareLinkIn, actor: Actor) -> None:
        # The token is handed out by `create`; a link added otherwise has one that nobody knows.
        record.token_sha256 = hash_token(secrets.token_urlsafe(32))
        record.shows = ",".join(values.shows)
        record.expires_at = utc_now() + timedelta(days=values.days)

    def create(self, data: Mapping[str, Any] | Schema, actor: Actor) -> tuple[ShareLink, str]:
        """A link and its token: shown once, stored as a hash. Raises: Refused."""
        token = secrets.token_urlsafe(32)
        with transaction(actor, "share") as session:
            link = self.add(data, actor)
            link.token_sha256 = hash_token(token)
            session.flush()
        return link, token

    def revoke(self, link_id: int, actor: Actor) -> ShareLink:
        """The link shows nothing from the next request on. Raises: NotFound."""
        with transaction(actor, "revoked") as session:
            link = session.get(ShareLink, link_id, populate_existing=True) if 0 < link_id < 2**63 else None
            if link is None:
                raise NotFound(f"share-links {link_id}")
            link.revoked_at = link.revoked_at or utc_now()
            session.flush()
        return link

    def before_retire(self, record: ShareLink, actor: Actor) -> None:
        record.revoked_at = record.revoked_at or utc_now()

    def by_token(self, token: str) -> ShareLink | None:
        """The live link of this token, or None: unknown, expired and revoked look the same."""
        link = self.find(token_sha256=hash_token(token))
        return link if link is not None and link.live else None


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
