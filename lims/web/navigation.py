"""The menu of the asking person: by job, only what the role may read, with the current page's group open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import current_app, request
from flask_babel import get_locale
from markupsafe import Markup

from lims.base.laboratory import laboratory
from lims.base.security import granted

#: Sets of rights and language whose entries a process keeps, and menus: one for each of these and each place. More would
#: be a laboratory of unusual habits.
MOST_KEPT, MOST_MENUS = 64, 4096


@dataclass(frozen=True, slots=True)
class Entry:
    label: str
    icon: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    label: str
    icon: str
    entries: tuple[Entry, ...]


def menu() -> Markup:
    """The menu at the side of every page, with the present page marked in it."""
    groups, path = _groups(), request.path
    best: dict[str, Entry] = {}
    for group in groups:
        fitting = [item for item in group.entries if _here(item.url, path)]
        if fitting:  # of two entries that fit, the longer address is meant
            best[group.name] = max(fitting, key=lambda item: len(item.url))
    kept: dict[Any, Markup] = current_app.extensions.setdefault("lims.menus", {})
    name = laboratory().name
    at_home = path == "/"
    key = (granted(), str(get_locale()), request.script_root, name, at_home, *best.items())
    found = kept.get(key)
    if found is None:
        if len(kept) >= MOST_MENUS:
            kept.clear()
        found = kept[key] = Markup(  # noqa: S704 - of a template, which escapes
            current_app.jinja_env.get_template("lims/menu.html").render(
                groups=groups,
                best=best,
                at_home=at_home,
                home=current_app.appbuilder.get_url_for_index,  # type: ignore[attr-defined]
                laboratory_name=name,
            )
        )
    return found


def _groups() -> tuple[Group, ...]:
    """What these rights open, in this language: the same for every page, so it is put together once."""
    kept: dict[Any, tuple[Group, ...]] = current_app.extensions.setdefault("lims.navigation", {})
    rights = granted()
    key = (rights, str(get_locale()), request.script_root)
    found = kept.get(key)
    if found is None:
        if len(kept) >= MOST_KEPT:
            kept.clear()
        found = kept[key] = tuple(
            Group(item["name"], str(item["label"]), item["icon"], _entries(item["childs"]))
            for item in current_app.appbuilder.menu.get_data()  # type: ignore[attr-defined]
            if item.get("childs")
        )
    return found


def _entries(children: list[dict[str, Any]]) -> tuple[Entry, ...]:
    return tuple(Entry(str(item["label"]), item["icon"], str(item["url"])) for item in children)


def _here(url: str, path: str) -> bool:
    return url != "/" and path.startswith(url.partition("?")[0])
