"""The record of changes as a folder that anyone can verify with Python alone."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from lims.audit.keys import verifier_key, verifier_key_text
from lims.audit.source import DatabaseSource, reading
from lims.base.auditing import lims_verify, policy
from lims.base.auditing.lims_verify import entry_line
from lims.base.database import database
from lims.base.whole_files import whole_file

READ_ME = """The record of changes of a laboratory, to be verified by anyone:

    python lims_verify.py .  [--checkpoint FILE ...]

transactions.jsonl   [number, txid, person, time, reason, source, entries, root, hash before, hash, leaf hashes (base64)]
entries.jsonl        [seq, txid, op, table, key, what was written]; names of persons stand there as salted digests
rows.jsonl           [table, key, the row as it stands now]
checkpoints/         the signed checkpoints that were taken
audit.pub            the key they are signed with

Checkpoints that somebody kept elsewhere (on a certificate, in a mail) are what proves the most: give them with
--checkpoint. Python 3.8 or newer is all that is needed.
"""


def export(folder: Path) -> dict[str, int]:
    """Write the folder; what stands there is replaced when all of it is written: half of this one beside half of an earlier
    one would read as a record that somebody has altered. Returns how many of each."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as whole, reading(database().engine) as source:
        transactions, entries, rows = (
            whole.enter_context(whole_file(folder / f"{name}.jsonl"))
            for name in ("transactions", "entries", "rows")
        )
        notes = list(source.notes())
        counts = {
            "transactions": _transactions(source, transactions),
            "entries": _write(entries, (entry_line(*entry) for entry in source.entries())),
            "rows": _rows(source, rows),
            "checkpoints": len(notes),
        }
    _checkpoints(notes, folder)
    (folder / "audit.pub").write_text(verifier_key_text(verifier_key()) + "\n", encoding="ascii")
    (folder / "README.txt").write_text(READ_ME, encoding="utf-8")
    facts = {"format": 1, "database": source.dialect, **counts, "not_captured": policy.NOT_CAPTURED}
    (folder / "facts.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(lims_verify.__file__, folder / "lims_verify.py")
    return counts


def _transactions(source: DatabaseSource, path: Path) -> int:
    return _write(
        path,
        (
            json.dumps([*sealed[:10], base64.b64encode(sealed.leaves).decode()], ensure_ascii=False, separators=(",", ":"))
            + "\n"
            for sealed in source.transactions()
        ),
    )  # fmt: skip


def _rows(source: DatabaseSource, path: Path) -> int:
    lines = (f"[{json.dumps(table)},{json.dumps(pk)},{text}]\n" for table, pk, text in source.rows())
    return _write(path, lines)


def _checkpoints(notes: Iterable[tuple[str, str]], folder: Path) -> None:
    (folder / "checkpoints").mkdir(exist_ok=True)
    for old in (folder / "checkpoints").glob("*.txt"):
        old.unlink()
    for name, text in notes:
        (folder / "checkpoints" / f"{int(name.split()[-1]):06d}.txt").write_text(text, encoding="utf-8")


def _write(path: Path, lines: Iterable[str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        for line in lines:
            file.write(line)
            count += 1
    return count
