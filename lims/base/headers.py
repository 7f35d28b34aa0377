"""Response headers, CSRF and trusted hosts: once for every page."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, current_app, has_request_context, request
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFProtect

from lims.base.secret_addresses import is_secret
from lims.settings import Settings

#: Everything from the page's own origin; inline scripts only with the request's nonce.
CONTENT_SECURITY_POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


def address_outside() -> str:
    """How links that leave the house begin: LIMS_PUBLIC_URL, else the name that was asked for and the server's own port."""
    settings: Settings = current_app.config["LIMS_SETTINGS"]
    if settings.public_url:
        return settings.public_url.rstrip("/")
    if not has_request_context():
        return f"http://{settings.host}:{settings.port}"
    # The host's name passed TRUSTED_HOSTS; its port did not, so the server's own is taken.
    name = urlsplit(f"//{request.host}").hostname or "localhost"
    name = f"[{name}]" if ":" in name else name
    return f"{request.scheme}://{name}:{settings.port}"


def address_as_asked() -> str:
    """How links begin that the asking person takes along, a calendar's or a label's: LIMS_PUBLIC_URL (they are often made at
    the server itself, which calls itself localhost), else as this request was addressed."""
    settings: Settings = current_app.config["LIMS_SETTINGS"]
    return settings.public_url.rstrip("/") or request.host_url.rstrip("/")


def protect_headers(app: Flask, settings: Settings) -> None:
    app.config["TRUSTED_HOSTS"] = [host.strip() for host in settings.allowed_hosts.split(",") if host.strip()]

    @app.after_request
    def _secret_addresses(response: Response) -> Response:
        # Stands before Talisman's, so it has the last word.
        if is_secret(request.path):
            response.headers["Referrer-Policy"] = "no-referrer"
            response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
            response.headers["Cache-Control"] = "no-store, private"
        return response

    Talisman(
        app,
        content_security_policy=CONTENT_SECURITY_POLICY,
        content_security_policy_nonce_in=["script-src", "style-src"],
        force_https=False,  # the embedded server speaks plain HTTP on loopback; a proxy adds HTTPS
        strict_transport_security=settings.secure_cookies,
        session_cookie_secure=settings.secure_cookies,
        session_cookie_samesite="Lax",
        frame_options="DENY",
        referrer_policy="same-origin",
        permissions_policy={"geolocation": "()", "microphone": "()", "payment": "()", "usb": "()"},
    )

    @app.after_request
    def _no_store(response: Response) -> Response:
        if request.endpoint == "static" or (request.endpoint or "").endswith(".static"):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            # Pages hold unreleased results: no shared cache and no back button after signing out.
            response.headers.setdefault("Cache-Control", "no-store, private")
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response


def protect_forms(app: Flask) -> CSRFProtect:
    """A token for each unsafe request that a cookie could authenticate; bearer tokens bring no cookie rights."""
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    app.config["WTF_CSRF_TIME_LIMIT"] = None  # lives as long as the session: a shift is longer than an hour
    app.config["WTF_CSRF_SSL_STRICT"] = False
    csrf = CSRFProtect(app)

    @app.before_request
    def _check() -> None:
        if request.method in {"GET", "HEAD", "OPTIONS", "TRACE"} or request.endpoint is None:
            return
        if request.headers.get("Authorization"):
            return  # load_user ignores the cookie for these
        if is_secret(request.path):
            return  # the address is the key: no cookie lends rights there, and the form carries a mark of its own
        if request.endpoint == "SignInApi.login":
            return  # exchanges a password for a token; neither reads nor sets a cookie
        csrf.protect()

    return csrf
