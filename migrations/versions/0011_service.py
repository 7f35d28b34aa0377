"""The service: persons, regions, stocks and usage cards of customers; deliveries, planned visits, photos, clocks, checklists
and steps of complaints, objections, attendance, promises; maintenance; the outbox; calendars.

Revision: 0011, after 0010.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lims.aftersales import triggers
from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.records import exactly_one

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

#: (table, column, type, table it refers to, default of rows that exist, is it indexed): added in place, because a table
#: that others refer to is not made anew under them.
ADDED = (
    ("customers", "dealer_id", KEY, "customers", None, True),
    ("customers", "owner_id", sa.Integer(), "ab_user", None, True),
    ("customers", "lapse_reason", sa.String(20), "", None, False),
    ("customers", "lapse_note", sa.String(300), "", None, False),
    ("usage_cards", "dosage_kg_m3", ExactDecimal(places=1), "", None, False),
    ("usage_cards", "first_use", sa.Boolean(), "", "false", False),
    ("usage_cards", "normal_since", sa.Date(), "", None, False),
    ("visits", "user_id", sa.Integer(), "ab_user", None, True),
    ("visits", "complaint_id", KEY, "complaints", None, True),
    ("visits", "satisfaction", sa.Integer(), "", None, False),
    ("visits", "call_back", sa.Text(), "", None, False),
    ("complaints", "state", sa.String(10), "", "'received'", True),
    ("complaints", "category", sa.String(20), "", "'other'", True),
    ("complaints", "kind", sa.String(10), "", "'complaint'", True),
    ("complaints", "contact_id", KEY, "contacts", None, True),
    ("complaints", "phone", sa.String(40), "", None, False),
    ("complaints", "owner_id", sa.Integer(), "ab_user", None, True),
    ("complaints", "answer_due_at", UtcDateTime(), "", None, True),
    ("complaints", "on_site_due_at", UtcDateTime(), "", None, True),
    ("complaints", "solve_due_at", UtcDateTime(), "", None, True),
    ("complaints", "solved_at", UtcDateTime(), "", None, False),
    ("complaints", "answer", sa.Text(), "", None, False),
    ("complaints", "site_facts", sa.Text(), "", None, False),
    ("complaints", "root_cause", sa.String(12), "", None, True),
    ("complaints", "compensation", sa.String(300), "", None, False),
    ("complaints", "compensation_amount", ExactDecimal(places=2), "", None, False),
    ("complaints", "agreed_on", sa.Date(), "", None, False),
    ("complaints", "agreed_by", sa.String(80), "", None, False),
    ("complaints", "satisfaction", sa.Integer(), "", None, False),
    ("complaints", "withdrawn_reason", sa.String(300), "", None, False),
    ("complaints", "trial_id", KEY, "trials", None, True),
    ("retests", "cement_test_id", KEY, "cement_tests", None, True),
    ("seminars", "kind", sa.String(10), "", "'seminar'", True),
    ("advice_cards", "rule", sa.String(40), "", None, True),
    ("advice_cards", "conditions", sa.String(200), "", None, False),
    ("advice_cards", "categories", sa.String(200), "", None, False),
)
#: What is closed was closed before there were steps; its times say how far the others are.
STATES_OF_OLD = (
    "UPDATE complaints SET state = CASE WHEN closed_at IS NOT NULL THEN 'closed'"
    " WHEN answered_at IS NOT NULL AND on_site_at IS NOT NULL THEN 'on_site'"
    " WHEN answered_at IS NOT NULL THEN 'answered' ELSE 'received' END,"
    " solved_at = closed_at, owner_id = NULL"
)
TABLES = (
    "checklist_items",
    "holidays",
    "outgoing_mails",
    "service_settings",
    "staff_surveys",
    "calendar_feeds",
    "competitors",
    "maintenance_plans",
    "region_staff",
    "maintenance_records",
    "stage_changes",
    "contacts",
    "deliveries",
    "site_stocks",
    "attendances",
    "scale_checks",
    "usage_mixes",
    "usage_notes",
    "usage_tasks",
    "complaint_facts",
    "complaint_lots",
    "escalations",
    "objections",
    "photos",
    "visit_plans",
)


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
    _new_tables()
    dialect = op.get_bind().dialect
    for table, column, kind, target, default, indexed in ADDED:
        text = f"ALTER TABLE {table} ADD COLUMN {column} {kind.compile(dialect=dialect)}"
        if default is not None:
            text += f" NOT NULL DEFAULT {default}"
        if target:
            text += f" CONSTRAINT fk_{table}_{column}_{target} REFERENCES {target} (id)"
        op.execute(text)
        if default is not None and dialect.name != "sqlite":
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT")
        if indexed:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    op.execute(STATES_OF_OLD)
    make = triggers.sqlite if dialect.name == "sqlite" else triggers.postgresql
    for statement in make("complaints"):
        op.execute(sa.text(statement.replace(":", "\\:")))


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name in ("state", "facts", "clock", "closed", "born", "delete"):
        op.execute(f"DROP TRIGGER complaints_{name}" + ("" if sqlite else " ON complaints"))
        if not sqlite:
            op.execute(f"DROP FUNCTION complaints_{name}()")
    for table, column, _kind, target, _default, indexed in reversed(ADDED):
        if indexed:
            op.drop_index(op.f(f"ix_{table}_{column}"), table_name=table)
        if target and not sqlite:
            op.drop_constraint(f"fk_{table}_{column}_{target}", table, type_="foreignkey")
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    for table in reversed(TABLES):
        op.drop_table(table)


def _new_tables() -> None:
    op.create_table(
        "checklist_items",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("category", sa.String(length=20), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("name_zh", sa.String(length=200), nullable=True),
        sa.Column("name_zh_tw", sa.String(length=200), nullable=True),
        sa.Column("unit", sa.String(length=20), nullable=True),
        sa.Column("least", ExactDecimal(places=3), nullable=True),
        sa.Column("most", ExactDecimal(places=3), nullable=True),
        sa.Column("required", sa.Boolean(), nullable=False),
        *_stamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checklist_items")),
        sa.UniqueConstraint("code", name=op.f("uq_checklist_items_code")),
    )
    op.create_index(op.f("ix_checklist_items_category"), "checklist_items", ["category"])

    op.create_table(
        "holidays",
        sa.Column("id", KEY, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("working", sa.Boolean(), nullable=False),
        *_stamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holidays")),
        sa.UniqueConstraint("day", name=op.f("uq_holidays_day")),
    )
    op.create_table(
        "outgoing_mails",
        sa.Column("id", KEY, nullable=False),
        sa.Column("occasion", sa.String(length=200), nullable=False),
        sa.Column("to_address", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("message_id", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UtcDateTime(), nullable=False),
        sa.Column("claimed_at", UtcDateTime(), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.String(length=300), nullable=True),
        *_stamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_mails")),
        sa.UniqueConstraint("message_id", name=op.f("uq_outgoing_mails_message_id")),
        sa.UniqueConstraint("occasion", name=op.f("uq_outgoing_mails_occasion")),
    )
    op.create_index(op.f("ix_outgoing_mails_state_next_try_at"), "outgoing_mails", ["state", "next_try_at"])

    op.create_table(
        "service_settings",
        sa.Column("id", KEY, nullable=False),
        sa.Column("answer_minutes", sa.Integer(), nullable=False),
        sa.Column("on_site_minutes", sa.Integer(), nullable=False),
        sa.Column("solve_minutes", sa.Integer(), nullable=False),
        sa.Column("time_kind", sa.String(length=10), nullable=False),
        sa.Column("hours", sa.String(length=120), nullable=False),
        sa.Column("escalate_to", sa.String(length=200), nullable=False),
        sa.Column("visit_prospect_days", sa.Integer(), nullable=False),
        sa.Column("visit_trial_days", sa.Integer(), nullable=False),
        sa.Column("visit_active_days", sa.Integer(), nullable=False),
        sa.Column("visit_lapsed_days", sa.Integer(), nullable=False),
        sa.Column("weight_clocks", sa.Integer(), nullable=False),
        sa.Column("weight_visits", sa.Integer(), nullable=False),
        sa.Column("weight_satisfaction", sa.Integer(), nullable=False),
        *_stamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_settings")),
    )
    op.create_table(
        "staff_surveys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("answered_on", sa.Date(), nullable=False),
        sa.Column("department", sa.String(length=80), nullable=False),
        sa.Column("workload", sa.Integer(), nullable=False),
        sa.Column("support", sa.Integer(), nullable=False),
        sa.Column("training", sa.Integer(), nullable=False),
        sa.Column("recognition", sa.Integer(), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=True),
        *_stamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_surveys")),
    )
    op.create_index(op.f("ix_staff_surveys_department"), "staff_surveys", ["department"])

    op.create_table(
        "calendar_feeds",
        sa.Column("id", KEY, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], name=op.f("fk_calendar_feeds_user_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feeds")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_calendar_feeds_token_sha256")),
    )
    op.create_index(op.f("ix_calendar_feeds_user_id"), "calendar_feeds", ["user_id"])

    op.create_table(
        "competitors",
        sa.Column("id", KEY, nullable=False),
        sa.Column("region_id", KEY, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("cement_product_id", KEY, nullable=True),
        sa.Column("seen_on", sa.Date(), nullable=False),
        sa.Column("share_percent", ExactDecimal(places=1), nullable=True),
        sa.Column("strengths", sa.Text(), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["cement_product_id"],
            ["cement_products.id"],
            name=op.f("fk_competitors_cement_product_id_cement_products"),
        ),
        sa.ForeignKeyConstraint(["region_id"], ["regions.id"], name=op.f("fk_competitors_region_id_regions")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_competitors")),
    )
    op.create_index(op.f("ix_competitors_cement_product_id"), "competitors", ["cement_product_id"])
    op.create_index(op.f("ix_competitors_region_id"), "competitors", ["region_id"])

    op.create_table(
        "maintenance_plans",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("press_id", KEY, nullable=True),
        sa.Column("scale_id", KEY, nullable=True),
        sa.Column("mould_id", KEY, nullable=True),
        sa.Column("curing_tank_id", KEY, nullable=True),
        sa.Column("every_months", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("next_due_on", sa.Date(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("steps", sa.Text(), nullable=True),
        *_stamps(),
        sa.CheckConstraint(
            exactly_one("press_id", "scale_id", "mould_id", "curing_tank_id"),
            name=op.f("ck_maintenance_plans_one_device"),
        ),
        sa.ForeignKeyConstraint(
            ["curing_tank_id"],
            ["curing_tanks.id"],
            name=op.f("fk_maintenance_plans_curing_tank_id_curing_tanks"),
        ),
        sa.ForeignKeyConstraint(
            ["mould_id"], ["moulds.id"], name=op.f("fk_maintenance_plans_mould_id_moulds")
        ),
        sa.ForeignKeyConstraint(
            ["press_id"], ["presses.id"], name=op.f("fk_maintenance_plans_press_id_presses")
        ),
        sa.ForeignKeyConstraint(
            ["scale_id"], ["scales.id"], name=op.f("fk_maintenance_plans_scale_id_scales")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["ab_user.id"], name=op.f("fk_maintenance_plans_user_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_plans")),
    )
    op.create_index(op.f("ix_maintenance_plans_curing_tank_id"), "maintenance_plans", ["curing_tank_id"])
    op.create_index(op.f("ix_maintenance_plans_mould_id"), "maintenance_plans", ["mould_id"])
    op.create_index(op.f("ix_maintenance_plans_next_due_on"), "maintenance_plans", ["next_due_on"])
    op.create_index(op.f("ix_maintenance_plans_press_id"), "maintenance_plans", ["press_id"])
    op.create_index(op.f("ix_maintenance_plans_scale_id"), "maintenance_plans", ["scale_id"])
    op.create_index(op.f("ix_maintenance_plans_user_id"), "maintenance_plans", ["user_id"])

    op.create_table(
        "region_staff",
        sa.Column("id", KEY, nullable=False),
        sa.Column("region_id", KEY, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["region_id"], ["regions.id"], name=op.f("fk_region_staff_region_id_regions")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], name=op.f("fk_region_staff_user_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_region_staff")),
        sa.UniqueConstraint("region_id", "user_id", name=op.f("uq_region_staff_region_id_user_id")),
    )
    op.create_index(op.f("ix_region_staff_region_id"), "region_staff", ["region_id"])
    op.create_index(op.f("ix_region_staff_user_id"), "region_staff", ["user_id"])

    op.create_table(
        "maintenance_records",
        sa.Column("id", KEY, nullable=False),
        sa.Column("maintenance_plan_id", KEY, nullable=False),
        sa.Column("done_on", sa.Date(), nullable=False),
        sa.Column("done_by", sa.String(length=80), nullable=False),
        sa.Column("findings", sa.Text(), nullable=True),
        sa.Column("parts", sa.String(length=300), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["maintenance_plan_id"],
            ["maintenance_plans.id"],
            name=op.f("fk_maintenance_records_maintenance_plan_id_maintenance_plans"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_records")),
    )
    op.create_index(
        op.f("ix_maintenance_records_maintenance_plan_id"), "maintenance_records", ["maintenance_plan_id"]
    )

    op.create_table(
        "stage_changes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=False),
        sa.Column("before", sa.String(length=12), nullable=False),
        sa.Column("after", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_stage_changes_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_changes")),
    )
    op.create_index(op.f("ix_stage_changes_after"), "stage_changes", ["after"])
    op.create_index(op.f("ix_stage_changes_customer_id"), "stage_changes", ["customer_id"])

    op.create_table(
        "contacts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=False),
        sa.Column("site_id", KEY, nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("email", sa.String(length=200), nullable=True),
        sa.Column("emergency", sa.Boolean(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("erased_at", UtcDateTime(), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_contacts_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_contacts_site_id_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    op.create_index(op.f("ix_contacts_customer_id"), "contacts", ["customer_id"])
    op.create_index(op.f("ix_contacts_role"), "contacts", ["role"])
    op.create_index(op.f("ix_contacts_site_id"), "contacts", ["site_id"])

    op.create_table(
        "deliveries",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("order_number", sa.String(length=40), nullable=True),
        sa.Column("customer_id", KEY, nullable=False),
        sa.Column("site_id", KEY, nullable=True),
        sa.Column("cement_lot_id", KEY, nullable=False),
        sa.Column("delivered_at", UtcDateTime(), nullable=False),
        sa.Column("mass_t", ExactDecimal(places=2), nullable=False),
        sa.Column("packing", sa.String(length=10), nullable=False),
        sa.Column("vehicle", sa.String(length=40), nullable=True),
        sa.Column("accepted_by", sa.String(length=80), nullable=True),
        sa.Column("remarks", sa.Text(), nullable=True),
        *_stamps(),
        sa.CheckConstraint("mass_t > 0", name=op.f("ck_deliveries_mass_above_zero")),
        sa.ForeignKeyConstraint(
            ["cement_lot_id"], ["cement_lots.id"], name=op.f("fk_deliveries_cement_lot_id_cement_lots")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_deliveries_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_deliveries_site_id_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("code", name=op.f("uq_deliveries_code")),
    )
    op.create_index(op.f("ix_deliveries_cement_lot_id"), "deliveries", ["cement_lot_id"])
    op.create_index(
        op.f("ix_deliveries_customer_id_delivered_at"), "deliveries", ["customer_id", "delivered_at"]
    )
    op.create_index(op.f("ix_deliveries_order_number"), "deliveries", ["order_number"])
    op.create_index(op.f("ix_deliveries_site_id_delivered_at"), "deliveries", ["site_id", "delivered_at"])

    op.create_table(
        "site_stocks",
        sa.Column("id", KEY, nullable=False),
        sa.Column("site_id", KEY, nullable=False),
        sa.Column("cement_product_id", KEY, nullable=False),
        sa.Column("counted_on", sa.Date(), nullable=False),
        sa.Column("stock_t", ExactDecimal(places=1), nullable=False),
        sa.Column("daily_use_t", ExactDecimal(places=1), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["cement_product_id"],
            ["cement_products.id"],
            name=op.f("fk_site_stocks_cement_product_id_cement_products"),
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_site_stocks_site_id_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_stocks")),
    )
    op.create_index(op.f("ix_site_stocks_cement_product_id"), "site_stocks", ["cement_product_id"])
    op.create_index(op.f("ix_site_stocks_site_id"), "site_stocks", ["site_id"])

    op.create_table(
        "attendances",
        sa.Column("id", KEY, nullable=False),
        sa.Column("seminar_id", KEY, nullable=False),
        sa.Column("contact_id", KEY, nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("attended", sa.Boolean(), nullable=False),
        sa.Column("remarks", sa.String(length=300), nullable=True),
        *_stamps(),
        sa.CheckConstraint(
            exactly_one("contact_id", "user_id"),
            name=op.f("ck_attendances_one_person"),
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_attendances_contact_id_contacts")
        ),
        sa.ForeignKeyConstraint(
            ["seminar_id"], ["seminars.id"], name=op.f("fk_attendances_seminar_id_seminars")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], name=op.f("fk_attendances_user_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendances")),
        sa.UniqueConstraint("seminar_id", "contact_id", name=op.f("uq_attendances_seminar_id_contact_id")),
        sa.UniqueConstraint("seminar_id", "user_id", name=op.f("uq_attendances_seminar_id_user_id")),
    )
    op.create_index(op.f("ix_attendances_contact_id"), "attendances", ["contact_id"])
    op.create_index(op.f("ix_attendances_seminar_id"), "attendances", ["seminar_id"])
    op.create_index(op.f("ix_attendances_user_id"), "attendances", ["user_id"])

    op.create_table(
        "scale_checks",
        sa.Column("id", KEY, nullable=False),
        sa.Column("usage_card_id", KEY, nullable=False),
        sa.Column("checked_on", sa.Date(), nullable=False),
        sa.Column("scale", sa.String(length=120), nullable=False),
        sa.Column("shown_kg", ExactDecimal(places=2), nullable=False),
        sa.Column("true_kg", ExactDecimal(places=2), nullable=False),
        sa.Column("checked_by", sa.String(length=80), nullable=True),
        sa.Column("remarks", sa.Text(), nullable=True),
        *_stamps(),
        sa.CheckConstraint("shown_kg > 0", name=op.f("ck_scale_checks_shown_above_zero")),
        sa.ForeignKeyConstraint(
            ["usage_card_id"], ["usage_cards.id"], name=op.f("fk_scale_checks_usage_card_id_usage_cards")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scale_checks")),
    )
    op.create_index(op.f("ix_scale_checks_usage_card_id"), "scale_checks", ["usage_card_id"])

    op.create_table(
        "usage_mixes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("usage_card_id", KEY, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("strength_class", sa.String(length=20), nullable=True),
        sa.Column("cement_kg_m3", ExactDecimal(places=1), nullable=False),
        sa.Column("scm_kg_m3", ExactDecimal(places=1), nullable=True),
        sa.Column("water_kg_m3", ExactDecimal(places=1), nullable=True),
        sa.Column("sand_kg_m3", ExactDecimal(places=1), nullable=True),
        sa.Column("stone_kg_m3", ExactDecimal(places=1), nullable=True),
        sa.Column("admixture", sa.String(length=120), nullable=True),
        sa.Column("admixture_percent", ExactDecimal(places=2), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["usage_card_id"], ["usage_cards.id"], name=op.f("fk_usage_mixes_usage_card_id_usage_cards")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_mixes")),
    )
    op.create_index(op.f("ix_usage_mixes_usage_card_id"), "usage_mixes", ["usage_card_id"])

    op.create_table(
        "usage_notes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("usage_card_id", KEY, nullable=False),
        sa.Column("noted_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("normal", sa.Boolean(), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["usage_card_id"], ["usage_cards.id"], name=op.f("fk_usage_notes_usage_card_id_usage_cards")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_notes")),
    )
    op.create_index(op.f("ix_usage_notes_kind"), "usage_notes", ["kind"])
    op.create_index(op.f("ix_usage_notes_usage_card_id"), "usage_notes", ["usage_card_id"])

    op.create_table(
        "usage_tasks",
        sa.Column("id", KEY, nullable=False),
        sa.Column("usage_card_id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("done_by", sa.String(length=80), nullable=True),
        sa.Column("remarks", sa.String(length=300), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["usage_card_id"], ["usage_cards.id"], name=op.f("fk_usage_tasks_usage_card_id_usage_cards")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_tasks")),
        sa.UniqueConstraint("usage_card_id", "kind", name=op.f("uq_usage_tasks_usage_card_id_kind")),
    )
    op.create_index(op.f("ix_usage_tasks_usage_card_id"), "usage_tasks", ["usage_card_id"])

    op.create_table(
        "complaint_facts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("complaint_id", KEY, nullable=False),
        sa.Column("checklist_item_id", KEY, nullable=False),
        sa.Column("value", sa.String(length=300), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["checklist_item_id"],
            ["checklist_items.id"],
            name=op.f("fk_complaint_facts_checklist_item_id_checklist_items"),
        ),
        sa.ForeignKeyConstraint(
            ["complaint_id"], ["complaints.id"], name=op.f("fk_complaint_facts_complaint_id_complaints")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_facts")),
        sa.UniqueConstraint(
            "complaint_id",
            "checklist_item_id",
            name=op.f("uq_complaint_facts_complaint_id_checklist_item_id"),
        ),
    )
    op.create_index(op.f("ix_complaint_facts_checklist_item_id"), "complaint_facts", ["checklist_item_id"])
    op.create_index(op.f("ix_complaint_facts_complaint_id"), "complaint_facts", ["complaint_id"])

    op.create_table(
        "complaint_lots",
        sa.Column("id", KEY, nullable=False),
        sa.Column("complaint_id", KEY, nullable=False),
        sa.Column("cement_lot_id", KEY, nullable=True),
        sa.Column("batch_id", KEY, nullable=True),
        sa.Column("part", sa.String(length=10), nullable=True),
        sa.Column("remarks", sa.String(length=300), nullable=True),
        *_stamps(),
        sa.CheckConstraint(
            exactly_one("cement_lot_id", "batch_id"),
            name=op.f("ck_complaint_lots_one_thing"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_complaint_lots_batch_id_batches")
        ),
        sa.ForeignKeyConstraint(
            ["cement_lot_id"], ["cement_lots.id"], name=op.f("fk_complaint_lots_cement_lot_id_cement_lots")
        ),
        sa.ForeignKeyConstraint(
            ["complaint_id"], ["complaints.id"], name=op.f("fk_complaint_lots_complaint_id_complaints")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_lots")),
    )
    op.create_index(op.f("ix_complaint_lots_batch_id"), "complaint_lots", ["batch_id"])
    op.create_index(op.f("ix_complaint_lots_cement_lot_id"), "complaint_lots", ["cement_lot_id"])
    op.create_index(op.f("ix_complaint_lots_complaint_id"), "complaint_lots", ["complaint_id"])

    op.create_table(
        "escalations",
        sa.Column("id", KEY, nullable=False),
        sa.Column("complaint_id", KEY, nullable=False),
        sa.Column("clock", sa.String(length=10), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("roles", sa.String(length=200), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["complaint_id"], ["complaints.id"], name=op.f("fk_escalations_complaint_id_complaints")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalations")),
        sa.UniqueConstraint(
            "complaint_id", "clock", "due_at", name=op.f("uq_escalations_complaint_id_clock_due_at")
        ),
    )
    op.create_index(op.f("ix_escalations_complaint_id"), "escalations", ["complaint_id"])

    op.create_table(
        "objections",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("customer_id", KEY, nullable=False),
        sa.Column("complaint_id", KEY, nullable=True),
        sa.Column("cement_lot_id", KEY, nullable=False),
        sa.Column("raised_on", sa.Date(), nullable=False),
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("sampled_on", sa.Date(), nullable=True),
        sa.Column("sampled_by", sa.String(length=80), nullable=True),
        sa.Column("witnessed_by", sa.String(length=80), nullable=True),
        sa.Column("seal_number", sa.String(length=40), nullable=True),
        sa.Column("sealed_until", sa.Date(), nullable=True),
        sa.Column("tested_at_place", sa.String(length=120), nullable=True),
        sa.Column("retest_id", KEY, nullable=True),
        sa.Column("verdict", sa.String(length=10), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["cement_lot_id"], ["cement_lots.id"], name=op.f("fk_objections_cement_lot_id_cement_lots")
        ),
        sa.ForeignKeyConstraint(
            ["complaint_id"], ["complaints.id"], name=op.f("fk_objections_complaint_id_complaints")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_objections_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(["retest_id"], ["retests.id"], name=op.f("fk_objections_retest_id_retests")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objections")),
        sa.UniqueConstraint("code", name=op.f("uq_objections_code")),
    )
    op.create_index(op.f("ix_objections_cement_lot_id"), "objections", ["cement_lot_id"])
    op.create_index(op.f("ix_objections_complaint_id"), "objections", ["complaint_id"])
    op.create_index(op.f("ix_objections_customer_id"), "objections", ["customer_id"])
    op.create_index(op.f("ix_objections_retest_id"), "objections", ["retest_id"])
    op.create_index(op.f("ix_objections_verdict"), "objections", ["verdict"])

    op.create_table(
        "photos",
        sa.Column("id", KEY, nullable=False),
        sa.Column("visit_id", KEY, nullable=True),
        sa.Column("complaint_id", KEY, nullable=True),
        sa.Column("stored_file_id", KEY, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("caption", sa.String(length=200), nullable=True),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        *_stamps(),
        sa.CheckConstraint(
            exactly_one("visit_id", "complaint_id"),
            name=op.f("ck_photos_one_subject"),
        ),
        sa.ForeignKeyConstraint(
            ["complaint_id"], ["complaints.id"], name=op.f("fk_photos_complaint_id_complaints")
        ),
        sa.ForeignKeyConstraint(
            ["stored_file_id"], ["stored_files.id"], name=op.f("fk_photos_stored_file_id_stored_files")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_photos_visit_id_visits")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photos")),
    )
    op.create_index(op.f("ix_photos_complaint_id"), "photos", ["complaint_id"])
    op.create_index(op.f("ix_photos_stored_file_id"), "photos", ["stored_file_id"])
    op.create_index(op.f("ix_photos_visit_id"), "photos", ["visit_id"])

    op.create_table(
        "visit_plans",
        sa.Column("id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=False),
        sa.Column("site_id", KEY, nullable=True),
        sa.Column("planned_on", sa.Date(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("visit_id", KEY, nullable=True),
        sa.Column("dropped_reason", sa.String(length=200), nullable=True),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_visit_plans_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_visit_plans_site_id_sites")),
        sa.ForeignKeyConstraint(["user_id"], ["ab_user.id"], name=op.f("fk_visit_plans_user_id_ab_user")),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_visit_plans_visit_id_visits")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_plans")),
    )
    op.create_index(op.f("ix_visit_plans_customer_id"), "visit_plans", ["customer_id"])
    op.create_index(op.f("ix_visit_plans_planned_on"), "visit_plans", ["planned_on"])
    op.create_index(op.f("ix_visit_plans_site_id"), "visit_plans", ["site_id"])
    op.create_index(op.f("ix_visit_plans_user_id"), "visit_plans", ["user_id"])
    op.create_index(op.f("ix_visit_plans_visit_id"), "visit_plans", ["visit_id"])
