"""Certificates keep their bytes, what was printed, and the results they show.

Revision: 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lims.base.columns import UtcDateTime
from lims.searching.triggers import NUMBERS, sqlite_triggers

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFERENCES = (
    ("specimen_set_id", "specimen_sets"),
    ("file_id", "stored_files"),
    ("preview_id", "stored_files"),
)
PLAIN = (("content", "TEXT"), ("content_sha256", "VARCHAR(64)"))


def upgrade() -> None:
    # In place: certificates refer to themselves, and a table that is made anew loses its triggers.
    key = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    for column, target in REFERENCES:
        name = f"fk_certificates_{column}_{target}"
        op.execute(
            f"ALTER TABLE certificates ADD COLUMN {column} {key} CONSTRAINT {name} REFERENCES {target} (id)"
        )
        op.create_index(op.f(f"ix_certificates_{column}"), "certificates", [column])
    for column, kind in PLAIN:
        op.execute(f"ALTER TABLE certificates ADD COLUMN {column} {kind}")
    op.create_table(
        "certificate_results",
        sa.Column("id", KEY, nullable=False),
        sa.Column("certificate_id", KEY, nullable=False),
        sa.Column("set_result_id", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["certificate_id"],
            ["certificates.id"],
            name=op.f("fk_certificate_results_certificate_id_certificates"),
        ),
        sa.ForeignKeyConstraint(
            ["set_result_id"],
            ["set_results.id"],
            name=op.f("fk_certificate_results_set_result_id_set_results"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate_results")),
        sa.UniqueConstraint(
            "certificate_id",
            "set_result_id",
            name=op.f("uq_certificate_results_certificate_id_set_result_id"),
        ),
    )
    op.create_index(op.f("ix_certificate_results_set_result_id"), "certificate_results", ["set_result_id"])


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.drop_index(op.f("ix_certificate_results_set_result_id"), table_name="certificate_results")
    op.drop_table("certificate_results")
    if dialect == "sqlite":
        op.execute("PRAGMA defer_foreign_keys = ON")
    for column, _target in REFERENCES:
        op.drop_index(op.f(f"ix_certificates_{column}"), table_name="certificates")
    with op.batch_alter_table("certificates") as batch_op:
        for column, target in REFERENCES:
            if dialect != "sqlite":
                batch_op.drop_constraint(op.f(f"fk_certificates_{column}_{target}"), type_="foreignkey")
            batch_op.drop_column(column)
        for column, _kind in PLAIN:
            batch_op.drop_column(column)
    if dialect == "sqlite" and "certificates" in NUMBERS:
        for statement in sqlite_triggers(NUMBERS["certificates"]):
            op.execute(sa.text(statement.replace(":", "\\:")))
