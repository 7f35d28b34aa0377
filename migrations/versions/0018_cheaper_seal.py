"""The seal costs less (an index that nothing reads goes); the database refuses to change a signature.

Revision: 0018, after 0017.
"""

from __future__ import annotations

from alembic import op

from lims.base.signatures import postgresql_guards, sqlite_guards

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f("ix_audit_transactions_actor"), "audit_transactions")
    for statement in sqlite_guards() if op.get_bind().dialect.name == "sqlite" else postgresql_guards():
        op.execute(statement)


def downgrade() -> None:
    for name in ("fixed", "delete"):
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TRIGGER signatures_{name}")
        else:
            op.execute(f"DROP TRIGGER signatures_{name} ON signatures")
            op.execute(f"DROP FUNCTION signatures_{name}()")
    op.create_index(op.f("ix_audit_transactions_actor"), "audit_transactions", ["actor"])
