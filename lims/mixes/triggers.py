"""The database's own refusal: a mix revision that was cast, and its components, cannot change.

The application refuses first; these hold for every other way in. The migration runs the same text.
"""

from __future__ import annotations

from sqlalchemy import Table

from lims.base.refusals import attach_statements

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


def attach(table: Table) -> None:
    """Make the triggers whenever the table is made (tests; the migration names them itself)."""
    attach_statements(table, SQLITE[table.name], POSTGRESQL[table.name])
