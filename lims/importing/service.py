"""Records of imports; the import of history itself is lims/importing/history.py."""

from __future__ import annotations

from lims.base.services import RecordService
from lims.importing.models import ImportRun
from lims.trials.schemas import SpecimenSetEdit


class ImportRunService(RecordService[ImportRun]):
    record = ImportRun
    schema = SpecimenSetEdit
    search_columns = ("file_name", "sha256")
    filter_columns = ("kind",)
    order_columns = ("finished_at", "file_name", "mixes_added", "specimens_added")
    writable = False
