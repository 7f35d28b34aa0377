"""What a reader of a sheet sends back: kept, told to the salesperson, and, for a trial, a prospect with a task."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from datetime import timedelta

from flask import current_app
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from lims.base.actor import Actor
from lims.base.auditing.erasure import forget
from lims.base.columns import utc_now
from lims.base.database import current_session, locked_row, transaction
from lims.base.display import local_today
from lims.base.laboratory import laboratory
from lims.base.problems import NotFound, refuse
from lims.base.services import SERVICES
from lims.customers.models import Customer
from lims.customers.service import ERASED_TOO
from lims.sharing.models import ShareAnswer, ShareLink
from lims.sharing.schemas import AnswerIn

#: A salesperson is not to be buried under a link that went round.
MOST_ANSWERS_A_DAY = 20
#: The same words within so long are the same answer, sent again.
SENT_AGAIN_WITHIN = timedelta(hours=1)
#: A form that was opened longer ago is opened anew.
FORM_LIVES_S = 14 * 86_400
#: Letters of a name that the prospect made of a request keeps.
MOST_OF_NAME = 80
#: Working days are not known here; two days are a promise that can be kept.
TASK_WITHIN = timedelta(days=2)


def form_mark(token: str, now: float | None = None) -> str:
    """Ties a form to its link and its time. With the key in the address, a foreign page can send nothing."""
    at = f"{int(time.time() if now is None else now)}"
    return f"{at}.{_seal(token, at)}"


def mark_holds(token: str, mark: str) -> bool:
    at, _dot, seal = mark.partition(".")
    if not at.isascii() or not at.isdecimal() or len(at) > 12:
        return False
    fresh = 0 <= time.time() - int(at) <= FORM_LIVES_S
    return hmac.compare_digest(seal.encode("utf-8", "replace"), _seal(token, at).encode()) and fresh


def _seal(token: str, at: str) -> str:
    key = str(current_app.config["SECRET_KEY"]).encode()
    text = f"trial-sheet-form:{at}:{token}".encode("utf-8", "surrogatepass")
    return hmac.new(key, text, hashlib.sha256).hexdigest()


def reader_of(link: ShareLink) -> Actor:
    """Who writes: a reader has no name of an account, but his link has one."""
    return Actor(key=f"reader:link-{link.id}", label=link.name)


def keep_answer(link: ShareLink, given: AnswerIn) -> ShareAnswer:
    """What was sent, kept once however often it is sent. Raises: NotFound for a link that has ended meanwhile, Refused when
    it has had its answers for today."""
    actor = reader_of(link)
    with transaction(actor, "answer to a trial sheet") as session:
        # One at a time: who taps twice on a poor line sends the same twice. And whose it is now, if anybody's.
        found = locked_row(ShareLink, link.id)
        if found is None or not found.live:
            raise NotFound(f"share-links {link.id}")
        link = found
        told = {name: getattr(given, name) for name in ("kind", "name", "company", "contact", "message")}
        again = session.scalars(
            select(ShareAnswer)
            .filter_by(share_link_id=link.id, **told)
            .where(ShareAnswer.created_at > utc_now() - SENT_AGAIN_WITHIN)
            .limit(1)
        ).one_or_none()
        if again is not None:
            return again
        today = session.scalar(
            select(func.count())
            .select_from(ShareAnswer)
            .where(
                ShareAnswer.share_link_id == link.id, ShareAnswer.created_at > utc_now() - timedelta(days=1)
            )
        )
        if (today or 0) >= MOST_ANSWERS_A_DAY:
            raise refuse("", _("has been answered often today; please call us"))
        customer_id = link.customer_id
        if given.kind == "trial":
            # A task of a customer out of use is refused, and that is nothing the reader could put right.
            known = link.customer if link.customer is not None and link.customer.retired_at is None else None
            customer_id = known.id if known is not None else _open_prospect(link, given, actor)
            _open_task(link, customer_id, actor)
        answer = ShareAnswer(share_link_id=link.id, customer_id=customer_id, **told)
        session.add(answer)
        session.flush()
    return answer


def _open_prospect(link: ShareLink, given: AnswerIn, actor: Actor) -> int:
    """The prospect that this reader opened before, or a new one."""
    session = current_session()
    name = given.company or given.name
    known = session.scalar(
        select(ShareAnswer.customer_id)
        .join(Customer, Customer.id == ShareAnswer.customer_id)
        .where(ShareAnswer.share_link_id == link.id, Customer.name == name, Customer.retired_at.is_(None))
        .limit(1)
    )
    if known is not None:
        return int(known)
    number = 1 + (session.scalar(select(func.count()).select_from(ShareAnswer)) or 0)
    code = f"P-{link.id}-{number}"
    email = given.contact if "@" in given.contact else None
    region = link.trial.region
    values = {
        "code": code,
        "name": name,
        "kind": "mixing_station",
        "status": "prospect",
        "region_id": region.id if region is not None and region.retired_at is None else None,
        "owner_id": link.owner_id,
        "contact_name": given.name[:MOST_OF_NAME],
        "email": email,
        "phone": None if email else given.contact[:40],
    }
    return int(SERVICES["customers"].add(values, actor).id)


def _open_task(link: ShareLink, customer_id: int, actor: Actor) -> None:
    """A visit to make, for whose link it is."""
    with force_locale(laboratory().language):
        purpose = str(_("Trial with their materials, asked for on a trial sheet"))
    plan = {
        "customer_id": customer_id,
        "planned_on": (local_today() + TASK_WITHIN).isoformat(),
        "user_id": link.owner_id,
        "purpose": purpose,
    }
    SERVICES["visit-plans"].add(plan, actor)


def replace_reader(session: Session, customer_id: int, known: Mapping[str, str | None], mark: str) -> None:
    """Where a person of this customer answered on a sheet, before that made them a prospect too, the mark stands for who and
    where to be reached; where another left the same number, for that alone. Who has the same name and asked for another
    customer is another."""
    of_customer = ShareAnswer.customer_id == customer_id
    links = select(ShareAnswer.share_link_id).where(of_customer)
    reached = [known[name] for name in ("phone", "email") if known[name]]
    called_so = func.substr(ShareAnswer.name, 1, MOST_OF_NAME) == known["name"]
    answers = session.scalars(
        select(ShareAnswer).where(
            or_(of_customer, ShareAnswer.share_link_id.in_(links)),
            or_(
                and_(called_so, or_(of_customer, ShareAnswer.customer_id.is_(None))),
                ShareAnswer.contact.in_(reached),
            ),
        )
    )
    for answer in answers.all():
        if answer.name[:MOST_OF_NAME] == known["name"]:
            answer.name = mark
        answer.contact = mark
        forget(ShareAnswer.__tablename__, answer.id, session)


ERASED_TOO.append(replace_reader)
