"""The press room: lots and warnings of a batch, held and discarded sets, tanks and readings, moulds, press files,
cement tests, shotcrete; results that can be retracted, and the database's own refusals about results.

Revision: 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.records import exactly_one
from lims.results import triggers
from lims.searching.triggers import NUMBERS, sqlite_triggers

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

#: (table, column, referred table): added in place, because a table that others refer to is not made anew under them.
REFERENCES = (
    ("batches", "site_id", "sites"),
    ("specimen_sets", "curing_tank_id", "curing_tanks"),
    ("specimen_sets", "retest_of_id", "specimen_sets"),
)
GUARDED = ("breaks", "set_results")


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.create_table(
        "curing_tanks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("temperature_c", ExactDecimal(places=1, digits=15), nullable=False),
        sa.Column("relative_humidity_percent", ExactDecimal(places=0, digits=15), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_curing_tanks")),
        sa.UniqueConstraint("code", name=op.f("uq_curing_tanks_code")),
    )
    op.create_table(
        "moulds",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("shape", sa.String(length=20), nullable=False),
        sa.Column("width_mm", ExactDecimal(places=2, digits=15), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moulds")),
        sa.UniqueConstraint("code", name=op.f("uq_moulds_code")),
    )
    op.create_table(
        "press_mappings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("press_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("encoding", sa.String(length=20), nullable=False),
        sa.Column("delimiter", sa.String(length=10), nullable=False),
        sa.Column("decimal_mark", sa.String(length=1), nullable=False),
        sa.Column("header_row", sa.Integer(), nullable=False),
        sa.Column("code_column", sa.String(length=80), nullable=False),
        sa.Column("load_column", sa.String(length=80), nullable=False),
        sa.Column("load_unit", sa.String(length=8), nullable=False),
        sa.Column("time_column", sa.String(length=80), nullable=True),
        sa.Column("time_format", sa.String(length=40), nullable=True),
        sa.Column("tester_column", sa.String(length=80), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["press_id"], ["presses.id"], name=op.f("fk_press_mappings_press_id_presses")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_press_mappings")),
        sa.UniqueConstraint("code", name=op.f("uq_press_mappings_code")),
    )
    with op.batch_alter_table("press_mappings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_press_mappings_press_id"), ["press_id"], unique=False)

    op.create_table(
        "cement_tests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cement_lot_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tested_on", sa.Date(), nullable=False),
        sa.Column("age_days", sa.Integer(), nullable=False),
        sa.Column("values_mpa", sa.String(length=200), nullable=True),
        sa.Column("strength_mpa", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("basis", sa.String(length=10), nullable=True),
        sa.Column("initial_set_min", sa.Integer(), nullable=True),
        sa.Column("final_set_min", sa.Integer(), nullable=True),
        sa.Column("water_demand_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("residue_45um_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("tested_by", sa.String(length=80), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["cement_lot_id"], ["cement_lots.id"], name=op.f("fk_cement_tests_cement_lot_id_cement_lots")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cement_tests")),
    )
    with op.batch_alter_table("cement_tests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_cement_tests_cement_lot_id"), ["cement_lot_id"], unique=False)

    op.create_table(
        "press_files",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("press_mapping_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["press_mapping_id"],
            ["press_mappings.id"],
            name=op.f("fk_press_files_press_mapping_id_press_mappings"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_press_files")),
        sa.UniqueConstraint("sha256", name=op.f("uq_press_files_sha256")),
    )
    with op.batch_alter_table("press_files", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_press_files_press_mapping_id"), ["press_mapping_id"], unique=False
        )

    op.create_table(
        "batch_lots",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("scm_lot_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("admixture_lot_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("aggregate_sample_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            exactly_one("scm_lot_id", "admixture_lot_id", "aggregate_sample_id"),
            name=op.f("ck_batch_lots_one_lot"),
        ),
        sa.ForeignKeyConstraint(
            ["admixture_lot_id"],
            ["admixture_lots.id"],
            name=op.f("fk_batch_lots_admixture_lot_id_admixture_lots"),
        ),
        sa.ForeignKeyConstraint(
            ["aggregate_sample_id"],
            ["aggregate_samples.id"],
            name=op.f("fk_batch_lots_aggregate_sample_id_aggregate_samples"),
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_batch_lots_batch_id_batches")),
        sa.ForeignKeyConstraint(
            ["scm_lot_id"], ["scm_lots.id"], name=op.f("fk_batch_lots_scm_lot_id_scm_lots")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_lots")),
    )
    with op.batch_alter_table("batch_lots", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_batch_lots_admixture_lot_id"), ["admixture_lot_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_batch_lots_aggregate_sample_id"), ["aggregate_sample_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_batch_lots_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_batch_lots_scm_lot_id"), ["scm_lot_id"], unique=False)

    op.create_table(
        "batch_warnings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.Column("answer", sa.String(length=400), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_batch_warnings_batch_id_batches")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_warnings")),
    )
    with op.batch_alter_table("batch_warnings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_batch_warnings_batch_id"), ["batch_id"], unique=False)

    op.create_table(
        "curing_readings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("curing_tank_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("read_at", UtcDateTime(), nullable=False),
        sa.Column("temperature_c", ExactDecimal(places=1, digits=15), nullable=False),
        sa.Column("relative_humidity_percent", ExactDecimal(places=0, digits=15), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "(curing_tank_id IS NULL) <> (batch_id IS NULL)", name=op.f("ck_curing_readings_one_place")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_curing_readings_batch_id_batches")
        ),
        sa.ForeignKeyConstraint(
            ["curing_tank_id"],
            ["curing_tanks.id"],
            name=op.f("fk_curing_readings_curing_tank_id_curing_tanks"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_curing_readings")),
        sa.UniqueConstraint("batch_id", "read_at", name=op.f("uq_curing_readings_batch_id_read_at")),
        sa.UniqueConstraint(
            "curing_tank_id", "read_at", name=op.f("uq_curing_readings_curing_tank_id_read_at")
        ),
    )
    op.create_table(
        "shotcrete_trials",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("trial_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("sprayed_on", sa.Date(), nullable=False),
        sa.Column("surface", sa.String(length=10), nullable=False),
        sa.Column("accelerator_lot_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("accelerator_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("sprayed_kg", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("rebound_kg", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("rebound_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("rebound_limit_percent", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("initial_set_min", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("final_set_min", ExactDecimal(places=1, digits=15), nullable=True),
        sa.Column("panels", sa.Integer(), nullable=True),
        sa.Column("curing_days", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.Column("remarks", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["accelerator_lot_id"],
            ["admixture_lots.id"],
            name=op.f("fk_shotcrete_trials_accelerator_lot_id_admixture_lots"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_shotcrete_trials_batch_id_batches")
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["trials.id"], name=op.f("fk_shotcrete_trials_trial_id_trials")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shotcrete_trials")),
    )
    with op.batch_alter_table("shotcrete_trials", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_shotcrete_trials_accelerator_lot_id"), ["accelerator_lot_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_shotcrete_trials_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_shotcrete_trials_outcome"), ["outcome"], unique=False)
        batch_op.create_index(batch_op.f("ix_shotcrete_trials_trial_id"), ["trial_id"], unique=False)

    op.create_table(
        "press_rows",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("press_file_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("message", sa.String(length=400), nullable=True),
        sa.Column("specimen_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("code", sa.String(length=90), nullable=True),
        sa.Column("load_kn", ExactDecimal(places=3, digits=15), nullable=True),
        sa.Column("tested_at", UtcDateTime(), nullable=True),
        sa.Column("tested_by", sa.String(length=80), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["press_file_id"], ["press_files.id"], name=op.f("fk_press_rows_press_file_id_press_files")
        ),
        sa.ForeignKeyConstraint(
            ["specimen_id"], ["specimens.id"], name=op.f("fk_press_rows_specimen_id_specimens")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_press_rows")),
        sa.UniqueConstraint("mark", name=op.f("uq_press_rows_mark")),
    )
    with op.batch_alter_table("press_rows", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_press_rows_press_file_id"), ["press_file_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_press_rows_specimen_id"), ["specimen_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_press_rows_state"), ["state"], unique=False)

    key = "INTEGER" if dialect == "sqlite" else "BIGINT"
    for table, column, target in REFERENCES:
        name = f"fk_{table}_{column}_{target}"
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN {column} {key} CONSTRAINT {name} REFERENCES {target} (id)"
        )
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    op.add_column("batches", sa.Column("density_kg_m3", ExactDecimal(places=0, digits=15), nullable=True))
    op.add_column(
        "specimen_sets", sa.Column("purpose", sa.String(length=10), server_default="plan", nullable=False)
    )
    op.add_column("specimen_sets", sa.Column("discarded_at", UtcDateTime(), nullable=True))
    op.add_column("specimen_sets", sa.Column("discard_reason", sa.String(length=200), nullable=True))
    op.add_column("set_results", sa.Column("retracted_by", sa.String(length=80), nullable=True))
    op.add_column("set_results", sa.Column("retracted_at", UtcDateTime(), nullable=True))
    op.add_column("set_results", sa.Column("retract_reason", sa.String(length=400), nullable=True))
    one_device(dialect, with_moulds=True)
    for table in GUARDED:
        for statement in (triggers.sqlite if dialect == "sqlite" else triggers.postgresql)(table):
            op.execute(sa.text(statement.replace(":", "\\:")))


def one_device(dialect: str, *, with_moulds: bool) -> None:
    """A calibration is of one press, one scale or one set of moulds. Nothing refers to calibrations."""
    rule = (
        exactly_one("press_id", "scale_id", "mould_id")
        if with_moulds
        else "(press_id IS NULL) <> (scale_id IS NULL)"
    )
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    name = op.f("ck_calibrations_one_device")
    known = {check["name"] for check in sa.inspect(op.get_bind()).get_check_constraints("calibrations")}
    with op.batch_alter_table(
        "calibrations", recreate="always" if dialect == "sqlite" else "auto"
    ) as batch_op:
        if name in known:
            batch_op.drop_constraint(name, type_="check")
        if with_moulds:
            batch_op.add_column(sa.Column("mould_id", key, nullable=True))
            batch_op.create_foreign_key(
                op.f("fk_calibrations_mould_id_moulds"), "moulds", ["mould_id"], ["id"]
            )
            batch_op.create_index(op.f("ix_calibrations_mould_id"), ["mould_id"])
        else:
            batch_op.drop_index(op.f("ix_calibrations_mould_id"))
            batch_op.drop_constraint(op.f("fk_calibrations_mould_id_moulds"), type_="foreignkey")
            batch_op.drop_column("mould_id")
        batch_op.create_check_constraint(name, sa.text(rule))


def downgrade() -> None:
    connection = op.get_bind()
    dialect = connection.dialect.name
    for table in GUARDED:
        for name, *_rest in triggers._rules(table, "IS NOT"):
            op.execute(f"DROP TRIGGER {table}_{name}" + (f" ON {table}" if dialect != "sqlite" else ""))
            if dialect != "sqlite":
                op.execute(f"DROP FUNCTION {table}_{name}()")
    one_device(dialect, with_moulds=False)
    for column in ("retract_reason", "retracted_at", "retracted_by"):
        op.drop_column("set_results", column)
    if dialect == "sqlite":
        op.execute(
            "PRAGMA defer_foreign_keys = ON"
        )  # the tables are made anew under those that refer to them
    for table, columns in (
        ("specimen_sets", ("discard_reason", "discarded_at", "purpose", "retest_of_id", "curing_tank_id")),
        ("batches", ("site_id", "density_kg_m3")),
    ):
        for of, column, _target in REFERENCES:
            if of == table:
                op.drop_index(op.f(f"ix_{table}_{column}"), table_name=table)
        with op.batch_alter_table(table) as batch_op:
            for of, column, target in REFERENCES:
                if of == table and dialect != "sqlite":  # there it goes with its column
                    batch_op.drop_constraint(op.f(f"fk_{table}_{column}_{target}"), type_="foreignkey")
            for column in columns:
                batch_op.drop_column(column)
    if dialect == "sqlite":
        for name in ("specimen-sets", "batches"):  # their triggers went with the tables
            for statement in sqlite_triggers(NUMBERS[name]):
                op.execute(sa.text(statement.replace(":", "\\:")))
    for table in (
        "press_rows",
        "shotcrete_trials",
        "curing_readings",
        "batch_warnings",
        "batch_lots",
        "press_files",
        "cement_tests",
        "press_mappings",
        "moulds",
        "curing_tanks",
    ):
        op.drop_table(table)
