"""create_app(): settings -> database -> base -> subjects -> web. Nothing else."""

from __future__ import annotations

import gc
from datetime import timedelta
from pathlib import Path

from flask import Flask, request
from flask_appbuilder import AppBuilder
from werkzeug.middleware.proxy_fix import ProxyFix

import lims.base.metadata
import lims.base.rate_limits  # its storage is found by name
import lims.records  # noqa: F401 - every table
from lims.base.database import Database
from lims.base.denials import register_denials
from lims.base.errors import register_error_pages
from lims.base.headers import protect_forms, protect_headers
from lims.base.routes import KeyConverter, LazyRule
from lims.base.secret_addresses import hide_in_logs
from lims.base.security import LimsSecurityManager
from lims.base.sessions import PageSessions
from lims.base.words import LANGUAGES, keep_translations
from lims.operations.health import watch_requests
from lims.operations.logs import number_requests
from lims.settings import GC_THRESHOLD, Settings
from lims.subjects import register_subjects
from lims.web.templating import compile_by_language

#: Bytes of an upload on the import page: a workbook for a job (lims/importing/workbooks.py) and its form.
LARGEST_WORKBOOK = 65_000_000
WEB = Path(__file__).parent / "web"
TRANSLATIONS = Path(__file__).parent / "translations"


def create_app(settings: Settings | None = None) -> Flask:
    """The application. Runs no SQL: `lims init` prepares the database, web workers only use it."""
    settings = settings or Settings()
    gc.set_threshold(*GC_THRESHOLD)
    app = Flask("lims", template_folder=str(WEB / "templates"), static_folder=str(WEB / "static"))
    app.url_rule_class = LazyRule
    app.url_map.converters["int"] = KeyConverter
    app.config.update(flask_config(settings))
    if settings.proxies:  # who asked, and by HTTPS or not; the name that was asked for stands in Host
        behind = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=0)
        setattr(app, "wsgi_app", behind)  # noqa: B010 - as Werkzeug's documentation has it
    app.session_interface = PageSessions()
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    compile_by_language(app)
    Database(settings.sqlalchemy_url).init_app(app)
    hide_in_logs()
    allow_large_workbooks(app)
    number_requests(app)
    watch_requests(app)
    protect_headers(app, settings)
    protect_forms(app)
    register_error_pages(app)
    register_denials(app)
    with app.app_context():
        from lims.web.home import HomeView

        appbuilder = AppBuilder(
            indexview=HomeView,
            security_manager_class=LimsSecurityManager,
            base_template="appbuilder/base.html",
            update_perms=False,
        )
        database: Database = app.extensions["lims.database"]
        appbuilder.init_app(app, database.session)
        keep_translations(app)
        register_subjects(appbuilder)
        from lims.web.register import register_web

        register_web(app, appbuilder)
    return app


def allow_large_workbooks(app: Flask) -> None:
    """The import page takes larger files than any other; registered before whatever reads a form."""

    @app.before_request
    def _raise() -> None:
        if request.path == "/import/":
            request.max_content_length = LARGEST_WORKBOOK


def _signing_key(settings: Settings) -> str:
    """What a demonstration signs (sessions, tokens) holds in a demonstration alone: everybody may sign in there, and its
    data may be served to a network afterwards."""
    key = settings.resolve_secret_key()
    return f"demonstration:{key}" if settings.demo else key


def flask_config(settings: Settings) -> dict[str, object]:
    """Our settings in the words of Flask and its extensions."""
    hosts = [host.strip() for host in settings.allowed_hosts.split(",") if host.strip()]
    return {
        "SECRET_KEY": _signing_key(settings),
        "MAX_CONTENT_LENGTH": 16_000_000,
        "MAX_FORM_MEMORY_SIZE": 2_000_000,
        "MAX_FORM_PARTS": 2_000,
        "PERMANENT_SESSION_LIFETIME": timedelta(minutes=settings.session_idle_minutes),
        "SESSION_COOKIE_NAME": "lims_session",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": settings.secure_cookies,
        "APP_NAME": "Concrete trials",
        "FAB_CREATE_DB": False,
        "FAB_UPDATE_PERMS": False,
        "FAB_ADD_SECURITY_VIEWS": True,
        "FAB_ADD_SECURITY_API": False,
        "FAB_ADD_MENU_API": False,
        "FAB_ADD_OPENAPI_VIEWS": False,  # ours stands in lims/web/api_description.py, under its own permission
        "FAB_API_KEY_ENABLED": True,
        "FAB_API_KEY_PREFIXES": ["lims_"],
        "FAB_SAFE_REDIRECT_HOSTS": hosts,
        "AUTH_TYPE": 1,
        "AUTH_RATE_LIMITED": False,  # ours counts failures only (lims/base/security.py)
        "RATELIMIT_ENABLED": True,
        "RATELIMIT_STORAGE_URI": "lims-file://",  # lims/base/rate_limits.py: one count for all processes
        "RATELIMIT_STORAGE_OPTIONS": {"path": str(settings.data / "rate-limits.sqlite3")},
        "RATELIMIT_HEADERS_ENABLED": False,
        "LIMS_LOGIN_RATE_LIMIT": settings.login_rate_limit,
        "JWT_ACCESS_TOKEN_EXPIRES": timedelta(minutes=settings.token_minutes),
        "JWT_TOKEN_LOCATION": ["headers"],
        "LANGUAGES": {key: {"name": name} for key, name in LANGUAGES.items()},
        "BABEL_DEFAULT_LOCALE": settings.language,
        "BABEL_DEFAULT_TIMEZONE": settings.timezone,
        "BABEL_TRANSLATION_DIRECTORIES": str(TRANSLATIONS),
        "LIMS_SETTINGS": settings,
        "LIMS_DEMO": settings.demo,
        "LIMS_TIMEZONE": settings.timezone,
        "LIMS_LABORATORY": settings.laboratory,
        "LIMS_PLAN_AGES": settings.plan_ages,
        "LIMS_CUBIC_METRES_PER_SET": settings.cubic_metres_per_set,
        "LIMS_BAG_KG": settings.bag_kg,
        "LIMS_DATA": settings.data,
    }
