"""The scale and the moulds of a batch, so that their calibrations are asked about when it is registered.

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lims.searching.triggers import NUMBERS, sqlite_triggers

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

REFERENCES = (("scale_id", "scales"), ("mould_id", "moulds"))


def upgrade() -> None:
    # In place: a table that others refer to is not made anew under them.
    key = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    for column, target in REFERENCES:
        name = f"fk_batches_{column}_{target}"
        op.execute(
            f"ALTER TABLE batches ADD COLUMN {column} {key} CONSTRAINT {name} REFERENCES {target} (id)"
        )
        op.create_index(op.f(f"ix_batches_{column}"), "batches", [column])


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        op.execute("PRAGMA defer_foreign_keys = ON")
    for column, _target in REFERENCES:
        op.drop_index(op.f(f"ix_batches_{column}"), table_name="batches")
    with op.batch_alter_table("batches") as batch_op:
        for column, target in REFERENCES:
            if dialect != "sqlite":
                batch_op.drop_constraint(op.f(f"fk_batches_{column}_{target}"), type_="foreignkey")
            batch_op.drop_column(column)
    if dialect == "sqlite":
        for statement in sqlite_triggers(NUMBERS["batches"]):
            op.execute(sa.text(statement.replace(":", "\\:")))
