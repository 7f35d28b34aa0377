"""Pages of share links."""

from __future__ import annotations

from typing import Any, ClassVar

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.display import laboratory_zone
from lims.base.forms import posted_values
from lims.base.problems import Refused
from lims.base.schemas import localise
from lims.base.security import current_actor
from lims.base.views import MenuPlace, RecordView
from lims.sharing.schemas import ShareLinkIn
from lims.sharing.service import ShareLinkService


class ShareLinkView(RecordView):
    service: ClassVar[Any] = ShareLinkService()
    title = _l("Share links")
    title_one = _l("Share link")
    menu = MenuPlace("customers", order=15, icon="share")
    list_columns = ("name", "trial", "customer", "created_at", "expires_at", "live")
    labels = {"expires_at": _l("Valid until"), "live": _l("Live"), "revoked_at": _l("Revoked")}
    show_sections = (
        (_l("Share link"), ("name", "trial", "customer", "shows", "expires_at", "revoked_at", "live")),
    )

    @expose("/add", methods=["GET", "POST"])
    @permission_name("write")
    def add(self) -> ResponseReturnValue:
        """As every form, but the token is shown once."""
        if request.method == "GET":
            form: ResponseReturnValue = super().add()
            return form
        self.allow("write")
        posted = posted_values(ShareLinkIn, request.form)
        try:
            link, token = self.service.create(
                localise(ShareLinkIn, posted, laboratory_zone()), current_actor()
            )
        except Refused as error:
            return self.render_form(self.form_for(ShareLinkIn, posted, problems=error.problems), None), 422
        flash(_("The token is shown this once: %(token)s", token=token), "info")
        return redirect(url_for("ShareLinkView.show", record_id=link.id))

    @expose("/<int:record_id>/revoke", methods=["POST"])
    @permission_name("write")
    def revoke(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        self.service.revoke(record_id, current_actor())
        flash(_("The link shows nothing any more."), "success")
        return redirect(url_for("ShareLinkView.show", record_id=record_id))


VIEWS = (ShareLinkView,)
