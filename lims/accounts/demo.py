"""Accounts of the demonstration, one for each role. Made by `lims demo` alone; nobody signs in with their passwords
outside demo mode."""

from __future__ import annotations

from dataclasses import dataclass

from lims.accounts.roles import ADMINISTRATOR, AUDITOR, MANAGER, SALES, SERVICE, TECHNICIAN


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
