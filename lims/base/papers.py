"""Papers as PDF: a Typst layout of reports/, filled with data. The same data gives the same bytes.

Layouts may be changed without code: a file of the same name under LIMS_DATA/reports goes first. Text goes in as data
(`json(bytes(sys.inputs.data))`), never as markup, so what a person typed cannot become a command.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typst
from flask import current_app
from flask_babel import gettext as _

from lims.base.problems import refuse

#: Layouts and fonts that ship with the product.
REPORTS = Path(__file__).resolve().parents[2] / "reports"
FONTS = REPORTS / "fonts"


def layout_file(name: str) -> Path:
    """The laboratory's own layout of this name, or the shipped one. Raises: Refused."""
    folders = [Path(current_app.config["LIMS_DATA"]) / "reports"] if current_app else []
    for folder in (*folders, REPORTS):
        found = folder / name
        if found.is_file():
            return found
    raise refuse("layout", _("there is no such layout under reports/"), name)


def pdf(
    layout: str,
    data: Mapping[str, Any],
    *,
    made_at: datetime | None = None,
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """`reports/<layout>.typ` filled with `data` (anything that JSON holds).

    `made_at` goes into the PDF's metadata; without it the bytes depend on layout, data and files alone. `files` are
    pictures by plain names that the layout finds beside itself.
    Raises: Refused naming the layout and the place when a laboratory's own layout does not compile.
    """
    with _beside_parts(layout_file(f"{layout}.typ"), files or {}) as source:
        made: bytes = _compiled(source, data, "pdf", made_at)
        return made


def picture(layout: str, data: Mapping[str, Any], *, dots_per_inch: float = 80) -> bytes:
    """The first page as PNG, for a page of the browser. Raises: Refused."""
    return pictures(layout, data, dots_per_inch=dots_per_inch)[0]


def pictures(layout: str, data: Mapping[str, Any], *, dots_per_inch: float) -> list[bytes]:
    """Every page as PNG. Raises: Refused."""
    with _beside_parts(layout_file(f"{layout}.typ"), {}) as source:
        made = _compiled(source, data, "png", None, ppi=dots_per_inch)
    return made if isinstance(made, list) else [made]


@contextmanager
def _beside_parts(source: Path, files: Mapping[str, bytes]) -> Iterator[Path]:
    """The layout where Typst, which reads from its root alone, finds what it imports: the shipped parts, or the laboratory's
    own in their place, and pictures."""
    if not files and source.parent == REPORTS:
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="lims-paper-") as folder:
        for found in REPORTS.glob("*.typ"):
            shutil.copyfile(found, Path(folder) / found.name)
        if source.parent != REPORTS:
            shutil.copytree(source.parent, folder, dirs_exist_ok=True)
        for name, content in files.items():
            (Path(folder) / Path(name).name).write_bytes(content)
        yield Path(folder) / source.name


def _compiled(source: Path, data: Mapping[str, Any], form: Any, made_at: datetime | None, **more: Any) -> Any:
    try:
        return typst.compile(
            str(source),
            root=str(source.parent),
            font_paths=[str(FONTS)],
            ignore_system_fonts=True,
            format=form,
            sys_inputs={"data": json.dumps(data, ensure_ascii=False, sort_keys=True)},
            timestamp=made_at or datetime(2000, 1, 1, tzinfo=UTC),
            **more,
        )
    except typst.TypstError as error:
        raise refuse(
            "layout",
            _("does not compile: %(why)s", why=str(error).strip().splitlines()[0][:300]),
            source.name,
        ) from None
