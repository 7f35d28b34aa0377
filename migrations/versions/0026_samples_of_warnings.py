"""What was noticed about a sample of aggregate keeps the sample: its code may change, and is found no more by what was said.

Revision: 0026, after 0025.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

INDEX = "ix_batch_warnings_aggregate_sample_id"
KEY = "fk_batch_warnings_aggregate_sample_id_aggregate_samples"
#: It was said in the language of whoever cast the batch: the code, which has no blanks, stands before the first colon.
OF_SAMPLE = re.compile(r"(\S+?) ?[:：]")


def upgrade() -> None:
    connection = op.get_bind()
    # In place: a table that is made anew on SQLite would lose its triggers.
    kind = "INTEGER" if connection.dialect.name == "sqlite" else "BIGINT"
    op.execute(
        f"ALTER TABLE batch_warnings ADD COLUMN aggregate_sample_id {kind} CONSTRAINT {KEY}"
        " REFERENCES aggregate_samples (id)"
    )
    op.create_index(op.f(INDEX), "batch_warnings", ["aggregate_sample_id"])
    samples = {
        code: key for key, code in connection.exec_driver_sql("SELECT id, code FROM aggregate_samples")
    }
    said = connection.exec_driver_sql(
        "SELECT id, about FROM batch_warnings WHERE kind = 'sample-out-of-limits'"
    ).all()
    found = [
        {"warning": key, "sample": samples[match[1]]}
        for key, about in said
        if (match := OF_SAMPLE.search(about)) is not None and match[1] in samples
    ]
    if found:
        connection.execute(
            sa.text("UPDATE batch_warnings SET aggregate_sample_id = :sample WHERE id = :warning"), found
        )


def downgrade() -> None:
    op.drop_index(op.f(INDEX), table_name="batch_warnings")
    with op.batch_alter_table("batch_warnings") as batch_op:
        if op.get_bind().dialect.name != "sqlite":
            batch_op.drop_constraint(op.f(KEY), type_="foreignkey")
        batch_op.drop_column("aggregate_sample_id")
