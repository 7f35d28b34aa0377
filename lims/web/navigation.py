"""The menu of the asking person: by job, only what the role may read, with the current page's group open."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from flask import current_app, request


def navigation() -> tuple[list[Any], list[Any]]:
    """Entries that stand at the top without a group, and the groups below them."""
    top: list[Any] = []
    groups: list[Any] = []
    for group in current_app.appbuilder.menu.get_data():  # type: ignore[attr-defined]
        children = group.get("childs") or []
        if not children:
            continue
        items = [
            SimpleNamespace(
                label=item["label"], icon=item["icon"], url=item["url"], active=_here(str(item["url"]))
            )
            for item in children
        ]
        # Of two entries that fit, the longer address is meant.
        best = max((item for item in items if item.active), key=lambda item: len(item.url), default=None)
        for item in items:
            item.active = item is best
        if group["name"] == "today":
            top.extend(items)
        else:
            groups.append(
                SimpleNamespace(
                    name=group["name"],
                    label=group["label"],
                    icon=group["icon"],
                    entries=items,
                    open=best is not None,
                )
            )
    return top, groups


def _here(url: str) -> bool:
    return url != "/" and request.path.startswith(url.split("?")[0])
