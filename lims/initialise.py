"""What `lims init` and `lims upgrade` do: the only place that migrates the database and writes permissions and roles."""

from __future__ import annotations

from flask import Flask

from lims.accounts.service import sync_permissions
from lims.aftersales.shipped import ship
from lims.base.actor import system_actor
from lims.base.database import database
from lims.base.migration import upgrade


def initialise(app: Flask) -> None:
    """Bring the database to this version of the program. Safe to repeat; changes no record of the laboratory (what
    is shipped and missing is added). Who calls it for a laboratory has backed it up, or has asked
    `refuse_to_migrate_without_backup`."""
    with app.app_context():
        settings = app.config["LIMS_SETTINGS"]
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        upgrade(database().engine)
        sync_permissions(permissions_of(app), system_actor("init"))
        ship(system_actor("init"))


def permissions_of(app: Flask) -> set[tuple[str, str]]:
    """Every (permission, name) that a registered view asks for."""
    return {
        (permission, view.class_permission_name)
        for view in app.appbuilder.baseviews  # type: ignore[attr-defined]
        for permission in view.base_permissions
    }
