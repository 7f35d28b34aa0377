"""Every switch of the installation, its default and why. Each is read from the environment as LIMS_<NAME>."""

from __future__ import annotations

import email.policy
import os
import re
import secrets
import ssl
import sys
from email.errors import MessageError
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lims.base.key_files import kept_key
from lims.base.problems import refuse

#: Of Python's collector. Starting and importing make a million objects that live on, and the default looks at them again
#: for every 700 more: a sixth of an import's time, a tenth of a start's. Requests leave hardly a cycle behind.
GC_THRESHOLD = (50_000, 20, 50)
#: Unless a number is given: an interpreter computes on one core, and SQLite has one writer.
MOST_PROCESSES = 4
#: Of an address beside its name.
NOT_IN_A_NAME = re.compile(r"[\s/\\@?#]")
#: File of the key that signs sessions, in the data folder.
SESSIONS_KEY = "secret.key"
#: Characters of a secret that cannot be guessed.
SHORTEST_SECRET = 32
#: Key of the own mixes where nobody gave the laboratory a name.
UNNAMED_LABORATORY = "own"
#: Tells the Prometheus library in which folder processes count together, when it is first imported.
SHARED_COUNTERS = "PROMETHEUS_MULTIPROC_DIR"


class Settings(BaseSettings):
    """What an installation may choose."""

    model_config = SettingsConfigDict(env_prefix="LIMS_", extra="ignore", hide_input_in_errors=True)

    #: Folder of the embedded database with its jobs and counters, the keys and the laboratory's own layouts; uploaded files
    #: stand in the database. Kept out of the program's folder in production so that an upgrade cannot touch data.
    data: Path = Path("var")
    #: Empty: SQLite inside `data`. A PostgreSQL address: `postgresql+psycopg://user:password@host/name`.
    database_url: str = ""
    #: Loopback by default: a laboratory that serves its network says so.
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    #: Signs sessions and tokens. Empty: made once and kept in `data/secret.key`, readable by the owner alone.
    secret_key: str = ""
    #: Names that may stand in the Host header; guards redirects against a poisoned one.
    allowed_hosts: str = "127.0.0.1,localhost,[::1]"
    #: How people outside reach this server, e.g. `https://lims.example.com`: so begin links that are shared and addresses on
    #: certificates. Empty: the name it was asked by (one of `allowed_hosts`) and `port`.
    public_url: str = ""
    #: Proxies in front, each of which adds to X-Forwarded-For who asked it. 0: nobody's word is taken for it, and whoever
    #: comes by a proxy has its address: one person's wrong passwords would make all of them wait.
    proxies: int = Field(default=0, ge=0, le=8)
    #: Cookies only over HTTPS. Off for the embedded server on loopback, which speaks plain HTTP.
    secure_cookies: bool = False
    #: How the laboratory's clock reads; stored times are always UTC. This, the language and the ages below stand in until
    #: the set-up guide has stored the laboratory's own.
    timezone: str = "Asia/Shanghai"
    language: Literal["en", "zh", "zh_TW"] = "en"
    #: The laboratory's name in forecasts and checkpoints, stored with each of its own mixes: changed later, those of before
    #: count as another laboratory's.
    laboratory: str = UNNAMED_LABORATORY
    #: A set for each this many cubic metres or part of them (the source document asks for 50), unless the laboratory has an
    #: edition of its own of the rule site/sets-per-volume.
    cubic_metres_per_set: int = Field(default=50, ge=1, le=1000)
    #: Ages of the sampling plan, days.
    plan_ages_days: str = "3,7,28"
    #: Mass of a bag of cement: comparisons also count in bags.
    bag_kg: int = Field(default=50, ge=1, le=2000)
    #: Wrong passwords from one address before it has to wait, e.g. `10 per minute` or `10 per minute; 100 per day`. There is
    #: always such a limit.
    login_rate_limit: str = "10 per minute"
    #: An idle session ends after this many minutes, or one less (a shared laboratory PC; lims/base/sessions.py).
    session_idle_minutes: int = Field(default=480, ge=1)
    #: A page left alone locks itself after this many minutes and asks for the password; 0 never.
    lock_minutes: int = Field(default=15, ge=0, le=480)
    #: Records are kept without end; the least that is promised to customers and accreditation, years.
    retention_years: int = Field(default=10, ge=6, le=100)
    #: Files that jobs made (exports, summaries, marked workbooks) go after so many days; what they hold stays stored. A
    #: file that is also referred to elsewhere stays for that.
    exports_kept_days: int = Field(default=30, ge=1, le=3650)
    #: How long a bearer token lives, minutes.
    token_minutes: int = Field(default=30, ge=1)
    #: Processes that serve, of the embedded server and of gunicorn. 0: one a core, at most four;
    #: one on macOS. Windows always has one.
    processes: int = Field(default=0, ge=0, le=32)
    #: Threads of each of them. Two serve at a time (lims/operations/few_at_once.py), the others while something takes long;
    #: SQLite serves one writer at a time whatever this says.
    threads: int = Field(default=4, ge=1, le=64)
    #: Carries jobs between machines, e.g. `redis://localhost:6379/0`. Empty: a file in `data`, for one machine.
    redis_url: str = ""
    #: Jobs that run at once beside the embedded server; 0 leaves them to `lims worker`.
    worker_threads: int = Field(default=1, ge=0, le=16)
    #: Where nightly backups go. Empty: `data/backups`; another disk is better.
    backup_folder: str = ""
    #: Nightly backups that are kept.
    backups_kept: int = Field(default=14, ge=1, le=1000)
    #: An empty PostgreSQL database in which backups are restored for proof, and which is emptied again; its role owns it.
    #: Empty: one is made each time, for which the role of `database_url` needs CREATEDB.
    verify_database_url: str = ""
    #: Who may read /metrics: a bearer token of at least 16 characters. Empty: nobody.
    metrics_token: str = ""
    #: `text` for a person's eyes, `json` for a collector: one object a line.
    log_format: Literal["text", "json"] = "text"
    #: A stopped server finishes what it has begun for at most this many seconds.
    stop_seconds: int = Field(default=20, ge=1, le=600)
    #: The server that takes e-mail. Empty: mails wait in the outbox until there is one.
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    #: starttls, tls (from the first byte) or none (a relay on loopback). The first two check the server's certificate.
    smtp_security: str = Field(default="starttls", pattern="^(starttls|tls|none)$")
    #: A PEM file of the authorities that may have signed it, for a works with a mail server of its own. Empty: those that
    #: the machine trusts.
    smtp_ca_file: str = ""
    #: Only with starttls or tls, or to this machine: `none` would send the password in plain text.
    smtp_user: str = ""
    smtp_password: str = ""
    #: Sender of every mail; must be one that the server accepts.
    smtp_from: str = "lims@localhost"
    #: A server that does not answer is given up after so many seconds; the mail is tried again later.
    smtp_timeout_s: float = Field(default=15, gt=0, le=120)
    #: Demonstration accounts are accepted and shown on the login page. Set by `lims demo` alone.
    demo: bool = False

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"LIMS_TIMEZONE {name!r} is not an IANA zone such as Asia/Shanghai") from error
        return name

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, text: str) -> str:
        """What is none would match nobody's address, and everybody would be answered 400."""
        wrong = [name for part in text.split(",") if NOT_IN_A_NAME.search(name := part.strip())]
        if wrong:
            raise ValueError(
                f"LIMS_ALLOWED_HOSTS holds {wrong[0]!r}, which is no name; accepted: names as people type them, without "
                "https:// and without what follows them, with commas in between, such as lims.works.example,localhost"
            )
        return text

    @field_validator("plan_ages_days")
    @classmethod
    def _ages(cls, text: str) -> str:
        ages = [part.strip() for part in text.split(",")]
        if not all(age.isdecimal() and 0 < int(age) <= 3650 for age in ages):  # "²" is a digit and no number
            raise ValueError(f"LIMS_PLAN_AGES_DAYS {text!r} is not a list of whole days such as 3,7,28")
        return text

    @field_validator("login_rate_limit")
    @classmethod
    def _limit(cls, text: str) -> str:
        """Flask-Limiter reads it at each request only, and goes on without a limit when it cannot."""
        from limits import parse_many

        try:
            limits = parse_many(text)
        except ValueError:
            limits = []
        # Counters are kept for a day (lims/base/rate_limits.py).
        if not limits or any(limit.amount < 1 or limit.get_expiry() > 86_400 for limit in limits):
            raise ValueError(
                f"LIMS_LOGIN_RATE_LIMIT {text!r} is not a limit; accepted: a number of at least 1 per second, minute, hour "
                "or day, over a day at most, such as 10 per minute, 10 per 5 minutes or 10 per minute; 100 per day"
            )
        return text

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, text: str) -> str:
        """Its value is told nowhere: it may hold a password."""
        if text and not _is_redis_address(text):
            raise ValueError(
                "LIMS_REDIS_URL is not an address of Redis; accepted: empty, redis://host:6379/0, "
                "redis://:password@host:6379/0, the same with rediss:// (encrypted), or unix:///path/of/its/socket"
            )
        return text

    @field_validator("public_url")
    @classmethod
    def _reached(cls, text: str) -> str:
        if text and not _is_web_address(text):
            raise ValueError(
                f"LIMS_PUBLIC_URL {text!r} is not the beginning of links; accepted: empty, or http:// or https:// and "
                "a name, such as https://lims.example.com"
            )
        return text

    @field_validator("smtp_ca_file")
    @classmethod
    def _authorities(cls, file: str) -> str:
        if file:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
            except OSError as error:
                why = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
                raise ValueError(
                    f"LIMS_SMTP_CA_FILE {file!r} cannot be used ({why}); accepted: empty, or a PEM file of certificates"
                ) from None
        return file

    @field_validator("smtp_from")
    @classmethod
    def _sender(cls, text: str) -> str:
        if not _is_one_mail_address(text):
            raise ValueError(
                f"LIMS_SMTP_FROM {text!r} is not an address; accepted: one such as lims@works.example, or "
                "Concrete laboratory <lims@works.example>"
            )
        return text

    @field_validator("smtp_user")
    @classmethod
    def _encrypted(cls, user: str, others: ValidationInfo) -> str:
        host = others.data.get("smtp_host", "")
        if user and others.data.get("smtp_security") == "none" and not _is_this_machine(host):
            raise ValueError(
                f"LIMS_SMTP_SECURITY=none would send the password in plain text to {host!r}; accepted: starttls or tls, or "
                "as LIMS_SMTP_HOST this machine (127.0.0.1, localhost, ::1)"
            )
        return user

    @property
    def plan_ages(self) -> tuple[int, ...]:
        return tuple(sorted({int(age) for age in self.plan_ages_days.split(",")}))

    @property
    def sqlalchemy_url(self) -> str:
        if self.database_url:
            return self.database_url
        path = (self.data / "lims.sqlite3").resolve().as_posix()
        # In an address these two would be more than letters.
        return f"sqlite:///{path.replace('%', '%25').replace('?', '%3F')}"

    def serving_processes(self) -> int:
        """How many processes serve here."""
        if not hasattr(os, "fork"):
            return 1
        if sys.platform == "darwin":  # its own libraries do not bear a fork well: only for who asks for it
            return self.processes or 1
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self.processes or min(MOST_PROCESSES, cores)

    @property
    def backups(self) -> Path:
        return Path(self.backup_folder) if self.backup_folder else self.data / "backups"

    def resolve_secret_key(self) -> str:
        """The configured key, or the one kept in the data folder (made on first use). Raises: Refused."""
        if self.secret_key:
            return self.secret_key
        path = self.data / SESSIONS_KEY
        anew = "delete it and a new one is made (everybody signs in again)"
        try:
            key = kept_key(path, lambda: secrets.token_urlsafe(48).encode()).decode("ascii").strip()
        except UnicodeDecodeError:  # read in any other way it could be guessed
            raise refuse(str(path), f"is damaged; {anew}") from None
        if len(key) < SHORTEST_SECRET:
            raise refuse(str(path), f"is too short; {anew}")
        return key


def database_name(url: str) -> str:
    """What of an address may be shown: a password may stand before its host and among what follows the name. "" for what
    is no address."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).database or ""
    except (ArgumentError, ValueError):
        return ""


def _is_one_mail_address(text: str) -> bool:
    try:
        header = email.policy.SMTP.header_factory("From", text)
    except (ValueError, LookupError, MessageError):
        return False
    found = header.addresses
    return not header.defects and len(found) == 1 and bool(found[0].username and found[0].domain)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() in {"", "localhost"}


def _is_redis_address(text: str) -> bool:
    """What its library takes, but for a database's name that is no number: that it would read as 0."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if any(character.isspace() for character in text) or port == 0:
        return False
    if parts.scheme == "unix":
        return len(parts.path) > 1
    return parts.scheme in {"redis", "rediss"} and bool(re.fullmatch(r"/?|/[0-9]+", parts.path))


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or "@" in parts.netloc or any(c.isspace() for c in text))
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port != 0 and plain
