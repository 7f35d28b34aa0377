"""Accounts of the demonstration, one for each role. Made by `lims demo` alone; nobody signs in with their passwords
outside demo mode."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flask import current_app

from lims.accounts.roles import ADMINISTRATOR, AUDITOR, MANAGER, SALES, SERVICE, TECHNICIAN
from lims.base.passwords import password_matches


@dataclass(frozen=True, slots=True)
class DemoAccount:
    username: str
    role: str
    first_name: str
    last_name: str

    @property
    def password(self) -> str:
        return f"trial-lab-{self.username[:3]}-50"


DEMO_ACCOUNTS = (
    DemoAccount("technician", TECHNICIAN, "Li", "Wei"),
    DemoAccount("sales", SALES, "Wang", "Fang"),
    DemoAccount("service", SERVICE, "Zhao", "Lei"),
    DemoAccount("manager", MANAGER, "Chen", "Jing"),
    DemoAccount("auditor", AUDITOR, "Sun", "Min"),
    DemoAccount("administrator", ADMINISTRATOR, "Zhou", "Tao"),
)


def everybody_knows(username: str, password: str) -> bool:
    """Is this the password that `lims demo` gives the account of this name, and prints?"""
    return any((account.username, account.password) == (username, password) for account in DEMO_ACCOUNTS)


def has_printed_password(user: Any) -> bool:
    """Has this account still the password that `lims demo` prints, on a server that is no demonstration? Then anybody may
    have made the keys and addresses that open it without one."""
    return not current_app.config["LIMS_DEMO"] and _is_printed(user.username, user.password or "")


@lru_cache(maxsize=64)
def _is_printed(username: str, stored: str) -> bool:
    """Comparing takes a tenth of a second, and a program asks each minute: once for each stored password."""
    return any(
        account.username == username and password_matches(stored, account.password)
        for account in DEMO_ACCOUNTS
    )
