"""What the web layer adds beside the subjects: pages of its own and the words every template may use."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_appbuilder import AppBuilder
from flask_babel import get_locale

from lims.base.security import may, principal
from lims.web.api_description import ApiDescriptionView


def register_web(app: Flask, appbuilder: AppBuilder) -> None:
    appbuilder.add_view_no_menu(ApiDescriptionView)

    @app.context_processor
    def _words() -> dict[str, Any]:
        locale = get_locale()
        return {
            "may": may,
            "signed_in": principal(),
            "html_lang": {"zh": "zh-Hans", "zh_TW": "zh-Hant"}.get(str(locale), "en"),
            "demo_mode": app.config["LIMS_DEMO"],
        }
