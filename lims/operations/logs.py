"""Logs: a line for each request with its number, as text or as JSON. No query strings, no bodies, no secrets.

An address is told by its rule (`/batches/<int:record_id>`) and its whole numbers: share links and the like carry
their secret in the address itself.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import time
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, g, has_request_context, request

from lims.base.secret_addresses import hidden
from lims.base.security import principal
from lims.settings import Settings

log = logging.getLogger("lims.requests")

GIVEN_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
#: What must not stand in a log, whoever wrote it there: keys, bearer tokens, passwords of addresses and forms.
SECRETS = (
    (re.compile(r"lims_[A-Za-z0-9_\-.]{12,}"), "lims_…"),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=\-]{8,}"), r"\1 …"),
    (re.compile(r"\beyJ[A-Za-z0-9_\-]{4,}\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*"), "…"),
    (re.compile(r"(://[^:/@\s]*):[^@\s]+@"), r"\1:…@"),
    (
        re.compile(
            r"(?i)\b(password|passwd|secret|token|csrf_token|sid)(['\"]?\s*[=:]\s*)['\"]?[^\s'\"&,;}]+"
        ),
        r"\1\2…",
    ),
)


def without_secrets(text: str) -> str:
    for pattern, shown in SECRETS:
        text = pattern.sub(shown, text)
    return hidden(text)


class Told(logging.Formatter):
    """A record as one line of text, its secrets taken out."""

    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, "facts", None) or {}
        more = "".join(f" {name}={value}" for name, value in facts.items())
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        # An address may hold the end of a line: what follows it would pass for a line of ours.
        said = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        line = f"{at} {record.levelname} {record.name}: {said}{more}"
        number = _number()
        if number and "request" not in facts:
            line += f" request={number}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return without_secrets(line)


class JsonLine(logging.Formatter):
    """A record as one JSON object, its secrets taken out."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        number = _number()
        if number:
            told["request"] = number
        told.update(getattr(record, "facts", None) or {})
        if record.exc_info:
            told["exception"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False, default=str)


def _number() -> str:
    return str(g.get("request_number", "")) if has_request_context() else ""


def start_logging(settings: Settings) -> None:
    """Logs of this process go to the standard error in the form that was asked for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if settings.log_format == "json" else Told())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def number_requests(app: Flask) -> None:
    """Each request gets a number, which its answer and every line of the log carry."""

    @app.before_request
    def _begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_number = given if GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
        g.request_began = time.perf_counter()

    @app.after_request
    def _end(response: Response) -> Response:
        number = g.get("request_number", "")
        if not number:
            return response
        response.headers["X-Request-Id"] = number
        if request.endpoint != "static" and log.isEnabledFor(logging.INFO):
            log.info("%s %s", request.method, _rule(), extra={"facts": _facts(response)})
        return response


def _rule() -> str:
    return request.url_rule.rule if request.url_rule is not None else "(no such address)"


def _facts(response: Response) -> dict[str, Any]:
    user = g.get("user") or (principal() if g.get("lims_granted") is not None else None)
    facts: dict[str, Any] = {
        "request": g.request_number,
        "status": response.status_code,
        "ms": round((time.perf_counter() - g.request_began) * 1000, 1),
        "user": getattr(user, "id", None),
    }
    numbers = {name: value for name, value in (request.view_args or {}).items() if isinstance(value, int)}
    return {**facts, **numbers}
