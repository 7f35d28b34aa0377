"""What operations ask of the record of changes (lims/base/auditing): does it verify, and what is its signed head?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy.engine import Connection

from lims.audit.keys import note_in, public_key_in
from lims.audit.source import reading
from lims.base.auditing import triggers
from lims.base.auditing.lims_verify import note_is_of, read_note, verify
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


def faults_of_checkpoint(text: str, head: tuple[int, str] | None, keys: Iterable[Path]) -> list[str]:
    """What is wrong with this checkpoint over this head; empty when it holds. It must be signed by the key of the first
    of these folders that has one: without any, nobody can say whose it is."""
    if head is None:
        return ["checkpoint: there is one, and no record of changes"] if text else []
    try:
        note = read_note(text)
    except ValueError:
        return ["checkpoint: is missing or is none"]
    if (note.size, note.root) != head:
        return [
            f"checkpoint: is over transaction {note.size}, not over {head[0]} as the record of changes has it"
        ]
    for folder in keys:
        public = public_key_in(folder)
        if public is not None:
            if note_is_of(note, public):
                return []
            said = "with an empty folder as LIMS_DATA the key in the backup is asked"
            return [f"checkpoint: is not signed by {folder / 'audit.key'}; {said}"]
    return ["checkpoint: there is no audit.key here or in the backup to check its signature with"]
