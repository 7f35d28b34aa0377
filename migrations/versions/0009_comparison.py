"""Prices, comparisons of cements, changes at the works, customers' materials and the weekly programme.

Revision: 0009, after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.records import exactly_one

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


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
        "prices",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("cement_product_id", KEY, nullable=True),
        sa.Column("region_id", KEY, nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("price_per_t", ExactDecimal(places=2), nullable=False),
        sa.Column("remark", sa.String(length=200), nullable=True),
        *_stamps(),
        sa.CheckConstraint(
            "(kind = 'cement' AND cement_product_id IS NOT NULL) OR (kind <> 'cement' AND cement_product_id IS NULL)",
            name=op.f("ck_prices_cement_named"),
        ),
        sa.CheckConstraint("price_per_t > 0", name=op.f("ck_prices_price_above_zero")),
        sa.ForeignKeyConstraint(
            ["cement_product_id"],
            ["cement_products.id"],
            name=op.f("fk_prices_cement_product_id_cement_products"),
        ),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_prices_region_id_regions")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prices")),
    )
    op.create_index(op.f("ix_prices_cement_product_id"), "prices", ["cement_product_id"])
    op.create_index(op.f("ix_prices_kind_valid_from"), "prices", ["kind", "valid_from"])
    op.create_index(op.f("ix_prices_region_id"), "prices", ["region_id"])

    op.create_table(
        "process_changes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("cement_product_id", KEY, nullable=False),
        sa.Column("holds_from", sa.Date(), nullable=False),
        sa.Column("first_lot_id", KEY, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("al2o3_from_percent", ExactDecimal(places=2), nullable=True),
        sa.Column("al2o3_to_percent", ExactDecimal(places=2), nullable=True),
        sa.Column("specific_surface_from_m2_kg", ExactDecimal(places=0), nullable=True),
        sa.Column("specific_surface_to_m2_kg", ExactDecimal(places=0), nullable=True),
        sa.Column("residue_45um_from_percent", ExactDecimal(places=1), nullable=True),
        sa.Column("residue_45um_to_percent", ExactDecimal(places=1), nullable=True),
        sa.Column("scm_from", sa.String(length=60), nullable=True),
        sa.Column("scm_to", sa.String(length=60), nullable=True),
        sa.Column("scm_share_from_percent", ExactDecimal(places=1), nullable=True),
        sa.Column("scm_share_to_percent", ExactDecimal(places=1), nullable=True),
        sa.Column("initial_set_from_min", sa.Integer(), nullable=True),
        sa.Column("initial_set_to_min", sa.Integer(), nullable=True),
        sa.Column("other_changes", sa.Text(), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["cement_product_id"],
            ["cement_products.id"],
            name=op.f("fk_process_changes_cement_product_id_cement_products"),
        ),
        sa.ForeignKeyConstraint(
            ["first_lot_id"], ["cement_lots.id"], name=op.f("fk_process_changes_first_lot_id_cement_lots")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_changes")),
        sa.UniqueConstraint("code", name=op.f("uq_process_changes_code")),
    )
    op.create_index(op.f("ix_process_changes_cement_product_id"), "process_changes", ["cement_product_id"])
    op.create_index(op.f("ix_process_changes_first_lot_id"), "process_changes", ["first_lot_id"])

    op.create_table(
        "comparisons",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("own_id", KEY, nullable=False),
        sa.Column("other_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("age_days", sa.Integer(), nullable=False),
        sa.Column("target_mpa", ExactDecimal(places=1), nullable=False),
        sa.Column("water_kg_m3", ExactDecimal(places=1), nullable=True),
        sa.Column("slump_mm", ExactDecimal(places=0), nullable=True),
        sa.Column("region_id", KEY, nullable=True),
        sa.Column("trial_id", KEY, nullable=True),
        sa.Column("aggregate_source_id", KEY, nullable=True),
        sa.Column("admixture_lot_id", KEY, nullable=True),
        sa.Column("scm", sa.String(length=20), nullable=True),
        sa.Column("cast_from", sa.Date(), nullable=True),
        sa.Column("cast_until", sa.Date(), nullable=True),
        sa.Column("priced_on", sa.Date(), nullable=False),
        sa.Column("earlier_id", KEY, nullable=True),
        sa.Column("remarks", sa.Text(), nullable=True),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("told_apart", sa.Boolean(), nullable=False),
        sa.Column("binder_difference_kg_m3", ExactDecimal(places=1), nullable=False),
        sa.Column("cost_difference_per_m3", ExactDecimal(places=2), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["admixture_lot_id"],
            ["admixture_lots.id"],
            name=op.f("fk_comparisons_admixture_lot_id_admixture_lots"),
        ),
        sa.ForeignKeyConstraint(
            ["aggregate_source_id"],
            ["aggregate_sources.id"],
            name=op.f("fk_comparisons_aggregate_source_id_aggregate_sources"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_comparisons_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(
            ["earlier_id"], ["comparisons.id"], name=op.f("fk_comparisons_earlier_id_comparisons")
        ),
        sa.ForeignKeyConstraint(
            ["other_id"], ["cement_products.id"], name=op.f("fk_comparisons_other_id_cement_products")
        ),
        sa.ForeignKeyConstraint(
            ["own_id"], ["cement_products.id"], name=op.f("fk_comparisons_own_id_cement_products")
        ),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_comparisons_region_id_regions")),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name=op.f("fk_comparisons_trial_id_trials")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparisons")),
        sa.UniqueConstraint("code", name=op.f("uq_comparisons_code")),
    )
    op.create_index(op.f("ix_comparisons_admixture_lot_id"), "comparisons", ["admixture_lot_id"])
    op.create_index(op.f("ix_comparisons_aggregate_source_id"), "comparisons", ["aggregate_source_id"])
    op.create_index(op.f("ix_comparisons_customer_id"), "comparisons", ["customer_id"])
    op.create_index(op.f("ix_comparisons_earlier_id"), "comparisons", ["earlier_id"])
    op.create_index(op.f("ix_comparisons_other_id"), "comparisons", ["other_id"])
    op.create_index(op.f("ix_comparisons_own_id"), "comparisons", ["own_id"])
    op.create_index(op.f("ix_comparisons_region_id"), "comparisons", ["region_id"])
    op.create_index(op.f("ix_comparisons_trial_id"), "comparisons", ["trial_id"])

    op.create_table(
        "customer_materials",
        sa.Column("id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("aggregate_sample_id", KEY, nullable=True),
        sa.Column("scm_lot_id", KEY, nullable=True),
        sa.Column("admixture_lot_id", KEY, nullable=True),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("remark", sa.String(length=200), nullable=True),
        *_stamps(),
        sa.CheckConstraint(
            exactly_one("aggregate_sample_id", "scm_lot_id", "admixture_lot_id"),
            name=op.f("ck_customer_materials_one_lot"),
        ),
        sa.ForeignKeyConstraint(
            ["admixture_lot_id"],
            ["admixture_lots.id"],
            name=op.f("fk_customer_materials_admixture_lot_id_admixture_lots"),
        ),
        sa.ForeignKeyConstraint(
            ["aggregate_sample_id"],
            ["aggregate_samples.id"],
            name=op.f("fk_customer_materials_aggregate_sample_id_aggregate_samples"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_customer_materials_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(
            ["scm_lot_id"], ["scm_lots.id"], name=op.f("fk_customer_materials_scm_lot_id_scm_lots")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_materials")),
    )
    op.create_index(
        op.f("ix_customer_materials_admixture_lot_id"), "customer_materials", ["admixture_lot_id"]
    )
    op.create_index(
        op.f("ix_customer_materials_aggregate_sample_id"), "customer_materials", ["aggregate_sample_id"]
    )
    op.create_index(op.f("ix_customer_materials_customer_id"), "customer_materials", ["customer_id"])
    op.create_index(op.f("ix_customer_materials_kind"), "customer_materials", ["kind"])
    op.create_index(op.f("ix_customer_materials_scm_lot_id"), "customer_materials", ["scm_lot_id"])

    op.create_table(
        "programme_entries",
        sa.Column("id", KEY, nullable=False),
        sa.Column("trial_id", KEY, nullable=False),
        sa.Column("week_of", sa.Date(), nullable=False),
        sa.Column("mix_revision_id", KEY, nullable=False),
        sa.Column("batches", sa.Integer(), nullable=False),
        sa.Column("plan_ages", sa.String(length=80), nullable=False),
        sa.Column("responsible", sa.String(length=80), nullable=True),
        sa.Column("remark", sa.String(length=200), nullable=True),
        *_stamps(),
        sa.CheckConstraint("batches > 0", name=op.f("ck_programme_entries_batches_above_zero")),
        sa.ForeignKeyConstraint(
            ["mix_revision_id"],
            ["mix_revisions.id"],
            name=op.f("fk_programme_entries_mix_revision_id_mix_revisions"),
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["trials.id"], name=op.f("fk_programme_entries_trial_id_trials")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programme_entries")),
    )
    op.create_index(op.f("ix_programme_entries_mix_revision_id"), "programme_entries", ["mix_revision_id"])
    op.create_index(op.f("ix_programme_entries_trial_id"), "programme_entries", ["trial_id"])
    op.create_index(op.f("ix_programme_entries_week_of"), "programme_entries", ["week_of"])


def downgrade() -> None:
    for table in ("programme_entries", "customer_materials", "comparisons", "process_changes", "prices"):
        op.drop_table(table)
