"""Signatures, findings, denied attempts, runs of the self-test.

Revision: 0008, after 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lims.base.columns import ExactDecimal, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: table -> columns with an index of their own
INDEXES = {
    "denied_attempts": (["kind"], ["attempted_at"], ["who"]),
    "signatures": (["signed_by"], ["signed_record", "signed_id"]),
    "findings": (["severity"], ["due_on"], ["responsible_id"], ["state"], ["about_record", "about_id"]),
    "selftest_runs": (["run_at"], ["file_id"]),
}


def _text(name: str, most: int, *, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.String(length=most), nullable=null)


def _stamps() -> tuple[sa.Column, ...]:
    return (
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
    )


def upgrade() -> None:
    op.create_table(
        "denied_attempts",
        sa.Column("id", KEY, nullable=False),
        _text("kind", 12),
        sa.Column("attempted_at", UtcDateTime(), nullable=False),
        _text("who", 80, null=True),
        _text("target", 200),
        _text("asked", 120),
        _text("address", 60),
        sa.Column("repeats", sa.Integer(), nullable=False),
        *_stamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_denied_attempts")),
    )
    op.create_table(
        "signatures",
        sa.Column("id", KEY, nullable=False),
        _text("signed_record", 60),
        sa.Column("signed_id", KEY, nullable=False),
        _text("meaning", 12),
        _text("signed_by", 80),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        _text("content_sha256", 64),
        sa.Column("reason", sa.Text(), nullable=True),
        *_stamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signatures")),
    )
    op.create_table(
        "findings",
        sa.Column("id", KEY, nullable=False),
        _text("code", 40),
        _text("about_record", 60, null=True),
        sa.Column("about_id", KEY, nullable=True),
        _text("about", 200, null=True),
        _text("sample", 200, null=True),
        _text("subject", 200),
        sa.Column("description", sa.Text(), nullable=True),
        _text("severity", 12),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("responsible_id", sa.Integer(), nullable=False),
        _text("state", 10),
        sa.Column("answer", sa.Text(), nullable=True),
        _text("answered_by", 80, null=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("remark", sa.Text(), nullable=True),
        _text("closed_by", 80, null=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["responsible_id"], ["ab_user.id"], name=op.f("fk_findings_responsible_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
        sa.UniqueConstraint("code", name=op.f("uq_findings_code")),
    )
    op.create_table(
        "selftest_runs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("run_at", UtcDateTime(), nullable=False),
        sa.Column("seconds", ExactDecimal(places=1), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        _text("program", 60),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("file_id", KEY, nullable=False),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["file_id"], ["stored_files.id"], name=op.f("fk_selftest_runs_file_id_stored_files")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_selftest_runs")),
    )
    for table, indexes in INDEXES.items():
        for columns in indexes:
            op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)


def downgrade() -> None:
    for table in reversed(INDEXES):
        op.drop_table(table)
