"""Start-up checks, health, metrics, logs, and a stop that ends no request that has begun."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shutil
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask import Flask, g
from pydantic import ValidationError
from sqlalchemy.engine import make_url

from lims.accounts.roles import TECHNICIAN
from lims.app import create_app
from lims.base.actor import system_actor
from lims.base.database import current_session, database, sqlite_module
from lims.base.jobs import KINDS, Job, enqueue, job_kind
from lims.base.migration import head_revision
from lims.base.problems import Refused
from lims.base.reading import not_only_reading
from lims.base.services import SERVICES
from lims.base.words import LANGUAGES
from lims.cli import sentences
from lims.operations.checks import configuration_problems, database_problems
from lims.operations.logs import JsonLine, Told, without_secrets
from lims.operations.serving import Stop, _stop_on_signals
from lims.operations.surroundings import unknown_settings
from lims.settings import Settings, database_name
from tests.browser import free_port
from tests.conftest import Person
from tests.programs import Program, lims, run

TOKEN = "correct-horse-battery-staple"


# --- configuration -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secret_key", "secret"),
        ("secret_key", "changeme-changeme-changeme-changeme-changeme"),
        ("secret_key", "a" * 64),
        ("metrics_token", "short"),
        ("allowed_hosts", "*"),
        ("allowed_hosts", " , "),
        ("database_url", "mysql://localhost/lims"),
        ("database_url", "postgres"),
        ("verify_database_url", "sqlite:///proof.sqlite3"),
        ("verify_database_url", "proof"),
    ],
)
def test_setting_that_is_not_safe_is_refused_with_what_is_accepted(
    tmp_path: Path, name: str, value: str
) -> None:
    found = configuration_problems(Settings(data=tmp_path, **{name: value}))  # type: ignore[arg-type]
    assert [problem.field for problem in found] == [f"LIMS_{name.upper()}"]
    assert "accepted" in found[0].message
    assert configuration_problems(Settings(data=tmp_path)) == []


def test_demonstration_is_not_served_to_the_network(tmp_path: Path) -> None:
    found = configuration_problems(Settings(data=tmp_path, demo=True, host="0.0.0.0"))  # noqa: S104
    assert [problem.field for problem in found] == ["LIMS_HOST"]


def test_key_that_others_may_read_is_told(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    settings.resolve_secret_key()
    assert configuration_problems(settings) == []
    (tmp_path / "secret.key").chmod(0o644)
    assert "chmod 600" in configuration_problems(settings)[0].message


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    found = configuration_problems(Settings(data=tmp_path / "file" / "below"))
    assert [problem.field for problem in found] == ["LIMS_DATA"]


def test_database_that_is_absent_empty_or_old_is_told_with_the_command_that_helps(
    initialised: Path, tmp_path: Path
) -> None:
    assert "lims init" in database_problems(Settings(data=tmp_path))[0].message
    unreachable = Settings(data=tmp_path, database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert "cannot be reached" in database_problems(unreachable)[0].message
    assert database_problems(Settings(data=initialised)) == []


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_nothing_starts_on_a_wrong_configuration(tmp_path: Path, command: str) -> None:
    found = lims(command, data=tmp_path, LIMS_SECRET_KEY="secret", LIMS_ALLOWED_HOSTS="*")
    assert found.returncode == 2
    assert "LIMS_SECRET_KEY" in found.stderr
    assert "LIMS_ALLOWED_HOSTS" in found.stderr
    assert "Traceback" not in found.stderr
    assert "secret)" not in found.stderr  # the secret itself is not repeated
    empty = lims(command, data=tmp_path)
    assert empty.returncode == 2
    assert "lims init" in empty.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            ("login_rate_limit", wrong)
            for wrong in ("", " ", "10", "10/min", "10 per 5 min", "0 per minute", "x")
        ],
        *[
            ("redis_url", wrong)
            for wrong in ("localhost:6379", "redis//:hunter22@h", "redis://h/lims", "redis://h:x")
        ],
        *[
            ("public_url", wrong)
            for wrong in ("lims.example.com", "https://", "ftp://h", "https://h?x=1", "https://h:x")
        ],
        *[
            ("allowed_hosts", wrong)
            for wrong in ("https://lims.example.com", "localhost,lims/", "lims.example.com localhost", "a@b")
        ],
        *[
            ("smtp_from", wrong)
            for wrong in ("", "lims", "lims@", "@works", "a@b, c@d", "Works <lims>", "a b@c", "a@b\nBcc: c@d")
        ],
    ],
)
def test_mistyped_limit_or_address_is_refused_with_what_is_accepted(name: str, value: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(**{name: value})  # type: ignore[arg-type]
    told = sentences(refused.value)
    assert len(told) == 1
    assert told[0].startswith(f"LIMS_{name.upper()}")
    assert "accepted: " in told[0]
    assert "hunter22" not in told[0] + str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            ("login_rate_limit", right)
            for right in ("10 per minute", "5/hour", "10 per 5 minutes; 100 per day")
        ],
        *[
            ("redis_url", right)
            for right in ("", "redis://:a@b:6379/0", "rediss://h", "unix:///run/redis.sock?db=1")
        ],
        *[
            ("allowed_hosts", right)
            for right in ("lims.works.example, localhost,[::1]", "混凝土.example,", "*")
        ],
        *[
            ("smtp_from", right)
            for right in ("lims@localhost", "a.b+c@works.example", "Concrete laboratory <lims@works.example>")
        ],
        *[("language", right) for right in LANGUAGES],
        *[("public_url", right) for right in ("", "https://lims.example.com/", "http://[::1]:8000/lims")],
    ],
)
def test_limit_or_address_that_works_is_accepted(name: str, value: str) -> None:
    assert getattr(Settings(**{name: value}), name) == value  # type: ignore[arg-type]


def test_language_that_is_not_offered_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(language="zh_Hant_TW")  # type: ignore[arg-type]
    told = sentences(refused.value)
    assert told == ["LIMS_LANGUAGE='zh_Hant_TW': Input should be 'en', 'zh' or 'zh_TW'"]
    assert set(LANGUAGES) == {"en", "zh", "zh_TW"}


def test_name_that_is_no_setting_is_told_and_those_of_tools_are_not() -> None:
    given = {
        "LIMS_SECURE_COOKIE": "true",
        "LIMS_WORKERS": "hunter22",
        "lims_prots": "8000",
        "LIMS_SECURE_COOKIES": "true",
        "lims_port": "8000",
        "LIMS_BIND": "unix:/run/lims/web.sock",
        "LIMS_MOVE_TO": "postgresql+psycopg://h/d",
        "LIMS_FAULTS": "1",
        "LIMS_LOAD_PEOPLE": "50",
        "PATH": "/bin",
    }
    told = sentences(Refused(unknown_settings(given)))
    assert told == [
        "LIMS_SECURE_COOKIE: is no setting and changes nothing; is LIMS_SECURE_COOKIES meant?",
        "LIMS_WORKERS: is no setting and changes nothing; the settings stand in lims/settings.py",
        "lims_prots: is no setting and changes nothing; is LIMS_PORT meant?",
    ]


def test_check_and_every_start_name_what_is_no_setting(initialised: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(initialised, data)
    said = "LIMS_SECURE_COOKIE: is no setting and changes nothing; is LIMS_SECURE_COOKIES meant?"
    checked = lims("check", data=data, LIMS_SECURE_COOKIE="true")
    assert (checked.returncode, checked.stderr.strip()) == (0, said)
    assert checked.stdout.startswith("all else well")
    assert said in lims("worker", "--once", data=data, LIMS_SECURE_COOKIE="true").stderr
    port = free_port()
    for command in (
        ["lims", "serve"],
        ["gunicorn", "--config", "docs/deploy/gunicorn.conf.py", "lims.wsgi:app"],
    ):
        given = {"LIMS_DATA": str(data), "LIMS_PORT": str(port), "LIMS_PROCESSES": "1"}
        given["LIMS_SECURE_COOKIE"] = "true"
        with Program(["-m", *command], {**os.environ, **given}) as server:
            try:
                lines = iter(server.stderr.readline, "")
                assert any(line.rstrip().endswith(said) for line in lines), command
            finally:
                server.kill()


@pytest.mark.parametrize("host", ["192.0.2.1", "lims..example"])
def test_address_that_is_none_of_this_machine_is_told_by_its_own_name(
    initialised: Path, tmp_path: Path, host: str
) -> None:
    data = tmp_path / "data"
    shutil.copytree(initialised, data)
    found = lims("serve", data=data, LIMS_HOST=host, LIMS_PORT=str(free_port()))
    assert found.returncode == 2
    assert f"LIMS_HOST={host}: cannot listen on it (" in found.stderr
    assert "accepted: an address or name of this machine" in found.stderr
    assert "Traceback" not in found.stderr


def test_check_says_that_redis_does_not_answer_and_that_people_can_go_on(
    initialised: Path, tmp_path: Path
) -> None:
    shutil.copytree(initialised, tmp_path / "data")
    address = f"redis://:hunter22@127.0.0.1:{free_port()}/0"
    found = lims("check", data=tmp_path / "data", LIMS_REDIS_URL=address)
    assert found.returncode == 0
    assert "LIMS_REDIS_URL: Redis does not answer, jobs wait" in found.stderr
    assert "hunter22" not in found.stderr + found.stdout
    assert found.stdout.startswith("all else well")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="gunicorn does not run on Windows")
@pytest.mark.parametrize(
    ("name", "value"),
    [("LIMS_LOGIN_RATE_LIMIT", "10/min"), ("LIMS_SECRET_KEY", "secret")],
    ids=["value", "unsafe"],
)
def test_gunicorn_ends_on_a_wrong_configuration_with_a_sentence(
    tmp_path: Path, name: str, value: str
) -> None:
    given = {"LIMS_DATA": str(tmp_path), "LIMS_BIND": f"127.0.0.1:{free_port()}", name: value}
    command = ["-m", "gunicorn", "--config", "docs/deploy/gunicorn.conf.py", "lims.wsgi:app"]
    found = run(command, {**os.environ, **given})
    assert found.returncode == 1
    assert name in found.stderr
    assert "accepted: " in found.stderr
    assert "Traceback" not in found.stderr


# --- passwords ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://lims:hunter22@db/lims", "lims"),
        ("postgresql+psycopg://db/lims?user=lims&password=hunter22", "lims"),
        ("postgresql+psycopg:///?host=db&dbname=lims&password=hunter22", ""),
        ("sqlite:////var/lib/lims/lims.sqlite3", "/var/lib/lims/lims.sqlite3"),
        ("hunter22", ""),
        ("postgresql+psycopg://lims:hunter22@db:port/lims", ""),
    ],
)
def test_of_an_address_the_name_of_the_database_alone_is_shown(url: str, shown: str) -> None:
    assert database_name(url) == shown


@pytest.mark.postgresql
def test_init_shows_no_password_wherever_it_stands_in_the_address(
    postgresql_url: str, tmp_path: Path
) -> None:
    joined = "&" if "?" in postgresql_url else "?"
    address = f"{postgresql_url}{joined}password=hunter22"
    found = lims("init", data=tmp_path, LIMS_DATABASE_URL=address)
    assert (found.returncode, found.stdout) == (0, f"ready: {make_url(postgresql_url).database}\n")
    assert "hunter22" not in found.stderr
    again = lims("move", data=_prepared(tmp_path), LIMS_MOVE_TO=address)
    assert again.returncode == 2
    assert "--to: this database is not empty" in again.stderr
    assert f"({make_url(postgresql_url).database})" in again.stderr
    assert "hunter22" not in again.stderr


def _prepared(folder: Path) -> Path:
    """A laboratory over SQLite, as much of it as a move looks at before its target."""
    data = folder / "sqlite"
    data.mkdir()
    with closing(sqlite_module().connect(str(data / "lims.sqlite3"))) as made:
        made.execute("CREATE TABLE alembic_version (version_num)")
        made.execute("INSERT INTO alembic_version VALUES (?)", (head_revision(),))
        made.commit()
    return data


@pytest.mark.parametrize(
    "target", ["mysql://db/lims?password=hunter22", "mysql://lims:hunter22@db/lims", "hunter22"]
)
def test_target_of_a_move_comes_from_the_environment_and_its_password_is_not_shown(
    tmp_path: Path, target: str
) -> None:
    found = lims("move", data=_prepared(tmp_path), LIMS_MOVE_TO=target)
    assert found.returncode == 2
    assert found.stderr.startswith("--to: is not accepted; accepted: postgresql+psycopg://")
    assert "hunter22" not in found.stderr


# --- health and metrics --------------------------------------------------------------------------------------


def test_alive_asks_nothing_of_the_database_and_ready_asks_all(app: Flask, count_sql: Any) -> None:
    client = app.test_client()
    with count_sql() as seen:
        assert client.get("/healthz").get_json() == {"status": "alive"}
    assert seen == []
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ready", "wrong": []})


def test_database_of_another_version_is_not_ready(app: Flask) -> None:
    with app.app_context(), not_only_reading(database().engine).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.get_json()["wrong"]) == (503, ["migrations"])


AWAY = "postgresql+psycopg://nobody@127.0.0.1:1/none"


def test_database_that_is_away_is_not_ready(app: Flask) -> None:
    app.extensions["lims.database"].point_at(AWAY)
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").get_json() == {"status": "unready", "wrong": ["database"]}


def test_metrics_are_for_the_bearer_of_the_token_alone(initialised: Path, app: Flask) -> None:
    assert app.test_client().get("/metrics").status_code == 404  # no token is set
    settings: Settings = app.config["LIMS_SETTINGS"]
    app.config["LIMS_SETTINGS"] = settings.model_copy(update={"metrics_token": TOKEN})
    client = app.test_client()
    for wrong in ({}, {"Authorization": "Bearer wrong-horse"}, {"Authorization": TOKEN}):
        assert client.get("/metrics", headers=wrong).status_code == 404
    client.get("/healthz")
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    told = answer.get_data(as_text=True)
    assert answer.status_code == 200
    counted = re.search(r'lims_requests_total{method="GET",page="health.healthz",status="200"} (\d+)', told)
    assert counted is not None
    assert int(counted.group(1)) >= 1
    assert 'lims_request_seconds_bucket{le="0.3",page="health.healthz"}' in told
    assert "lims_ready 1.0" in told
    assert "lims_last_backup_timestamp_seconds 0.0" in told


def test_words_that_a_caller_makes_up_in_place_of_a_method_are_counted_as_one(app: Flask) -> None:
    """Each would stay in the memory of the process, and in every answer of the page."""
    settings: Settings = app.config["LIMS_SETTINGS"]
    app.config["LIMS_SETTINGS"] = settings.model_copy(update={"metrics_token": TOKEN})
    client = app.test_client()
    for number in range(3):
        assert client.open("/healthz", method=f"BREW{number}").status_code == 405
    told = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).get_data(as_text=True)
    assert "BREW" not in told
    assert 'lims_requests_total{method="other",page="none",status="405"}' in told


def test_metrics_are_served_while_the_database_is_away(tmp_path: Path) -> None:
    client = create_app(Settings(data=tmp_path, database_url=AWAY, metrics_token=TOKEN)).test_client()
    client.get("/healthz")
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    told = answer.get_data(as_text=True)
    assert 'lims_requests_total{method="GET",page="health.healthz",status="200"}' in told
    assert "lims_ready 0.0" in told
    assert "lims_last_backup_timestamp_seconds 0.0" in told
    assert "lims_jobs" not in told  # nobody knows


def test_metrics_say_at_once_that_the_database_went(app: Flask) -> None:
    settings: Settings = app.config["LIMS_SETTINGS"]
    app.config["LIMS_SETTINGS"] = settings.model_copy(update={"metrics_token": TOKEN})
    client, bearer = app.test_client(), {"Authorization": f"Bearer {TOKEN}"}
    assert "lims_ready 1.0" in client.get("/metrics", headers=bearer).get_data(as_text=True)
    app.extensions["lims.database"].point_at(AWAY)
    answer = client.get("/metrics", headers=bearer)  # while the answer of before is still good
    assert answer.status_code == 200
    assert "lims_ready 0.0" in answer.get_data(as_text=True)


# --- logs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret",
    [
        "Authorization: Bearer abcdefghijklmnop",
        "postgresql+psycopg://lims:hunter22secret@db/lims",
        "redis://:hunter22secret@cache:6379/0",
        "password=hunter22secret&username=x",
        '{"password": "hunter22secret"}',
        "key lims_hunter22secret0000",
        "eyJhbGciOi.hunter22secret.abc",
        "csrf_token=hunter22secret",
    ],
)
def test_secret_in_a_message_does_not_reach_the_log(secret: str) -> None:
    told = without_secrets(f"before {secret} after")
    assert "hunter22" not in told
    assert "abcdefghijklmnop" not in told
    assert told.startswith("before")


def _heard(app: Flask, formatter: logging.Formatter, ask: Any) -> str:
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    handler.setFormatter(formatter)
    logger = logging.getLogger("lims")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        ask()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    return heard.getvalue()


def test_line_of_a_request_is_json_with_its_number_and_without_what_was_typed(
    app: Flask, technician: Person
) -> None:
    answers: list[Any] = []

    def ask() -> None:
        given = {"X-Request-Id": "trace-0123456789"}
        answers.append(technician.get("/customers/?q=hunter22secret", headers=given))
        answers.append(technician.get("/no-such-page/hunter22secret"))

    lines = [json.loads(line) for line in _heard(app, JsonLine(), ask).splitlines()]
    requests = [line for line in lines if line["logger"] == "lims.requests"]
    assert [line["message"] for line in requests] == ["GET /customers/", "GET (no such address)"]
    assert requests[0]["request"] == "trace-0123456789" == answers[0].headers["X-Request-Id"]
    assert requests[1]["request"] == answers[1].headers["X-Request-Id"]
    assert requests[0]["status"] == 200
    assert requests[0]["ms"] > 0
    assert isinstance(requests[0]["user"], int)
    assert "hunter22" not in json.dumps(lines)


def test_request_number_that_could_forge_a_line_is_not_taken_over(app: Flask) -> None:
    answer = app.test_client().get("/healthz", headers={"X-Request-Id": "a b\tlevel=error"})
    assert answer.headers["X-Request-Id"] != "a b\tlevel=error"


def test_end_of_a_line_in_an_address_begins_no_line_of_the_log(app: Flask, technician: Person) -> None:
    heard = _heard(
        app, Told(), lambda: technician.get("/trace/share-links%0A2026-11-30 ERROR lims: forged/1")
    )
    assert "forged" in heard
    assert not [line for line in heard.splitlines() if line.startswith("2026-11-30 ERROR lims: forged")]


def test_mistake_in_the_log_carries_the_number_that_the_answer_carries(app: Flask) -> None:
    with app.test_request_context("/"):
        g.request_number = "0123456789abcdef"
        record = logging.LogRecord("lims.x", logging.ERROR, "", 1, "password=%s", ("hunter22",), None)
        assert Told().format(record).endswith("password=… request=0123456789abcdef")


# --- stopping --------------------------------------------------------------------------------------------------

SLOW = """
import sys, time
from lims.app import create_app
from lims.operations.serving import serve
from lims.settings import Settings
settings = Settings()
app = create_app(settings)
@app.get("/slow")
def slow():
    print("begun", flush=True)
    time.sleep(1.5)
    return "x" * 2_000_000
print("ready", flush=True)
serve(app, settings)
"""


@pytest.mark.parametrize("processes", ["1", "2"])
def test_sigterm_lets_a_begun_request_end_and_takes_no_new_one(
    initialised: Path, tmp_path: Path, processes: str
) -> None:
    data = tmp_path / "data"
    shutil.copytree(initialised, data)
    port = free_port()
    environment = {**os.environ, "LIMS_DATA": str(data), "LIMS_PORT": str(port), "LIMS_WORKER_THREADS": "0"}
    environment["LIMS_PROCESSES"] = processes
    with Program(["-c", SLOW], environment) as server:
        assert server.stdout.readline() == "ready\n"
        _wait_for(port)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as asking:
            asking.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert server.stdout.readline() == "begun\n"
            for one in [*psutil.Process(server.pid).children(), server]:  # systemd tells all of them
                one.send_signal(signal.SIGTERM)
            _wait_until_refused(port)  # while the answer, which nobody has read, is still on its way
            answer = b""
            while block := asking.recv(1 << 20):
                answer += block
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"x" * 1000)
        assert len(answer) > 2_000_000
        assert server.wait(timeout=20) == 0


JOB = """
import sys, threading
from datetime import timedelta
from lims.base import jobs
from lims.base.database import transaction
from lims.base.services import SERVICES
jobs.GIVEN_UP_AFTER = timedelta(seconds=1)
jobs.BEAT_SECONDS = 0.2

@jobs.job_kind("stop-customers", title="Test")
def customers(job):
    with transaction(job.actor, "stop") as session:
        SERVICES["customers"].add({"code": "K-STOP", "name": "x"}, job.actor)
        print("written", flush=True)
        if sys.argv[1] == "hang":
            threading.Event().wait()
    return {"message": "done"}

from lims.commands import serve
serve([])
"""


@contextmanager
def _serving_jobs(data: Path, how: str, processes: str, stop_seconds: int) -> Iterator[Program]:
    """A server that runs jobs, once it has begun the one that waits."""
    given = {"LIMS_DATA": str(data), "LIMS_PORT": str(free_port()), "LIMS_STOP_SECONDS": str(stop_seconds)}
    with Program(["-c", JOB, how], {**os.environ, **given, "LIMS_PROCESSES": processes}) as server:
        try:
            assert server.stdout.readline() == "written\n"
            yield server
        finally:
            server.kill()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(
    ("processes", "signals", "stop_seconds"),
    [("1", 1, 1), ("2", 1, 1), ("1", 3, 600), ("2", 2, 600)],
    ids=["one is told", "family is told", "one is told thrice", "family is told twice"],
)
def test_stop_ends_though_a_job_goes_on_and_the_job_runs_again_once_in_the_next(
    app: Flask, processes: str, signals: int, stop_seconds: int
) -> None:
    data = app.config["LIMS_SETTINGS"].data
    job_kind("stop-customers", title="Test")(lambda job: None)
    try:
        with app.app_context():
            job_id = enqueue("stop-customers", {}, system_actor("asker")).id
        with _serving_jobs(data, "hang", processes, stop_seconds) as first:
            for number in range(signals):
                if number == 1:  # whoever is told a third time is already leaving
                    _until_it_stops(first)
                first.send_signal(signal.SIGTERM)
            _out, told = first.communicate(timeout=30)
        ended = time.monotonic()
        assert first.returncode == 0, told
        assert "Traceback" not in told
        assert "is killed" not in told  # by its parent
        while time.monotonic() - ended < 1.2:
            time.sleep(0.02)  # its last sign of life grows old; who starts earlier looks again after a minute
        with _serving_jobs(data, "run", processes, 20) as second:
            state, attempts = _ended(app, job_id)
            second.send_signal(signal.SIGTERM)
            _out, told = second.communicate(timeout=30)
        assert (state, attempts, second.returncode) == ("done", 2, 0), told
        with app.app_context():
            assert SERVICES["customers"].page().total == 1
    finally:
        del KINDS["stop-customers"]


def test_second_signal_in_the_middle_of_a_line_of_the_log_is_not_lost() -> None:
    class Interrupted(io.StringIO):
        def write(self, text: str) -> int:
            signal.raise_signal(signal.SIGTERM)
            return super().write(text)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    logger = logging.Logger("lims.test")
    logger.addHandler(logging.StreamHandler(Interrupted()))
    try:
        told = _stop_on_signals()
        logger.info("first")
        with pytest.raises(Stop):
            logger.info("second")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert told == [signal.SIGTERM] * 2


def _until_it_stops(server: Program) -> None:
    while "stopping" not in server.stderr.readline():
        assert server.poll() is None


def _ended(app: Flask, job_id: int) -> tuple[str, int]:
    until = time.monotonic() + 60
    while True:
        with app.app_context():
            job = current_session().get(Job, job_id)
            assert job is not None
            if job.state == "done" or time.monotonic() > until:
                return job.state, job.attempts
        time.sleep(0.02)  # who runs it needs the processor


def _wait_until_refused(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except ConnectionResetError:
            continue  # who knocks in the very moment of closing
        except ConnectionRefusedError:
            return
        time.sleep(0.005)
    raise AssertionError("a server that stops takes connections")


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)  # who starts needs the processor
    raise AssertionError("the server did not start")


def test_actor_of_the_clock_is_a_system_actor() -> None:
    assert system_actor("clock").user_id is None


def test_person_of_a_role_may_not_read_metrics_by_cookie(app: Flask, sign_in_as: Any) -> None:
    assert sign_in_as(TECHNICIAN).get("/metrics").status_code == 404
