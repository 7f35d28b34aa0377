"""On PostgreSQL whoever inserts a seal has it made by the guard of seals; the function that made it goes. No table changes:
`lims init` brings triggers and functions up to date after every revision (lims/base/migration.py).

Revision: 0022, after 0021.
"""

from __future__ import annotations

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The functions are replaced before the first revision runs, the triggers after the last."""


def downgrade() -> None:
    """The program of before brings its own functions and triggers."""
