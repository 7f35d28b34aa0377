"""The first results that wait for a verification are found without reading all of them.

Revision: 0023, after 0022.
"""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

OF_STATE = "ix_set_results_state"
IN_ORDER = "ix_set_results_state_id"


def upgrade() -> None:
    op.create_index(op.f(IN_ORDER), "set_results", ["state", "id"])
    op.drop_index(op.f(OF_STATE), "set_results")


def downgrade() -> None:
    op.create_index(op.f(OF_STATE), "set_results", ["state"])
    op.drop_index(op.f(IN_ORDER), "set_results")
