"""Papers as PDF: a Typst layout of reports/, filled with data. The same data gives the same bytes.

Layouts may be changed without code: a file of the same name under LIMS_DATA/reports goes first. Text goes in as data
(`json(bytes(sys.inputs.data))`), never as markup, so what a person typed cannot become a command.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
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
    if not files:
        made: bytes = _compiled(layout_file(f"{layout}.typ"), data, "pdf", made_at)
        return made
    # Typst reads pictures from its root alone: layouts and pictures stand together there while it works.
    source = layout_file(f"{layout}.typ")
    with tempfile.TemporaryDirectory(prefix="lims-paper-") as folder:
        for layouts in dict.fromkeys((REPORTS, source.parent)):
            for found in layouts.glob("*.typ"):
                shutil.copyfile(found, Path(folder) / found.name)
        for name, content in files.items():
            (Path(folder) / Path(name).name).write_bytes(content)
        drawn: bytes = _compiled(Path(folder) / source.name, data, "pdf", made_at)
        return drawn


def picture(layout: str, data: Mapping[str, Any], *, dots_per_inch: float = 80) -> bytes:
    """The first page as PNG, for a page of the browser. Raises: Refused."""
    made = _compiled(layout_file(f"{layout}.typ"), data, "png", None, ppi=dots_per_inch)
    first: bytes = made[0] if isinstance(made, list) else made
    return first


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
