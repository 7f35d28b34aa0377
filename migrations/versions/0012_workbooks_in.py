"""Files that come in: kept bytes, how they were read, which row made which record; the same file may come again.

Revision: 0012, after 0011.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lims.base.columns import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # Nothing refers to import_runs yet, and it has no triggers: it may be made anew.
    with op.batch_alter_table("import_runs") as batch_op:
        batch_op.drop_constraint(op.f("uq_import_runs_sha256"), type_="unique")
        batch_op.alter_column("finished_at", existing_type=UtcDateTime(), nullable=True)
        batch_op.add_column(sa.Column("file_id", KEY, nullable=True))
        batch_op.add_column(sa.Column("state", sa.String(10), nullable=False, server_default="applied"))
        batch_op.add_column(sa.Column("reading", sa.Text(), nullable=True))
        for name in ("rows_new", "rows_changed", "rows_same"):
            batch_op.add_column(sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
        batch_op.create_foreign_key(
            op.f("fk_import_runs_file_id_stored_files"), "stored_files", ["file_id"], ["id"]
        )
    op.create_index(op.f("ix_import_runs_sha256"), "import_runs", ["sha256"])
    op.create_index(op.f("ix_import_runs_file_id"), "import_runs", ["file_id"])
    op.create_table(
        "import_rows",
        sa.Column("id", KEY, nullable=False),
        sa.Column("import_run_id", KEY, nullable=False),
        sa.Column("record_name", sa.String(40), nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.Column("sheet", sa.String(100), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_run_id"], ["import_runs.id"], name=op.f("fk_import_rows_import_run_id_import_runs")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_rows")),
    )
    op.create_index(op.f("ix_import_rows_import_run_id"), "import_rows", ["import_run_id"])
    op.create_index(op.f("ix_import_rows_record_name_record_id"), "import_rows", ["record_name", "record_id"])
    op.create_table(
        "import_mappings",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("template", sa.String(20), nullable=False),
        sa.Column("heads", sa.String(64), nullable=False),
        sa.Column("reading", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_mappings")),
        sa.UniqueConstraint("code", name=op.f("uq_import_mappings_code")),
    )
    op.create_index(op.f("ix_import_mappings_heads"), "import_mappings", ["heads"])


def downgrade() -> None:
    op.drop_table("import_mappings")
    op.drop_table("import_rows")
    # What was uploaded and not applied, and further copies of the same bytes, had no place before.
    op.execute("DELETE FROM import_runs WHERE state <> 'applied' OR finished_at IS NULL")
    op.execute("DELETE FROM import_runs WHERE id NOT IN (SELECT min(id) FROM import_runs GROUP BY sha256)")
    op.drop_index(op.f("ix_import_runs_file_id"), table_name="import_runs")
    op.drop_index(op.f("ix_import_runs_sha256"), table_name="import_runs")
    with op.batch_alter_table("import_runs") as batch_op:
        batch_op.drop_constraint(op.f("fk_import_runs_file_id_stored_files"), type_="foreignkey")
        for name in ("rows_same", "rows_changed", "rows_new", "reading", "state", "file_id"):
            batch_op.drop_column(name)
        batch_op.alter_column("finished_at", existing_type=UtcDateTime(), nullable=False)
        batch_op.create_unique_constraint(op.f("uq_import_runs_sha256"), ["sha256"])
