"""Damaged workbooks: refused with a sentence or read; never another error, never slow, never large, never a row.

Each is a real workbook with some bytes changed, cut or doubled, in its container or in its unpacked sheet; the seed is the
file's number, so that a failure can be repeated.
"""

from __future__ import annotations

import io
import os
import random
import zipfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask

import lims.importing
from lims.accounts.roles import MANAGER
from lims.base.database import current_session
from lims.base.problems import Refused
from lims.importing.imports import TEMPLATES, compare, find_reading, prepare, propose
from lims.importing.models import ImportRun
from lims.importing.sheets import template_workbook
from lims.importing.workbooks import Book, Unread, read_book
from lims.mixes.models import MixDesign
from tests.conftest import Person
from tests.factories import ACTOR
from tests.faults.conftest import Figures
from tests.faults.test_locks_and_races import Size
from tests.importing.workbooks import filled, workbook

#: Seconds of processor, which other programs do not lengthen as they do those of a clock.
MOST_CPU_S, MOST_KB = 2.0, 200_000
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


def damaged_files(count: int) -> list[tuple[str, bytes]]:
    sources = originals()
    return [
        (sources[number % len(sources)][0], damaged(sources[number % len(sources)][1], random.Random(number)))
        for number in range(count)
    ]


def read(name: str, content: bytes) -> Book | Refused:
    try:
        return read_book(name, content)
    except Refused as refusal:
        return refusal


def cpu_s_of_ended(file: tuple[str, bytes]) -> float:
    """What the system counted for a reader that ended, when nothing else of this process does."""
    before = os.times()
    assert isinstance(read(*file), Refused)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


@pytest.mark.timeout(900)
def test_damaged_workbooks_are_refused_or_read_and_leave_nothing(
    records: Flask, figures: Figures, size: Size
) -> None:
    files = damaged_files(size(150, 1000))

    def one(item: tuple[str, bytes]) -> Book | Refused:
        with records.app_context():
            return read(*item)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(one, files))
    books = [book for book in found if isinstance(book, Book)]
    for book in books:
        try:
            reading = find_reading(book) or propose(book, list(TEMPLATES.values()))
            compare(prepare(book.name, book, reading), ACTOR)
        except Refused:
            continue
    assert 0 < len(books) < len(files)
    # A file that is no workbook any more is refused before it is given to a reader.
    spent = [(item.cpu_s, item.peak_kb) for item in found if isinstance(item, Book | Unread)]
    figures.tell("damaged files", len(files))
    figures.tell("... refused", len(files) - len(books))
    figures.tell("... given to the reader", len(spent))
    assert len(spent) > len(files) / 2
    ended = [
        file
        for file, item in zip(files, found, strict=True)
        if isinstance(item, Unread) and (item.cpu_s, item.peak_kb) == (0.0, 0)
    ]
    # It asks for more memory than the reader may have, or panics; the reader cannot tell then what it took.
    figures.at_most("... that ended the reader", len(ended), len(files) / 100)
    spent += [(cpu_s_of_ended(file), 0) for file in ended]
    figures.at_most("most processor that reading one took, s", max(cpu for cpu, _kb in spent), MOST_CPU_S)
    figures.at_most("most memory that reading one took, kB", max(kb for _cpu, kb in spent), MOST_KB)
    assert current_session().query(ImportRun).count() == 0
    assert current_session().query(MixDesign).count() == 0


@pytest.mark.timeout(900)
def test_damaged_upload_is_answered_with_a_page_and_adds_no_row(
    app: Flask, sign_in_as: Callable[[str], Person], figures: Figures, size: Size
) -> None:
    person = sign_in_as(MANAGER)
    statuses: Counter[int] = Counter()
    wrong = []
    files = damaged_files(size(24, 1000))
    for number, (name, content) in enumerate(files):
        answer = person.post("/import/", {"file": (io.BytesIO(content), name)})
        statuses[answer.status_code] += 1
        if answer.status_code == 302:  # kept: its mapping or its preview
            answer = person.get(answer.location, follow_redirects=True)
        if answer.status_code not in (200, 422) or b"Traceback" in answer.get_data():
            wrong.append(f"{number} {name}: {answer.status_code}")
    figures.tell("statuses of the upload", dict(statuses))
    figures.equal("uploads answered with another page", wrong, [])
    assert set(statuses) == {302, 422}
    with app.app_context():
        figures.equal("rows", current_session().query(MixDesign).count(), 0)
