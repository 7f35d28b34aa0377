"""First tables: all subjects and the ab_* tables of Flask-AppBuilder, with the triggers that freeze cast mixes.

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lims.base.columns import ExactDecimal, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# As they were at this revision; lims/mixes/triggers.py holds the present text.
MESSAGE = "mix revision is frozen: it was cast"

SQLITE = {
    "mix_revisions": (
        f"""CREATE TRIGGER mix_revisions_frozen_update BEFORE UPDATE ON mix_revisions
WHEN OLD.frozen_at IS NOT NULL BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END""",
        f"""CREATE TRIGGER mix_revisions_frozen_delete BEFORE DELETE ON mix_revisions
WHEN OLD.frozen_at IS NOT NULL BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END""",
    ),
    "mix_components": tuple(
        f"""CREATE TRIGGER mix_components_frozen_{action.lower()} BEFORE {action} ON mix_components
WHEN EXISTS (SELECT 1 FROM mix_revisions WHERE id = {row}.revision_id AND frozen_at IS NOT NULL)
BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"""
        for action, row in (("INSERT", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD"))
    ),
}

POSTGRESQL = {
    "mix_revisions": (
        f"""CREATE OR REPLACE FUNCTION mix_revisions_frozen() RETURNS trigger AS $$
BEGIN
  IF OLD.frozen_at IS NOT NULL THEN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'check_violation'; END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$ LANGUAGE plpgsql""",
        """CREATE TRIGGER mix_revisions_frozen BEFORE UPDATE OR DELETE ON mix_revisions
FOR EACH ROW EXECUTE FUNCTION mix_revisions_frozen()""",
    ),
    "mix_components": (
        f"""CREATE OR REPLACE FUNCTION mix_components_frozen() RETURNS trigger AS $$
DECLARE wanted bigint;
BEGIN
  wanted := CASE WHEN TG_OP = 'INSERT' THEN NEW.revision_id ELSE OLD.revision_id END;
  IF EXISTS (SELECT 1 FROM mix_revisions WHERE id = wanted AND frozen_at IS NOT NULL) THEN
    RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$ LANGUAGE plpgsql""",
        """CREATE TRIGGER mix_components_frozen BEFORE INSERT OR UPDATE OR DELETE ON mix_components
FOR EACH ROW EXECUTE FUNCTION mix_components_frozen()""",
    ),
}


def upgrade() -> None:
    op.create_table(
        "ab_group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("label", sa.String(length=150), nullable=True),
        sa.Column("description", sa.String(length=512), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ab_group")),
        sa.UniqueConstraint("name", name=op.f("uq_ab_group_name")),
    )
    op.create_table(
        "ab_permission",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ab_permission")),
        sa.UniqueConstraint("name", name=op.f("uq_ab_permission_name")),
    )
    op.create_table(
        "ab_register_user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("first_name", sa.String(length=64), nullable=False),
        sa.Column("last_name", sa.String(length=64), nullable=False),
        sa.Column("username", sa.String(length=128), nullable=False),
        sa.Column("password", sa.String(length=256), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("registration_date", sa.DateTime(), nullable=True),
        sa.Column("registration_hash", sa.String(length=256), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ab_register_user")),
        sa.UniqueConstraint("email", name=op.f("uq_ab_register_user_email")),
        sa.UniqueConstraint("username", name=op.f("uq_ab_register_user_username")),
    )
    op.create_table(
        "ab_role",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ab_role")),
        sa.UniqueConstraint("name", name=op.f("uq_ab_role_name")),
    )
    op.create_table(
        "ab_user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("first_name", sa.String(length=64), nullable=False),
        sa.Column("last_name", sa.String(length=64), nullable=False),
        sa.Column("username", sa.String(length=128), nullable=False),
        sa.Column("password", sa.String(length=256), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("last_login", sa.DateTime(), nullable=True),
        sa.Column("login_count", sa.Integer(), nullable=True),
        sa.Column("fail_login_count", sa.Integer(), nullable=True),
        sa.Column("created_on", sa.DateTime(), nullable=True),
        sa.Column("changed_on", sa.DateTime(), nullable=True),
        sa.Column("created_by_fk", sa.Integer(), nullable=True),
        sa.Column("changed_by_fk", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["changed_by_fk"], ["ab_user.id"], name=op.f("fk_ab_user_changed_by_fk_ab_user")
        ),
        sa.ForeignKeyConstraint(
            ["created_by_fk"], ["ab_user.id"], name=op.f("fk_ab_user_created_by_fk_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ab_user")),
        sa.UniqueConstraint("email", name=op.f("uq_ab_user_email")),
        sa.UniqueConstraint("username", name=op.f("uq_ab_user_username")),
    )
    op.create_table(
        "ab_view_menu",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ab_view_menu")),
        sa.UniqueConstraint("name", name=op.f("uq_ab_view_menu_name")),
    )
    op.create_table(
        "admixture_lots",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("supplier", sa.String(length=120), nullable=True),
        sa.Column("delivered_on", sa.Date(), nullable=True),
        sa.Column("solids_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("water_reduction_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("recommended_dosage_percent", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admixture_lots")),
        sa.UniqueConstraint("code", name=op.f("uq_admixture_lots_code")),
    )
    with op.batch_alter_table("admixture_lots", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_admixture_lots_kind"), ["kind"], unique=False)

    op.create_table(
        "advice_cards",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advice_cards")),
        sa.UniqueConstraint("code", name=op.f("uq_advice_cards_code")),
    )
    with op.batch_alter_table("advice_cards", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_advice_cards_language"), ["language"], unique=False)

    op.create_table(
        "cement_products",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("origin", sa.String(length=12), nullable=False),
        sa.Column("maker", sa.String(length=120), nullable=True),
        sa.Column("cement_type", sa.String(length=12), nullable=False),
        sa.Column("strength_class", sa.String(length=10), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cement_products")),
        sa.UniqueConstraint("code", name=op.f("uq_cement_products_code")),
    )
    with op.batch_alter_table("cement_products", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_cement_products_origin"), ["origin"], unique=False)

    op.create_table(
        "checkpoints",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("result_count", sa.Integer(), nullable=False),
        sa.Column("root_sha256", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoints")),
        sa.UniqueConstraint("number", name=op.f("uq_checkpoints_number")),
    )
    op.create_table(
        "forecast_models",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version_hash", sa.String(length=64), nullable=False),
        sa.Column("early_ages", sa.String(length=80), nullable=False),
        sa.Column("age_days", sa.Integer(), nullable=False),
        sa.Column("laboratories", sa.Integer(), nullable=False),
        sa.Column("mixes", sa.Integer(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecast_models")),
        sa.UniqueConstraint("version_hash", name=op.f("uq_forecast_models_version_hash")),
    )
    with op.batch_alter_table("forecast_models", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_forecast_models_early_ages"), ["early_ages"], unique=False)

    op.create_table(
        "import_runs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("rows_read", sa.Integer(), nullable=False),
        sa.Column("mixes_added", sa.Integer(), nullable=False),
        sa.Column("specimens_added", sa.Integer(), nullable=False),
        sa.Column("duplicate_rows", sa.Integer(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_runs")),
        sa.UniqueConstraint("sha256", name=op.f("uq_import_runs_sha256")),
    )
    op.create_table(
        "mix_designs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("laboratory", sa.String(length=80), nullable=False),
        sa.Column("strength_class", sa.String(length=20), nullable=True),
        sa.Column("grade_mpa", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("slump_mm", ExactDecimal(places=0, digits=15), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mix_designs")),
        sa.UniqueConstraint("laboratory", "code", name=op.f("uq_mix_designs_laboratory_code")),
    )
    with op.batch_alter_table("mix_designs", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_mix_designs_laboratory_kind"), ["laboratory", "kind"], unique=False
        )

    op.create_table(
        "number_series",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_number_series")),
    )
    op.create_table(
        "presses",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("serial_number", sa.String(length=80), nullable=True),
        sa.Column("capacity_kn", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_presses")),
        sa.UniqueConstraint("code", name=op.f("uq_presses_code")),
    )
    op.create_table(
        "regions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regions")),
        sa.UniqueConstraint("code", name=op.f("uq_regions_code")),
    )
    op.create_table(
        "scales",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("serial_number", sa.String(length=80), nullable=True),
        sa.Column("capacity_kg", ExactDecimal(places=3, digits=15), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scales")),
        sa.UniqueConstraint("code", name=op.f("uq_scales_code")),
    )
    op.create_table(
        "scm_lots",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("supplier", sa.String(length=120), nullable=True),
        sa.Column("delivered_on", sa.Date(), nullable=True),
        sa.Column("specific_surface_m2_kg", ExactDecimal(places=0, digits=15), nullable=True),
        sa.Column("activity_index_28d_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("water_demand_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("loss_on_ignition_percent", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scm_lots")),
        sa.UniqueConstraint("code", name=op.f("uq_scm_lots_code")),
    )
    with op.batch_alter_table("scm_lots", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scm_lots_kind"), ["kind"], unique=False)

    op.create_table(
        "ab_api_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("key_hash", sa.String(length=256), nullable=False),
        sa.Column("lookup_hash", sa.String(length=256), nullable=True),
        sa.Column("key_prefix", sa.String(length=16), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_on", sa.DateTime(), nullable=True),
        sa.Column("expires_on", sa.DateTime(), nullable=True),
        sa.Column("revoked_on", sa.DateTime(), nullable=True),
        sa.Column("last_used_on", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["ab_user.id"], name=op.f("fk_ab_api_key_user_id_ab_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ab_api_key")),
        sa.UniqueConstraint("lookup_hash", name=op.f("uq_ab_api_key_lookup_hash")),
        sa.UniqueConstraint("uuid", name=op.f("uq_ab_api_key_uuid")),
    )
    with op.batch_alter_table("ab_api_key", schema=None) as batch_op:
        batch_op.create_index("idx_api_key_lookup_hash", ["lookup_hash"], unique=True)
        batch_op.create_index("idx_api_key_prefix", ["key_prefix"], unique=False)
        batch_op.create_index("idx_api_key_user_id", ["user_id"], unique=False)

    op.create_table(
        "ab_group_role",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.Column("role_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["group_id"], ["ab_group.id"], name=op.f("fk_ab_group_role_group_id_ab_group"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["role_id"], ["ab_role.id"], name=op.f("fk_ab_group_role_role_id_ab_role"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ab_group_role")),
        sa.UniqueConstraint("group_id", "role_id", name=op.f("uq_ab_group_role_group_id_role_id")),
    )
    with op.batch_alter_table("ab_group_role", schema=None) as batch_op:
        batch_op.create_index("idx_group_id", ["group_id"], unique=False)
        batch_op.create_index("idx_group_role_id", ["role_id"], unique=False)

    op.create_table(
        "ab_permission_view",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("permission_id", sa.Integer(), nullable=False),
        sa.Column("view_menu_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["permission_id"],
            ["ab_permission.id"],
            name=op.f("fk_ab_permission_view_permission_id_ab_permission"),
        ),
        sa.ForeignKeyConstraint(
            ["view_menu_id"],
            ["ab_view_menu.id"],
            name=op.f("fk_ab_permission_view_view_menu_id_ab_view_menu"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ab_permission_view")),
        sa.UniqueConstraint(
            "permission_id", "view_menu_id", name=op.f("uq_ab_permission_view_permission_id_view_menu_id")
        ),
    )
    with op.batch_alter_table("ab_permission_view", schema=None) as batch_op:
        batch_op.create_index("idx_permission_id", ["permission_id"], unique=False)
        batch_op.create_index("idx_view_menu_id", ["view_menu_id"], unique=False)

    op.create_table(
        "ab_user_group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["group_id"], ["ab_group.id"], name=op.f("fk_ab_user_group_group_id_ab_group"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["ab_user.id"], name=op.f("fk_ab_user_group_user_id_ab_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ab_user_group")),
        sa.UniqueConstraint("user_id", "group_id", name=op.f("uq_ab_user_group_user_id_group_id")),
    )
    with op.batch_alter_table("ab_user_group", schema=None) as batch_op:
        batch_op.create_index("idx_user_group_id", ["group_id"], unique=False)
        batch_op.create_index("idx_user_id", ["user_id"], unique=False)

    op.create_table(
        "ab_user_role",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("role_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["role_id"], ["ab_role.id"], name=op.f("fk_ab_user_role_role_id_ab_role"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["ab_user.id"], name=op.f("fk_ab_user_role_user_id_ab_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ab_user_role")),
        sa.UniqueConstraint("user_id", "role_id", name=op.f("uq_ab_user_role_user_id_role_id")),
    )
    op.create_table(
        "aggregate_sources",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("region_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("rock", sa.String(length=80), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["region_id"], ["regions.id"], name=op.f("fk_aggregate_sources_region_id_regions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aggregate_sources")),
        sa.UniqueConstraint("code", name=op.f("uq_aggregate_sources_code")),
    )
    with op.batch_alter_table("aggregate_sources", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_aggregate_sources_kind"), ["kind"], unique=False)
        batch_op.create_index(batch_op.f("ix_aggregate_sources_region_id"), ["region_id"], unique=False)

    op.create_table(
        "calibrations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("press_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("scale_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("certificate_number", sa.String(length=80), nullable=False),
        sa.Column("calibrated_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("calibrated_by", sa.String(length=120), nullable=False),
        sa.Column("error_percent", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "(press_id IS NULL) <> (scale_id IS NULL)", name=op.f("ck_calibrations_one_device")
        ),
        sa.ForeignKeyConstraint(["press_id"], ["presses.id"], name=op.f("fk_calibrations_press_id_presses")),
        sa.ForeignKeyConstraint(["scale_id"], ["scales.id"], name=op.f("fk_calibrations_scale_id_scales")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibrations")),
    )
    with op.batch_alter_table("calibrations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_calibrations_due_on"), ["due_on"], unique=False)
        batch_op.create_index(batch_op.f("ix_calibrations_press_id"), ["press_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_calibrations_scale_id"), ["scale_id"], unique=False)

    op.create_table(
        "cement_lots",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("cement_product_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("produced_on", sa.Date(), nullable=True),
        sa.Column("delivered_on", sa.Date(), nullable=True),
        sa.Column("retested_on", sa.Date(), nullable=True),
        sa.Column("mass_t", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("specific_surface_m2_kg", ExactDecimal(places=0, digits=15), nullable=True),
        sa.Column("residue_45um_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("initial_set_min", sa.Integer(), nullable=True),
        sa.Column("final_set_min", sa.Integer(), nullable=True),
        sa.Column("strength_3d_mpa", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("strength_28d_mpa", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("so3_percent", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("mgo_percent", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("chloride_percent", ExactDecimal(places=3, digits=15), nullable=True),
        sa.Column("alkali_percent", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("loss_on_ignition_percent", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("c3a_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("scm_type", sa.String(length=60), nullable=True),
        sa.Column("scm_share_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["cement_product_id"],
            ["cement_products.id"],
            name=op.f("fk_cement_lots_cement_product_id_cement_products"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cement_lots")),
        sa.UniqueConstraint("cement_product_id", "code", name=op.f("uq_cement_lots_cement_product_id_code")),
    )
    op.create_table(
        "customers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("region_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("contact_name", sa.String(length=80), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("email", sa.String(length=200), nullable=True),
        sa.Column("address", sa.String(length=300), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_customers_region_id_regions")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("code", name=op.f("uq_customers_code")),
    )
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customers_kind"), ["kind"], unique=False)
        batch_op.create_index(batch_op.f("ix_customers_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_customers_region_id"), ["region_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_customers_status"), ["status"], unique=False)

    op.create_table(
        "forecasts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mix_design_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("forecast_model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("early_ages", sa.String(length=80), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("age_days", sa.Integer(), nullable=False),
        sa.Column("strength_mpa", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("lower_50_mpa", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("upper_50_mpa", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("lower_90_mpa", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("upper_90_mpa", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("grade_probability", ExactDecimal(places=4, digits=15), nullable=True),
        sa.Column("local_mixes", sa.Integer(), nullable=False),
        sa.Column("history_mixes", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(length=60), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("held_out", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["forecast_model_id"],
            ["forecast_models.id"],
            name=op.f("fk_forecasts_forecast_model_id_forecast_models"),
        ),
        sa.ForeignKeyConstraint(
            ["mix_design_id"], ["mix_designs.id"], name=op.f("fk_forecasts_mix_design_id_mix_designs")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecasts")),
    )
    with op.batch_alter_table("forecasts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_forecasts_forecast_model_id"), ["forecast_model_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_forecasts_mix_design_id_early_ages"), ["mix_design_id", "early_ages"], unique=False
        )

    op.create_table(
        "login_sessions",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["ab_user.id"], name=op.f("fk_login_sessions_user_id_ab_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_login_sessions")),
    )
    with op.batch_alter_table("login_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_sessions_user_id"), ["user_id"], unique=False)

    op.create_table(
        "mix_revisions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mix_design_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=True),
        sa.Column("frozen_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["mix_design_id"], ["mix_designs.id"], name=op.f("fk_mix_revisions_mix_design_id_mix_designs")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mix_revisions")),
        sa.UniqueConstraint("mix_design_id", "number", name=op.f("uq_mix_revisions_mix_design_id_number")),
    )
    with op.batch_alter_table("mix_revisions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mix_revisions_code"), ["code"], unique=False)

    op.create_table(
        "ab_permission_view_role",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("permission_view_id", sa.Integer(), nullable=True),
        sa.Column("role_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["permission_view_id"],
            ["ab_permission_view.id"],
            name=op.f("fk_ab_permission_view_role_permission_view_id_ab_permission_view"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["role_id"],
            ["ab_role.id"],
            name=op.f("fk_ab_permission_view_role_role_id_ab_role"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ab_permission_view_role")),
        sa.UniqueConstraint(
            "permission_view_id",
            "role_id",
            name=op.f("uq_ab_permission_view_role_permission_view_id_role_id"),
        ),
    )
    with op.batch_alter_table("ab_permission_view_role", schema=None) as batch_op:
        batch_op.create_index("idx_permission_view_id", ["permission_view_id"], unique=False)
        batch_op.create_index("idx_role_id", ["role_id"], unique=False)

    op.create_table(
        "aggregate_samples",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column(
            "aggregate_source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("sampled_on", sa.Date(), nullable=False),
        sa.Column("season", sa.String(length=10), nullable=True),
        sa.Column("retained_g", sa.String(length=200), nullable=True),
        sa.Column("fineness_modulus", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("sand_class", sa.String(length=20), nullable=True),
        sa.Column("zone", sa.String(length=5), nullable=True),
        sa.Column("mud_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("clay_lumps_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("flaky_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("moisture_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("largest_size_mm", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["aggregate_source_id"],
            ["aggregate_sources.id"],
            name=op.f("fk_aggregate_samples_aggregate_source_id_aggregate_sources"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aggregate_samples")),
        sa.UniqueConstraint("code", name=op.f("uq_aggregate_samples_code")),
    )
    with op.batch_alter_table("aggregate_samples", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_aggregate_samples_aggregate_source_id"), ["aggregate_source_id"], unique=False
        )

    op.create_table(
        "mix_components",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=True),
        sa.Column("mass_kg_m3", ExactDecimal(places=3, digits=15), nullable=False),
        sa.Column("price_per_t", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("cement_product_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("mass_kg_m3 >= 0", name=op.f("ck_mix_components_mass_not_negative")),
        sa.ForeignKeyConstraint(
            ["cement_product_id"],
            ["cement_products.id"],
            name=op.f("fk_mix_components_cement_product_id_cement_products"),
        ),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["mix_revisions.id"], name=op.f("fk_mix_components_revision_id_mix_revisions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mix_components")),
    )
    with op.batch_alter_table("mix_components", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_mix_components_cement_product_id"), ["cement_product_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_mix_components_revision_id"), ["revision_id"], unique=False)

    op.create_table(
        "seminars",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=True),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("participants", sa.Integer(), nullable=True),
        sa.Column("topics", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_seminars_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seminars")),
    )
    with op.batch_alter_table("seminars", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_seminars_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "sites",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("region_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("address", sa.String(length=300), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_sites_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_sites_region_id_regions")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
        sa.UniqueConstraint("code", name=op.f("uq_sites_code")),
    )
    with op.batch_alter_table("sites", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sites_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sites_region_id"), ["region_id"], unique=False)

    op.create_table(
        "surveys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("answered_on", sa.Date(), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("steadiness", sa.Integer(), nullable=False),
        sa.Column("delivery", sa.Integer(), nullable=False),
        sa.Column("service", sa.Integer(), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_surveys_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_surveys")),
    )
    with op.batch_alter_table("surveys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_surveys_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "trials",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("region_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("cement_product_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["cement_product_id"],
            ["cement_products.id"],
            name=op.f("fk_trials_cement_product_id_cement_products"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_trials_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_trials_region_id_regions")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trials")),
        sa.UniqueConstraint("code", name=op.f("uq_trials_code")),
    )
    with op.batch_alter_table("trials", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_trials_cement_product_id"), ["cement_product_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_trials_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_trials_region_id"), ["region_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_trials_state"), ["state"], unique=False)

    op.create_table(
        "batches",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("trial_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mix_revision_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cast_at", UtcDateTime(), nullable=True),
        sa.Column("volume_m3", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("cement_lot_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("aggregate_sample_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("slump_mm", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("air_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("concrete_temperature_c", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("ambient_temperature_c", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("curing", sa.String(length=20), nullable=False),
        sa.Column("curing_temperature_c", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("element", sa.String(length=200), nullable=True),
        sa.Column("technician", sa.String(length=80), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("volume_m3 > 0", name=op.f("ck_batches_volume_above_zero")),
        sa.ForeignKeyConstraint(
            ["aggregate_sample_id"],
            ["aggregate_samples.id"],
            name=op.f("fk_batches_aggregate_sample_id_aggregate_samples"),
        ),
        sa.ForeignKeyConstraint(
            ["cement_lot_id"], ["cement_lots.id"], name=op.f("fk_batches_cement_lot_id_cement_lots")
        ),
        sa.ForeignKeyConstraint(
            ["mix_revision_id"], ["mix_revisions.id"], name=op.f("fk_batches_mix_revision_id_mix_revisions")
        ),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name=op.f("fk_batches_trial_id_trials")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("code", name=op.f("uq_batches_code")),
    )
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_batches_aggregate_sample_id"), ["aggregate_sample_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_batches_cast_at"), ["cast_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_batches_cement_lot_id"), ["cement_lot_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_batches_mix_revision_id"), ["mix_revision_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_batches_trial_id"), ["trial_id"], unique=False)

    op.create_table(
        "complaints",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("cement_lot_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("on_site_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("remedy", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["cement_lot_id"], ["cement_lots.id"], name=op.f("fk_complaints_cement_lot_id_cement_lots")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_complaints_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_complaints_site_id_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaints")),
        sa.UniqueConstraint("code", name=op.f("uq_complaints_code")),
    )
    with op.batch_alter_table("complaints", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_complaints_cement_lot_id"), ["cement_lot_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaints_closed_at"), ["closed_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaints_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaints_severity"), ["severity"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaints_site_id"), ["site_id"], unique=False)

    op.create_table(
        "share_links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("trial_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("shows", sa.String(length=200), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_share_links_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name=op.f("fk_share_links_trial_id_trials")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_links")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_share_links_token_sha256")),
    )
    with op.batch_alter_table("share_links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_share_links_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_share_links_trial_id"), ["trial_id"], unique=False)

    op.create_table(
        "usage_cards",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("cement_product_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("recorded_on", sa.Date(), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("strength_class", sa.String(length=20), nullable=True),
        sa.Column("monthly_use_t", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("storage", sa.String(length=200), nullable=True),
        sa.Column("mixing", sa.String(length=200), nullable=True),
        sa.Column("curing", sa.String(length=200), nullable=True),
        sa.Column("admixtures", sa.String(length=200), nullable=True),
        sa.Column("requirements", sa.Text(), nullable=True),
        sa.Column("remarks", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["cement_product_id"],
            ["cement_products.id"],
            name=op.f("fk_usage_cards_cement_product_id_cement_products"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_usage_cards_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_usage_cards_site_id_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_cards")),
    )
    with op.batch_alter_table("usage_cards", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_usage_cards_cement_product_id"), ["cement_product_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_usage_cards_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_usage_cards_site_id"), ["site_id"], unique=False)

    op.create_table(
        "visits",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("visited_on", sa.Date(), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("findings", sa.Text(), nullable=True),
        sa.Column("advice", sa.Text(), nullable=True),
        sa.Column("follow_up_on", sa.Date(), nullable=True),
        sa.Column("followed_up_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_visits_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_visits_site_id_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visits")),
    )
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_visits_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_visits_follow_up_on"), ["follow_up_on"], unique=False)
        batch_op.create_index(batch_op.f("ix_visits_site_id"), ["site_id"], unique=False)

    op.create_table(
        "certificates",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("replaces_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_certificates_batch_id_batches")),
        sa.ForeignKeyConstraint(
            ["replaces_id"], ["certificates.id"], name=op.f("fk_certificates_replaces_id_certificates")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificates")),
        sa.UniqueConstraint("code", name=op.f("uq_certificates_code")),
        sa.UniqueConstraint("replaces_id", name=op.f("uq_certificates_replaces_id")),
    )
    with op.batch_alter_table("certificates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_certificates_batch_id"), ["batch_id"], unique=False)

    op.create_table(
        "retests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cement_lot_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("complaint_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("ordered_on", sa.Date(), nullable=False),
        sa.Column("finished_on", sa.Date(), nullable=True),
        sa.Column("strength_3d_mpa", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("strength_28d_mpa", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["cement_lot_id"], ["cement_lots.id"], name=op.f("fk_retests_cement_lot_id_cement_lots")
        ),
        sa.ForeignKeyConstraint(
            ["complaint_id"], ["complaints.id"], name=op.f("fk_retests_complaint_id_complaints")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retests")),
    )
    with op.batch_alter_table("retests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_retests_cement_lot_id"), ["cement_lot_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_retests_complaint_id"), ["complaint_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_retests_outcome"), ["outcome"], unique=False)

    op.create_table(
        "specimen_sets",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("age_days", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("due_from", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("due_until", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_specimen_sets_batch_id_batches")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_specimen_sets")),
        sa.UniqueConstraint(
            "batch_id", "age_days", "number", name=op.f("uq_specimen_sets_batch_id_age_days_number")
        ),
        sa.UniqueConstraint("code", name=op.f("uq_specimen_sets_code")),
    )
    with op.batch_alter_table("specimen_sets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_specimen_sets_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_specimen_sets_state_due_at"), ["state", "due_at"], unique=False)

    op.create_table(
        "set_results",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("specimen_set_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("superseded_at", UtcDateTime(), nullable=True),
        sa.Column("rule_id", sa.String(length=60), nullable=False),
        sa.Column("edition", sa.String(length=40), nullable=False),
        sa.Column("strength_mpa", ExactDecimal(places=3, digits=15), nullable=True),
        sa.Column("basis", sa.String(length=10), nullable=False),
        sa.Column("specimen_count", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("verified_by", sa.String(length=80), nullable=True),
        sa.Column("verified_at", UtcDateTime(), nullable=True),
        sa.Column("released_by", sa.String(length=80), nullable=True),
        sa.Column("released_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["specimen_set_id"],
            ["specimen_sets.id"],
            name=op.f("fk_set_results_specimen_set_id_specimen_sets"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_results")),
        sa.UniqueConstraint("specimen_set_id", "number", name=op.f("uq_set_results_specimen_set_id_number")),
    )
    with op.batch_alter_table("set_results", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_set_results_specimen_set_id_superseded_at"),
            ["specimen_set_id", "superseded_at"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_set_results_state"), ["state"], unique=False)

    op.create_table(
        "specimens",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("specimen_set_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=90), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("shape", sa.String(length=20), nullable=False),
        sa.Column("width_mm", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("length_mm", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["specimen_set_id"], ["specimen_sets.id"], name=op.f("fk_specimens_specimen_set_id_specimen_sets")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_specimens")),
        sa.UniqueConstraint("code", name=op.f("uq_specimens_code")),
        sa.UniqueConstraint("specimen_set_id", "number", name=op.f("uq_specimens_specimen_set_id_number")),
    )
    with op.batch_alter_table("specimens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_specimens_specimen_set_id"), ["specimen_set_id"], unique=False)

    op.create_table(
        "breaks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("specimen_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("superseded_at", UtcDateTime(), nullable=True),
        sa.Column("load_kn", ExactDecimal(places=3, digits=15), nullable=True),
        sa.Column("reported", sa.Boolean(), nullable=False),
        sa.Column("strength_mpa", ExactDecimal(places=4, digits=15), nullable=False),
        sa.Column("press_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("tested_by", sa.String(length=80), nullable=True),
        sa.Column("tested_at", UtcDateTime(), nullable=True),
        sa.Column("age_hours", ExactDecimal(places=2, digits=15), nullable=True),
        sa.Column("age_within", sa.Boolean(), nullable=True),
        sa.Column("loading_rate_mpa_s", ExactDecimal(places=3, digits=15), nullable=True),
        sa.Column("remark", sa.String(length=400), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("reported OR load_kn IS NOT NULL", name=op.f("ck_breaks_load_unless_reported")),
        sa.CheckConstraint("strength_mpa >= 0", name=op.f("ck_breaks_strength_not_negative")),
        sa.ForeignKeyConstraint(["press_id"], ["presses.id"], name=op.f("fk_breaks_press_id_presses")),
        sa.ForeignKeyConstraint(
            ["specimen_id"], ["specimens.id"], name=op.f("fk_breaks_specimen_id_specimens")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_breaks")),
        sa.UniqueConstraint("specimen_id", "number", name=op.f("uq_breaks_specimen_id_number")),
    )
    with op.batch_alter_table("breaks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_breaks_press_id"), ["press_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_breaks_tested_at"), ["tested_at"], unique=False)
    statements = SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL
    for table in ("mix_revisions", "mix_components"):
        for statement in statements[table]:
            op.execute(sa.DDL(statement.replace("%", "%%")))


def downgrade() -> None:
    with op.batch_alter_table("breaks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_breaks_tested_at"))
        batch_op.drop_index(batch_op.f("ix_breaks_press_id"))

    op.drop_table("breaks")
    with op.batch_alter_table("specimens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_specimens_specimen_set_id"))

    op.drop_table("specimens")
    with op.batch_alter_table("set_results", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_set_results_state"))
        batch_op.drop_index(batch_op.f("ix_set_results_specimen_set_id_superseded_at"))

    op.drop_table("set_results")
    with op.batch_alter_table("specimen_sets", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_specimen_sets_state_due_at"))
        batch_op.drop_index(batch_op.f("ix_specimen_sets_batch_id"))

    op.drop_table("specimen_sets")
    with op.batch_alter_table("retests", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_retests_outcome"))
        batch_op.drop_index(batch_op.f("ix_retests_complaint_id"))
        batch_op.drop_index(batch_op.f("ix_retests_cement_lot_id"))

    op.drop_table("retests")
    with op.batch_alter_table("certificates", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_certificates_batch_id"))

    op.drop_table("certificates")
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_visits_site_id"))
        batch_op.drop_index(batch_op.f("ix_visits_follow_up_on"))
        batch_op.drop_index(batch_op.f("ix_visits_customer_id"))

    op.drop_table("visits")
    with op.batch_alter_table("usage_cards", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_usage_cards_site_id"))
        batch_op.drop_index(batch_op.f("ix_usage_cards_customer_id"))
        batch_op.drop_index(batch_op.f("ix_usage_cards_cement_product_id"))

    op.drop_table("usage_cards")
    with op.batch_alter_table("share_links", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_share_links_trial_id"))
        batch_op.drop_index(batch_op.f("ix_share_links_customer_id"))

    op.drop_table("share_links")
    with op.batch_alter_table("complaints", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_complaints_site_id"))
        batch_op.drop_index(batch_op.f("ix_complaints_severity"))
        batch_op.drop_index(batch_op.f("ix_complaints_customer_id"))
        batch_op.drop_index(batch_op.f("ix_complaints_closed_at"))
        batch_op.drop_index(batch_op.f("ix_complaints_cement_lot_id"))

    op.drop_table("complaints")
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_batches_trial_id"))
        batch_op.drop_index(batch_op.f("ix_batches_mix_revision_id"))
        batch_op.drop_index(batch_op.f("ix_batches_cement_lot_id"))
        batch_op.drop_index(batch_op.f("ix_batches_cast_at"))
        batch_op.drop_index(batch_op.f("ix_batches_aggregate_sample_id"))

    op.drop_table("batches")
    with op.batch_alter_table("trials", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_trials_state"))
        batch_op.drop_index(batch_op.f("ix_trials_region_id"))
        batch_op.drop_index(batch_op.f("ix_trials_customer_id"))
        batch_op.drop_index(batch_op.f("ix_trials_cement_product_id"))

    op.drop_table("trials")
    with op.batch_alter_table("surveys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_surveys_customer_id"))

    op.drop_table("surveys")
    with op.batch_alter_table("sites", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sites_region_id"))
        batch_op.drop_index(batch_op.f("ix_sites_customer_id"))

    op.drop_table("sites")
    with op.batch_alter_table("seminars", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_seminars_customer_id"))

    op.drop_table("seminars")
    with op.batch_alter_table("mix_components", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mix_components_revision_id"))
        batch_op.drop_index(batch_op.f("ix_mix_components_cement_product_id"))

    op.drop_table("mix_components")
    with op.batch_alter_table("aggregate_samples", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_aggregate_samples_aggregate_source_id"))

    op.drop_table("aggregate_samples")
    with op.batch_alter_table("ab_permission_view_role", schema=None) as batch_op:
        batch_op.drop_index("idx_role_id")
        batch_op.drop_index("idx_permission_view_id")

    op.drop_table("ab_permission_view_role")
    with op.batch_alter_table("mix_revisions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mix_revisions_code"))

    op.drop_table("mix_revisions")
    with op.batch_alter_table("login_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_sessions_user_id"))

    op.drop_table("login_sessions")
    with op.batch_alter_table("forecasts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_forecasts_mix_design_id_early_ages"))
        batch_op.drop_index(batch_op.f("ix_forecasts_forecast_model_id"))

    op.drop_table("forecasts")
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customers_status"))
        batch_op.drop_index(batch_op.f("ix_customers_region_id"))
        batch_op.drop_index(batch_op.f("ix_customers_name"))
        batch_op.drop_index(batch_op.f("ix_customers_kind"))

    op.drop_table("customers")
    op.drop_table("cement_lots")
    with op.batch_alter_table("calibrations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_calibrations_scale_id"))
        batch_op.drop_index(batch_op.f("ix_calibrations_press_id"))
        batch_op.drop_index(batch_op.f("ix_calibrations_due_on"))

    op.drop_table("calibrations")
    with op.batch_alter_table("aggregate_sources", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_aggregate_sources_region_id"))
        batch_op.drop_index(batch_op.f("ix_aggregate_sources_kind"))

    op.drop_table("aggregate_sources")
    op.drop_table("ab_user_role")
    with op.batch_alter_table("ab_user_group", schema=None) as batch_op:
        batch_op.drop_index("idx_user_id")
        batch_op.drop_index("idx_user_group_id")

    op.drop_table("ab_user_group")
    with op.batch_alter_table("ab_permission_view", schema=None) as batch_op:
        batch_op.drop_index("idx_view_menu_id")
        batch_op.drop_index("idx_permission_id")

    op.drop_table("ab_permission_view")
    with op.batch_alter_table("ab_group_role", schema=None) as batch_op:
        batch_op.drop_index("idx_group_role_id")
        batch_op.drop_index("idx_group_id")

    op.drop_table("ab_group_role")
    with op.batch_alter_table("ab_api_key", schema=None) as batch_op:
        batch_op.drop_index("idx_api_key_user_id")
        batch_op.drop_index("idx_api_key_prefix")
        batch_op.drop_index("idx_api_key_lookup_hash")

    op.drop_table("ab_api_key")
    with op.batch_alter_table("scm_lots", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_scm_lots_kind"))

    op.drop_table("scm_lots")
    op.drop_table("scales")
    op.drop_table("regions")
    op.drop_table("presses")
    op.drop_table("number_series")
    with op.batch_alter_table("mix_designs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mix_designs_laboratory_kind"))

    op.drop_table("mix_designs")
    op.drop_table("import_runs")
    with op.batch_alter_table("forecast_models", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_forecast_models_early_ages"))

    op.drop_table("forecast_models")
    op.drop_table("checkpoints")
    with op.batch_alter_table("cement_products", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_cement_products_origin"))

    op.drop_table("cement_products")
    with op.batch_alter_table("advice_cards", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_advice_cards_language"))

    op.drop_table("advice_cards")
    with op.batch_alter_table("admixture_lots", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_admixture_lots_kind"))

    op.drop_table("admixture_lots")
    op.drop_table("ab_view_menu")
    op.drop_table("ab_user")
    op.drop_table("ab_role")
    op.drop_table("ab_register_user")
    op.drop_table("ab_permission")
    op.drop_table("ab_group")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION IF EXISTS mix_revisions_frozen()")
        op.execute("DROP FUNCTION IF EXISTS mix_components_frozen()")
