"""Papers and kept files: the same data gives the same bytes; what was typed is text, never a command."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from flask import Flask

from lims.base.actor import system_actor
from lims.base.database import transaction
from lims.base.files import bytes_of, keep_file
from lims.base.papers import REPORTS, pdf
from lims.base.problems import Refused

LAYOUT = """
#let data = json(bytes(sys.inputs.data))
#set text(font: "Noto Sans CJK SC")
#data.words
"""


def _own_layout(app: Flask, text: str, name: str = "own") -> Path:
    folder = Path(app.config["LIMS_DATA"]) / "reports"
    folder.mkdir(parents=True)
    (folder / f"{name}.typ").write_text(text, encoding="utf-8")
    return folder


def test_same_data_gives_the_same_bytes_with_the_shipped_font(app: Flask) -> None:
    _own_layout(app, LAYOUT)
    with app.app_context():
        first = pdf("own", {"words": "抗压强度 抗壓強度 MPa #panic()"})
        assert first == pdf("own", {"words": "抗压强度 抗壓強度 MPa #panic()"})
        assert first.startswith(b"%PDF")
        assert b"NotoSansCJKsc" in first


def test_layout_that_does_not_compile_is_refused_by_name(app: Flask) -> None:
    _own_layout(app, "#let data = (")
    with app.app_context(), pytest.raises(Refused, match=r"does not compile"):
        pdf("own", {})
    with app.app_context(), pytest.raises(Refused, match="no such layout"):
        pdf("missing", {})


def test_own_copy_of_a_layout_finds_the_shipped_parts_and_the_laboratorys_own_files(app: Flask) -> None:
    """As reports/README.md says: one file is copied and changed, whether the paper has photos or not."""
    shipped = (REPORTS / "service-report.typ").read_text(encoding="utf-8")
    folder = _own_layout(
        app,
        shipped.replace("#facts(data.rows)", '#facts(data.rows)\n#include "add/on.typ"'),
        "service-report",
    )
    (folder / "add").mkdir()
    (folder / "add" / "on.typ").write_text("Own words", encoding="utf-8")
    data = {
        "title": "T",
        "code": "V-1",
        "laboratory": "L",
        "rows": [["a", "b"]],
        "photos": [],
        "signatures": ["x"],
    }
    with app.app_context():
        paper = pdf("service-report", {**data, "photos_title": "P"})
        assert paper == pdf("service-report", {**data, "photos_title": "P"}, files={"unused.png": b""})


def test_same_bytes_are_kept_once(app: Flask) -> None:
    with app.app_context():
        with transaction(system_actor("test")) as session:
            first = keep_file(session, b"PK\x03\x04 a workbook", "application/zip")
            again = keep_file(session, b"PK\x03\x04 a workbook", "application/zip")
        assert first.id == again.id
        assert first.sha256 == hashlib.sha256(b"PK\x03\x04 a workbook").hexdigest()
        assert bytes_of(first.id) == b"PK\x03\x04 a workbook"


@pytest.mark.parametrize("layout", sorted(REPORTS.glob("*.typ")), ids=lambda path: path.stem)
def test_no_layout_runs_what_it_is_given(layout: Path) -> None:
    """Text comes in as data; `eval` alone could make a command of it."""
    text = layout.read_text("utf-8")
    assert not re.search(r"\beval\b", text)
