"""What operations ask of the record of changes (lims/base/auditing): does it verify, and what is its signed head?"""

from __future__ import annotations

from sqlalchemy.engine import Connection

from lims.audit.keys import note_in
from lims.audit.source import reading
from lims.base.auditing import triggers
from lims.base.auditing.lims_verify import verify
from lims.base.database import make_engine
from lims.settings import Settings


def faults_of_record(url: str) -> list[str]:
    """Where the chain of the record of changes does not hold in this database; empty when it verifies.

    The auditor's own verifier, without comparing the present rows: those are compared by `lims audit verify`.
    """
    engine = make_engine(url)
    try:
        with reading(engine) as source:
            report = verify(source, rows=False)
    finally:
        engine.dispose()
    return [f"record of changes, altered: {finding.message}" for finding in report.findings]


def guards_that_differ(connection: Connection) -> list[str]:
    """Names of triggers that are not as the program made them."""
    return triggers.differences(connection)


def checkpoint_text(settings: Settings, head: tuple[int, str] | None) -> str:
    """The signed checkpoint over this head, "" where there is no record yet."""
    return note_in(settings.data, settings.laboratory, *head) if head is not None else ""
