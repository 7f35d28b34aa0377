"""What the web layer adds beside the subjects: pages of its own and the words every template may use."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

from flask import Flask, Response, current_app, request
from flask_appbuilder import AppBuilder
from flask_babel import get_locale
from markupsafe import Markup
from numpy.linalg import LinAlgError
from sqlalchemy.exc import SQLAlchemyError

from lims.audit.log import history_of
from lims.audit.references import PARTS
from lims.base.columns import utc_now
from lims.base.display import format_decimal, show_ages, show_day, show_number, show_time
from lims.base.laboratory import laboratory
from lims.base.names import name_of
from lims.base.problems import Unavailable
from lims.base.security import may, principal
from lims.base.words import cited
from lims.forecasts.notes import in_words
from lims.forecasts.service import forecast_pending
from lims.help.topics import topic_of
from lims.help.views import tour_card
from lims.standards.specimens import loaded_area_mm2
from lims.web.addresses import address, asset, asset_below
from lims.web.api_description import ApiDescriptionView
from lims.web.language import register_language
from lims.web.navigation import menu
from lims.web.offline import register_offline
from lims.web.table_rows import badge, line, value, with_numbers

log = logging.getLogger(__name__)

#: What the entry page sends while it goes on to the next set: it shows no forecast.
ANSWERED_AT_ONCE = {"BreaksView.entries"}


def icon(name: str, classes: str = "") -> Markup:
    """One of the symbols in icons.svg; decoration, so that no reader speaks of it."""
    return _icon(name, classes, request.script_root)


@lru_cache(maxsize=1024)
def _icon(name: str, classes: str, root: str) -> Markup:
    picture = Markup('<svg class="{}" aria-hidden="true"><use href="{}#{}"></use></svg>')
    return picture.format(f"icon {classes}".rstrip(), asset_below("icons.svg", root), name)


def _area(specimen: Any) -> str:
    """mm² under load, for the figure shown while a load is typed."""
    if specimen.width_mm is None or specimen.shape not in {"cube", "cylinder"}:
        return ""
    return f"{loaded_area_mm2(specimen.shape, specimen.width_mm):.6f}"


def _help_topic() -> str:
    """The help page for the page that is being shown."""
    view = current_app.view_functions.get(request.endpoint or "")
    screen = getattr(getattr(view, "__self__", None), "class_permission_name", "")
    return topic_of(screen).name


def register_web(app: Flask, appbuilder: AppBuilder) -> None:
    appbuilder.add_view_no_menu(ApiDescriptionView)
    register_offline(app)
    register_language(app)
    app.jinja_env.globals.update(asset=asset, area=_area, view_decimal=format_decimal, forecast_note=in_words)
    app.jinja_env.globals.update(history_of=history_of, icon=icon, url_for=address)
    app.jinja_env.globals.update(
        state_badge=badge, cell_value=value, table_line=line, with_numbers=with_numbers
    )
    app.jinja_env.globals.update(traceable=lambda name: name not in PARTS and may("read", "trace"))

    @app.after_request
    def _forecast(response: Response) -> Response:
        """The result is committed and safe; now say what it means."""
        if request.method in {"POST", "PUT"} and response.status_code < 400:
            try:
                forecast_pending(wait=request.endpoint not in ANSWERED_AT_ONCE)
            except (Unavailable, SQLAlchemyError, ArithmeticError, LinAlgError):
                log.exception("forecast failed; the result itself is saved")
        return response

    @app.context_processor
    def _words() -> dict[str, Any]:
        facts = laboratory()
        return {
            "appbuilder": appbuilder,
            "laboratory_name": facts.name,
            "facts": facts,
            "menu": menu,
            "help_topic": _help_topic,
            "tour_card": tour_card,
            "printed_at": lambda: show_time(utc_now()),
            "show_time": show_time,
            "cited": cited,
            "name_of": name_of,
            "show_ages": show_ages,
            "show_day": show_day,
            "show_number": show_number,
            "may": may,
            "signed_in": principal(),
            "html_lang": {"zh": "zh-Hans", "zh_Hant_TW": "zh-Hant"}.get(str(get_locale()), "en"),
            "lock_minutes": app.config["LIMS_SETTINGS"].lock_minutes,
        }
