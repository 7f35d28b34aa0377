"""Damaged workbooks: refused with a sentence or read; never another error, never slow, never large, never a row.

`make fuzz-workbooks` runs 1,000; the suite runs a part of them. Each is a real workbook with some bytes changed, cut or
doubled, in its container or in its unpacked sheet; the seed is the file's number, so that a failure can be repeated.
"""

from __future__ import annotations

import io
import os
import random
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask

import lims.importing
from lims.base.database import current_session
from lims.base.problems import Refused
from lims.importing.imports import TEMPLATES, compare, find_reading, prepare, propose
from lims.importing.models import ImportRun
from lims.importing.sheets import template_workbook
from lims.importing.workbooks import Book, read_book
from tests.factories import ACTOR
from tests.importing.workbooks import filled, workbook

FILES = int(os.environ.get("LIMS_FUZZ_WORKBOOKS", "150"))
UCI = Path(lims.importing.__file__).parent / "data" / "uci_Concrete_Data.xls"


def originals() -> list[tuple[str, bytes]]:
    rows = [{"code": f"M-{n}", "cement_kg_m3": 300 + n, "water_kg_m3": 170} for n in range(40)]
    return [
        ("mixes.xlsx", filled("mixes", *rows)),
        ("template.xlsx", template_workbook("breaks")),
        ("free.xlsx", workbook([["Mix", "Age", "Strength"], *([f"A{n}", 28, 30.5] for n in range(60))])),
        ("uci.xls", UCI.read_bytes()),
    ]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Damage to the container, or to one unpacked part that is packed again."""
    if content.startswith(b"PK") and chance.random() < 0.6:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        name = chance.choice(sorted(parts))
        parts[name] = hurt(parts[name], chance)
        if chance.random() < 0.15:
            del parts[chance.choice(sorted(parts))]
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, part in parts.items():
                archive.writestr(name, part)
        return made.getvalue()
    return hurt(content, chance)


def hurt(content: bytes, chance: random.Random) -> bytes:
    data = bytearray(content)
    for _time in range(chance.choice((1, 1, 2, 8, 40))):
        if not data:
            break
        at = chance.randrange(len(data))
        kind = chance.randrange(6)
        if kind == 0:
            data[at] = chance.randrange(256)
        elif kind == 1:
            del data[at : at + chance.randrange(1, 200)]
        elif kind == 2:
            data[at:at] = data[at : at + chance.randrange(1, 400)]
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            data[at:at] = bytes(chance.randrange(256) for _n in range(chance.randrange(1, 60)))
        else:
            data[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"9999", b"-1e9", b"<a/>"))
    return bytes(data)


def read(name: str, content: bytes) -> tuple[Book | None, float]:
    begun = time.perf_counter()
    try:
        return read_book(name, content), time.perf_counter() - begun
    except Refused:
        return None, time.perf_counter() - begun


@pytest.mark.timeout(900)
def test_damaged_workbooks_are_refused_or_read_and_leave_nothing(records: Flask) -> None:
    sources = originals()
    files = []
    for number in range(FILES):
        chance = random.Random(number)
        name, content = sources[number % len(sources)]
        files.append((name, damaged(content, chance)))

    def one(item: tuple[str, bytes]) -> tuple[Book | None, float]:
        with records.app_context():
            return read(*item)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(one, files))
    read_whole = 0
    for book, _seconds in found:
        if book is None:
            continue
        read_whole += 1
        try:
            reading = find_reading(book) or propose(book, list(TEMPLATES.values()))
            compare(prepare(book.name, book, reading), ACTOR)
        except Refused:
            continue
    assert 0 < read_whole < FILES
    assert max(book.peak_kb for book, _seconds in found if book is not None) <= 200_000
    assert (
        max(seconds for _book, seconds in found) <= 30
    )  # wall time of a busy machine; CPU time is limited in the reader
    assert current_session().query(ImportRun).count() == 0
    from lims.mixes.models import MixDesign

    assert current_session().query(MixDesign).count() == 0
