"""Records of imports; files are read and applied by lims/importing/imports.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from flask_babel import lazy_gettext as _l

from lims.base.fields import Code, Text, Ui
from lims.base.schemas import Schema
from lims.base.services import RecordService
from lims.importing.models import ImportMapping, ImportRun
from lims.importing.workbooks import Cell, read_book
from lims.results.press_files import FIRST_SHEET
from lims.trials.schemas import SpecimenSetEdit


class ImportRunService(RecordService[ImportRun]):
    record = ImportRun
    schema = SpecimenSetEdit
    search_columns = ("file_name", "sha256")
    filter_columns = ("kind", "state")
    order_columns = ("finished_at", "created_at", "file_name", "mixes_added", "specimens_added")
    writable = False


class MappingIn(Schema):
    """A mapping gets another name; what it reads is made on the import page."""

    code: Annotated[str, Code(60), Ui(_l("Name"))]


class MappingWhole(MappingIn):
    """A mapping as the import page keeps it."""

    template: Annotated[str, Text(20), Ui(_l("Template"))]
    heads: Annotated[str, Text(64), Ui(_l("Heads"))]
    reading: Annotated[str, Text(200_000, lines=True), Ui(_l("How it reads"))]


class ImportMappingService(RecordService[ImportMapping]):
    record = ImportMapping
    schema = MappingWhole
    edit_schema = MappingIn
    search_columns = ("code",)
    filter_columns = ("template",)
    order_columns = ("code", "template", "changed_at")
    default_order = "code"


def _first_sheet(content: bytes) -> Sequence[Sequence[Cell]]:
    """The rows of the first sheet that is seen and holds any, for the files of presses. Raises: Refused."""
    sheets = read_book("", content).sheets
    return next((sheet.rows for sheet in sheets if sheet.rows and not sheet.hidden), sheets[0].rows)


FIRST_SHEET.append(_first_sheet)
