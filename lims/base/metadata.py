"""The one metadata of all tables, `ab_*` of Flask-AppBuilder included.

The naming convention is set before any model is imported: constraints then carry the same names on SQLite and
PostgreSQL, so a migration can drop them by name. `tests/base/test_startup.py` holds the order.
"""

from flask_appbuilder.models.sqla import Model

Model.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# Only now may the first tables appear: Flask-AppBuilder's own.
import flask_appbuilder.security.sqla.models as security_models  # noqa: E402

__all__ = ["Model", "security_models"]
