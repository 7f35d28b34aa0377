"""Who asked, when a proxy asked for them: believed of so many proxies as LIMS_PROXIES says, and of nobody without it."""

from __future__ import annotations

import http.client
import os
import shutil
from pathlib import Path

import pytest
from flask import request

from lims.app import create_app
from lims.settings import Settings
from tests.browser import free_port
from tests.operations.test_family import Server, started

#: What came by two proxies: the caller says the first, the outer proxy adds the second, the inner one the third.
CAME_BY = "203.0.113.9, 198.51.100.7, 192.0.2.1"


@pytest.mark.parametrize(
    ("proxies", "address", "scheme"),
    [(0, "127.0.0.1", "http"), (1, "192.0.2.1", "https"), (2, "198.51.100.7", "https")],
)
def test_caller_is_who_the_outermost_of_our_proxies_was_asked_by_and_never_what_they_say_of_themselves(
    tmp_path: Path, proxies: int, address: str, scheme: str
) -> None:
    app = create_app(Settings(data=tmp_path, proxies=proxies))
    seen: list[tuple[str | None, str, str]] = []

    @app.before_request
    def _note() -> None:
        seen.append((request.remote_addr, request.scheme, request.host))

    headers = {
        "X-Forwarded-For": CAME_BY,
        "X-Forwarded-Proto": "https, https",
        "X-Forwarded-Host": "evil.example",
    }
    assert app.test_client().get("/healthz", headers=headers).status_code == 200
    assert seen == [(address, scheme, "localhost")]


def _tries(server: Server, caller: str) -> int:
    """A wrong password, as a proxy hands it on. Returns the status."""
    connection = server.connect()
    body = '{"username": "nobody", "password": "wrong", "provider": "db"}'
    headers = {"Content-Type": "application/json", "X-Forwarded-For": caller}
    try:
        connection.request("POST", "/api/v1/security/login", body, headers=headers)
        answer: http.client.HTTPResponse = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="gunicorn does not run on Windows")
@pytest.mark.parametrize("command", ["lims serve", "gunicorn"])
def test_wrong_passwords_of_one_person_behind_the_proxy_make_nobody_else_wait(
    initialised: Path, tmp_path: Path, command: str
) -> None:
    data, port = tmp_path / "data", free_port()
    shutil.copytree(initialised, data)
    given = {"LIMS_HOST": "127.0.0.1", "LIMS_PORT": str(port), "LIMS_PROXIES": "1"}
    given |= {"LIMS_LOGIN_RATE_LIMIT": "2 per hour"}
    words = command.split()
    if command == "gunicorn":
        words += ["--config", "docs/deploy/gunicorn.conf.py", "lims.wsgi:app"]
    with started(words, port, data, **given) as server:
        assert [_tries(server, "198.51.100.7") for _try in range(3)] == [401, 401, 429]
        assert _tries(server, "198.51.100.8") == 401
        # What a caller adds before the proxy's own word changes nothing.
        assert _tries(server, "203.0.113.9, 198.51.100.7") == 429
