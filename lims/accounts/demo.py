"""Accounts of the demonstration, one for each role. Made by `lims demo` alone; refused outside demo mode."""

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
