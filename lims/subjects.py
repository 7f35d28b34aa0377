"""The subjects whose pages and API the application registers, and the order of the menu."""

from __future__ import annotations

from importlib import import_module

from flask_appbuilder import AppBuilder
from flask_babel import lazy_gettext as _l

from lims.base.views import RecordView

SUBJECTS = (
    "materials",
    "mixes",
    "trials",
    "results",
    "rules",
    "forecasts",
    "customers",
    "comparison",
    "aftersales",
    "maintenance",
    "mail",
    "calendars",
    "sharing",
    "reporting",
    "importing",
    "audit",
    "accounts",
    "laboratory",
    "searching",
    "help",
    "jobs",
    "operations",
)

#: category -> (label, icon): a menu by job, in the order of a laboratory's day.
MENU = {
    "today": (_l("Today"), "home"),
    "trials": (_l("Trials"), "flask"),
    "forecasts": (_l("Forecasts"), "chart-line"),
    "customers": (_l("Customers"), "users"),
    "reports": (_l("Reports"), "file-text"),
    "audit": (_l("Audit"), "shield"),
    "setup": (_l("Set-up"), "settings"),
}


def register_subjects(appbuilder: AppBuilder) -> None:
    """Add every view and API. Menu entries follow MENU and each view's `menu.order`."""
    for category, (label, icon) in MENU.items():
        appbuilder.menu.add_category(category, icon=icon, label=label)
    placed = []
    for subject in SUBJECTS:
        views = import_module(f"lims.{subject}.views")
        for view_class in views.VIEWS:
            view = appbuilder.add_view_no_menu(view_class)
            if getattr(view, "menu", None) is not None:
                placed.append(view)
        try:
            api = import_module(f"lims.{subject}.api")
        except ModuleNotFoundError as error:
            if error.name != f"lims.{subject}.api":
                raise
            continue
        for api_class in api.APIS:
            appbuilder.add_api(api_class)
    for view in sorted(placed, key=lambda v: v.menu.order):
        assert isinstance(view, RecordView) or hasattr(view, "title")
        appbuilder.menu.add_link(
            view.class_permission_name,
            href=f"{view.endpoint}.{view.default_view}",
            icon=view.menu.icon,
            label=view.title,
            category=view.menu.category,
            baseview=view,
        )
