"""Every file that came in: its bytes by their hash, how it was read, what came of it and which row made which record."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.columns import UtcDateTime
from lims.base.files import StoredFile
from lims.base.metadata import Model
from lims.base.records import Key, Record


class ImportRun(Record):
    """A file that was uploaded, and applied or not. The same bytes may come again: then mostly nothing changes."""

    __tablename__ = "import_runs"
    record_name = "import-runs"

    #: Name of the template; "" while nobody has said what the file holds.
    kind: Mapped[str] = mapped_column(String(20), nullable=False)
    file_name: Mapped[str] = mapped_column(String(200), nullable=False)
    sha256: Mapped[str] = mapped_column(String(64), nullable=False, index=True)
    size_bytes: Mapped[int] = mapped_column(Integer, nullable=False)
    rows_read: Mapped[int] = mapped_column(Integer, nullable=False)
    mixes_added: Mapped[int] = mapped_column(Integer, nullable=False)
    specimens_added: Mapped[int] = mapped_column(Integer, nullable=False)
    duplicate_rows: Mapped[int] = mapped_column(Integer, nullable=False)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: One remark a line: what was left out or looks odd, with its row.
    remarks: Mapped[str | None] = mapped_column(Text)
    #: None for files that came before bytes were kept.
    file_id: Mapped[int | None] = mapped_column(Key, ForeignKey("stored_files.id"), index=True)
    #: uploaded or applied
    state: Mapped[str] = mapped_column(String(10), nullable=False, server_default="applied")
    #: JSON: sheet, rows, columns, units, marks (lims/importing/mapping.py).
    reading: Mapped[str | None] = mapped_column(Text)
    rows_new: Mapped[int] = mapped_column(Integer, nullable=False, server_default="0")
    rows_changed: Mapped[int] = mapped_column(Integer, nullable=False, server_default="0")
    rows_same: Mapped[int] = mapped_column(Integer, nullable=False, server_default="0")

    file: Mapped[StoredFile | None] = relationship()

    @property
    def title(self) -> str:
        return self.file_name


#: Rows under one link. A record's link begins at most so many ids before it.
LINKED = 1000


class ImportRow(Model):
    """Which rows of which file made or changed which records. Written once with the records, never changed."""

    __tablename__ = "import_rows"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    import_run_id: Mapped[int] = mapped_column(Key, ForeignKey("import_runs.id"), nullable=False, index=True)
    record_name: Mapped[str] = mapped_column(String(40), nullable=False)
    record_id: Mapped[int] = mapped_column(Key, nullable=False)
    sheet: Mapped[str] = mapped_column(String(100), nullable=False)
    #: From 1, as the sheet counts.
    row: Mapped[int] = mapped_column(Integer, nullable=False)
    #: So many further rows made so many further records, each the next of the one before: a file of 10,000 breaks is
    #: ten links. At most LINKED - 1.
    more: Mapped[int] = mapped_column(Integer, nullable=False, server_default="0")
    #: new or changed
    action: Mapped[str] = mapped_column(String(10), nullable=False)

    __table_args__ = (Index(None, "record_name", "record_id"),)


class ImportMapping(Record):
    """How the sheets of one source read, made on a page and remembered under a name."""

    __tablename__ = "import_mappings"
    record_name = "import-mappings"

    code: Mapped[str] = mapped_column(String(60), nullable=False, unique=True)
    template: Mapped[str] = mapped_column(String(20), nullable=False)
    #: SHA-256 of the heads of the columns: a sheet with the same ones is read the same way.
    heads: Mapped[str] = mapped_column(String(64), nullable=False, index=True)
    reading: Mapped[str] = mapped_column(Text, nullable=False)
