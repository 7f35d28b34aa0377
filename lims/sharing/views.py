"""Pages of share links: the builder, the list with views and answers, the overview, and what readers sent back."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import segno
from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from lims.aftersales.models import AdviceCard
from lims.base.database import current_session
from lims.base.display import Cell, laboratory_zone
from lims.base.forms import build_form, posted_values
from lims.base.problems import Problem, Refused, refuse
from lims.base.schemas import localise
from lims.base.security import current_actor, may
from lims.base.services import SERVICES
from lims.base.views import MenuPlace, RecordView, form_key
from lims.base.words import LANGUAGES, reading_language
from lims.sharing.candidates import Candidate, candidates
from lims.sharing.models import ShareLink
from lims.sharing.overview import overview
from lims.sharing.redaction import SHAREABLE
from lims.sharing.schemas import ANSWER_KINDS, ANSWER_STATES, ShareLinkIn, WantedIn
from lims.sharing.service import ShareAnswerService, ShareLinkService, possible_owners, views_by_day
from lims.sharing.sheet_view import SheetView, address_of_sheet, page_of

LINK_STATES = {"active": _l("Live"), "lapsed": _l("Ended")}
#: Rules whose cards are ticked to begin with: what holds for whatever is built. In every language, of which the sheet takes
#: its own.
USUAL_CARDS = ("use-01", "use-12", "use-14")
WANTED_FIRST = (
    "customer_id",
    "trial_id",
    "region_id",
    "cement_product_id",
    "aggregate_source_id",
    "grade_mpa",
)


class ShareLinkView(RecordView):
    service: ClassVar[Any] = ShareLinkService()
    title = _l("Share links")
    title_one = _l("Share link")
    menu = MenuPlace("customers", order=15, icon="share")
    list_columns = (
        "name",
        "customer",
        "owner_name",
        "views",
        "answers",
        "open_answers",
        "expires_at",
        "state",
    )
    labels = {
        "expires_at": _l("Valid until"),
        "live": _l("Live"),
        "revoked_at": _l("Revoked"),
        "owner_name": _l("Shared by"),
        "views": _l("Views"),
        "answers": _l("Answers"),
        "open_answers": _l("Open answers"),
        "state": _l("State"),
        "shows": _l("Shows"),
        "asks_password": _l("Asks for a password"),
    }
    choices = {"state": LINK_STATES}
    show_sections = (
        (_l("Share link"), ("name", "trial", "customer", "owner_name", "note", "shows", "language")),
        (_l("Until when"), ("expires_at", "revoked_at", "asks_password", "state")),
    )
    show_template = "lims/share_show.html"
    empty_hint = _l("Choose the trials nearest to a prospect's mix and send them as a sheet that stays true.")

    @expose("/add", methods=["GET", "POST"])
    @permission_name("write")
    def add(self) -> ResponseReturnValue:
        """The builder: what the prospect looks for, the trials that fit, what goes out. The token is shown once."""
        self.allow("write")
        if request.method == "GET":
            return self._builder()
        posted = _posted()
        if "find" in request.form:
            return self._builder(posted)
        try:
            link, token = self.service.create(
                localise(ShareLinkIn, posted, laboratory_zone()), current_actor(), form_key(posted)
            )
        except Refused as error:
            return self._builder(posted, error.problems), 422
        if not token:  # the page with the address was loaded again, or the form sent twice
            flash(_("This link is made already; its address was shown once."), "info")
            return redirect(url_for("ShareLinkView.show", record_id=link.id))
        return self._made(link, token)

    @expose("/<int:record_id>/edit", methods=["GET", "POST"])
    @permission_name("write")
    def edit(self, record_id: int) -> ResponseReturnValue:
        """What was sent stays as it was sent."""
        self.allow("write")
        self.service.get(record_id)
        flash(_("What was sent stays as it was sent: revoke the link and make another."), "info")
        return redirect(url_for("ShareLinkView.show", record_id=record_id))

    @expose("/preview", methods=["POST"])
    @permission_name("write")
    def preview(self) -> ResponseReturnValue:
        """The sheet as its reader will see it; nothing is kept."""
        self.allow("write")
        posted = _posted()
        try:
            values = localise(ShareLinkIn, posted, laboratory_zone())
            sheet = self.service.preview(values, current_actor())
        except Refused as error:
            return self._builder(posted, error.problems), 422
        return page_of(None, "", sheet=sheet, language=str(posted.get("language") or "en"))

    @expose("/<int:record_id>/revoke", methods=["POST"])
    @permission_name("write")
    def revoke(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        self.service.revoke(record_id, current_actor())
        flash(_("The link shows nothing any more."), "success")
        return redirect(url_for("ShareLinkView.show", record_id=record_id))

    @expose("/<int:record_id>/renew", methods=["POST"])
    @permission_name("write")
    def renew(self, record_id: int) -> ResponseReturnValue:
        """A new address for the same sheet."""
        self.allow("write")
        link, token = self.service.renew(record_id, current_actor())
        return self._made(link, token)

    def _made(self, link: ShareLink, token: str) -> str:
        """The address, this once: a redirect would have to carry the token through a session or an address."""
        address = address_of_sheet(token)
        return self.page(
            "lims/share_made.html",
            record=link,
            address=address,
            paper=f"{address}/sheet.pdf",
            qr=segno.make(address, error="m", micro=False).svg_data_uri(border=2, scale=4),
        )

    @expose("/<int:record_id>/hand-over", methods=["POST"])
    @permission_name("oversee")
    def hand_over(self, record_id: int) -> ResponseReturnValue:
        self.allow("oversee")
        given = request.form.get("owner_id", "")
        if not given.isdecimal() or len(given) > 9:
            raise refuse("owner_id", _("is no active account; accepted: a colleague who can sign in"), given)
        link = self.service.hand_over(record_id, int(given), current_actor())
        flash(_("Now %(who)s's: %(title)s", who=link.owner_name, title=link.title), "success")
        return redirect(url_for("ShareLinkView.overview"))

    @expose("/overview")
    @permission_name("oversee")
    def overview(self) -> ResponseReturnValue:
        """Who shares, what is looked at and answered, and what a leaver left behind."""
        self.allow("oversee")
        return self.page("lims/share_overview.html", colleagues=possible_owners(), **overview())

    def show_context(self, record: Any) -> dict[str, Any]:
        days = views_by_day(record.id)
        found = super().show_context(record)
        shown = _(", ").join(str(SHAREABLE.get(key, key)) for key in record.shows.split(","))
        found["sections"] = [
            (title, [(column, Cell(shown) if column.name == "shows" else cell) for column, cell in items])
            for title, items in found["sections"]
        ]
        answers = ShareAnswerService().page(filters={"share_link_id": record.id})
        return {
            **found,
            "may_edit": False,  # what was sent stays as it was sent; it is revoked or sent anew
            "may_share": may("write", "share-links"),
            "may_oversee": may("oversee", "share-links"),
            "colleagues": possible_owners() if may("oversee", "share-links") else [],
            "days": days,
            "most": max(number for _day, number in days),
            "answers_here": answers.items,
            "answer_kinds": ANSWER_KINDS,
        }

    # --- the builder ----------------------------------------------------------------------------------------

    def _builder(self, posted: Mapping[str, Any] | None = None, problems: Sequence[Problem] = ()) -> str:
        names = [item.name for item in WantedIn.inputs()]
        given = request.form if request.method == "POST" else request.args
        asked: dict[str, Any] = {name: value[:60] for name, value in given.items() if name in names and value}
        wrong: Sequence[Problem] = ()
        found: list[Candidate] = []
        try:
            found = candidates(WantedIn.read(asked))
        except Refused as error:
            wrong = error.problems
        first = self._first_values(asked, found)
        values = dict(posted or first)
        if posted is not None and "find" in request.form:
            values = _among(found, values, first)
        form = build_form(
            ShareLinkIn,
            values,
            sections=(
                (_l("For"), ("name", "note")),
                (_l("How"), ("language", "days", "password", "compared_with_id")),
            ),
            problems=problems,
        )
        # What the table and the ticks bring has no control of its own; what is wrong with it is said above.
        own = [(title, fields) for title, fields in form.sections if title]
        form.problems += [
            _("%(name)s: %(what)s", name=item.label, what=_("; ").join(item.errors))
            for title, fields in form.sections
            if not title
            for item in fields
            if item.errors
        ]
        form.sections = own
        rest = tuple(name for name in names if name not in WANTED_FIRST)
        return self.page(
            "lims/share_build.html",
            wanted=build_form(
                WantedIn, asked, sections=((_l("Who and what"), WANTED_FIRST), (_l("Recipe, if known"), rest)),
                problems=wrong,
            ),
            found=found,
            form=form,
            values=values,
            shareable=SHAREABLE,
            chosen_shows=str(values.get("shows", ",".join(SHAREABLE))).split(","),
            chosen_near=str(values.get("near_ids") or "").split(","),
            chosen_cards=str(values.get("card_ids") or "").split(","),
            cards=_cards_by_language(),
            proposed_name=first.get("name", ""),
            form_key=request.form.get("form_key") or secrets.token_urlsafe(16),
        )  # fmt: skip

    def _first_values(self, asked: Mapping[str, Any], found: Sequence[Candidate]) -> dict[str, Any]:
        """What a salesperson would choose most often, so that two minutes are enough."""
        values: dict[str, Any] = {
            "days": 30,
            "language": reading_language(),
            "customer_id": asked.get("customer_id"),
        }
        given = str(asked.get("customer_id") or "")
        if given.isdecimal():
            customer = SERVICES["customers"].find(id=int(given[:18]))
            values["name"] = customer.name if customer is not None else ""
        if found:
            # Of what has nothing released a sheet shows no strengths, and no forecast that rests on any.
            first = next((item for item in found if item.own or item.strengths), found[0])
            values |= {"trial_id": first.trial_id, "mix_design_id": first.mix_design_id}
            near = [item for item in found if item is not first and item.strengths][:2]
            values["near_ids"] = ",".join(str(item.mix_design_id) for item in near)
        values["card_ids"] = ",".join(str(card.id) for card in _advice_cards() if card.rule in USUAL_CARDS)
        return values


class ShareAnswerView(RecordView):
    service: ClassVar[Any] = ShareAnswerService()
    title = _l("Answers")
    title_one = _l("Answer")
    menu = MenuPlace("customers", order=16, icon="mail")
    list_columns = ("title", "kind", "share_link", "created_at", "state")
    labels = {
        "title": _l("Who answers"),
        "kind": _l("Answer"),
        "share_link": _l("Share link"),
        "customer": _l("Customer"),
        "company": _l("Company"),
        "name": _l("Name"),
        "contact": _l("Phone or e-mail"),
        "message": _l("Message"),
        "handled_at": _l("Dealt with"),
        "state": _l("State"),
        "created_at": _l("Received"),
    }
    choices = {"kind": ANSWER_KINDS, "state": ANSWER_STATES}
    show_sections = (
        (_l("Answer"), ("kind", "message", "created_at", "state", "handled_at")),
        (_l("Who answers"), ("name", "company", "contact", "customer", "share_link")),
    )
    show_template = "lims/answer_show.html"
    empty_hint = _l("What prospects send from their sheets appears here.")

    @expose("/<int:record_id>/handle", methods=["POST"])
    @permission_name("write")
    def handle(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        self.service.handle(record_id, current_actor())
        flash(_("Dealt with."), "success")
        return redirect(url_for("ShareAnswerView.show", record_id=record_id))

    @expose("/<int:record_id>/erase", methods=["POST"])
    @permission_name("erase")
    def erase(self, record_id: int) -> ResponseReturnValue:
        self.allow("erase")
        self.service.erase(record_id, current_actor())
        flash(_("The person's data are gone; the records stand."), "success")
        return redirect(url_for("ShareAnswerView.show", record_id=record_id))

    def show_context(self, record: Any) -> dict[str, Any]:
        return {
            **super().show_context(record),
            "may_handle": may("write", "share-answers"),
            "may_erase": may("erase", "share-answers") and not record.erased,
        }


def _posted() -> dict[str, Any]:
    """The builder's form: ticks are lists, the chosen trial comes with its mix."""
    posted = posted_values(ShareLinkIn, request.form)
    for name in ("shows", "near_ids", "card_ids"):
        posted[name] = ",".join(request.form.getlist(name))
    # Which trial goes out is ticked; the control of that name narrows what there is to tick.
    trial, _dash, mix = request.form.get("chosen", "").partition("-")
    posted |= {"trial_id": trial, "mix_design_id": mix}
    posted["near_ids"] = ",".join(key for key in posted["near_ids"].split(",") if key and key != mix)
    return posted


def _among(found: Sequence[Candidate], posted: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    """What was chosen before the trials were looked for again, as far as it is among them; else what is proposed."""
    values = dict(posted)
    if f"{posted['trial_id']}-{posted['mix_design_id']}" not in {item.key for item in found}:
        values |= {name: first.get(name, "") for name in ("trial_id", "mix_design_id", "near_ids")}
    near = {str(item.mix_design_id) for item in found}
    values["near_ids"] = ",".join(key for key in str(values["near_ids"]).split(",") if key in near)
    if posted.get("name", "") in {"", request.form.get("proposed_name", "")}:
        values["name"] = first.get("name", "")
    return values


def _advice_cards() -> list[AdviceCard]:
    query = select(AdviceCard).where(AdviceCard.retired_at.is_(None)).order_by(AdviceCard.name)
    return list(current_session().scalars(query.limit(120)))


def _cards_by_language() -> list[tuple[str, list[AdviceCard]]]:
    """(name of the language, its cards), the page's own first."""
    cards = _advice_cards()
    mine = reading_language()
    order = sorted(LANGUAGES, key=lambda language: language != mine)
    found = [(LANGUAGES[key], [card for card in cards if card.language == key]) for key in order]
    return [(name, some) for name, some in found if some]


VIEWS = (ShareLinkView, ShareAnswerView, SheetView)
