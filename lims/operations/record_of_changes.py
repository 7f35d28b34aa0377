"""What operations ask of the record of changes (lims/base/auditing): does it verify, and what is its signed head?"""

from __future__ import annotations

from sqlalchemy.engine import Connection

from lims.settings import Settings


def faults_of_record(url: str) -> list[str]:
    """What is wrong with the record of changes of this database; empty when it verifies."""
    return []


def checkpoint_text(settings: Settings, head: tuple[int, str] | None) -> str:
    """The signed checkpoint over this head, "" without a signing key."""
    return ""


def guards_that_differ(connection: Connection) -> list[str]:
    """Names of triggers that are not as the program made them."""
    return []
