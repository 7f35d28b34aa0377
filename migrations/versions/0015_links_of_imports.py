"""One link of an import stands for a run of rows.

Revision: 0015, after 0014.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("import_rows", sa.Column("more", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("import_rows", "more")
