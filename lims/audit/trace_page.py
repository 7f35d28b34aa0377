"""A trace in words and pictures for the one who asks: what may not be read has no name, no link and no number."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.audit.drawing import Drawing, draw
from lims.audit.log import label_of
from lims.audit.references import record_of
from lims.audit.trace import MOST_NODES, PERSONS, Event, Key, Trace
from lims.base.display import actor_names, show_day, show_time
from lims.base.views import VIEWS, address_of

WAYS = {
    "start": _l("The record"),
    "from": _l("It came from"),
    "of": _l("Came of it"),
    "beside": _l("Belongs to it"),
}
DID = {
    "entered": _l("entered"),
    "tested": _l("tested"),
    "cast": _l("cast"),
    "verified": _l("verified"),
    "released": _l("released"),
    "retracted": _l("retracted"),
    "signed": _l("signed"),
}
HAPPENED = {
    "produced_on": _l("produced"), "delivered_on": _l("delivered"), "delivered_at": _l("delivered"),
    "sampled_on": _l("sampled"), "calibrated_on": _l("calibrated"), "started_on": _l("begun"),
    "frozen_at": _l("fixed, as its first casting was registered"), "cast_at": _l("cast"), "tested_on": _l("tested"),
    "tested_at": _l("broken"), "read_at": _l("read"), "sprayed_on": _l("sprayed"), "received_at": _l("received"),
    "answered_at": _l("answered"), "answered_on": _l("answered"), "on_site_at": _l("seen on site"),
    "closed_at": _l("closed"), "ordered_on": _l("ordered"), "finished_on": _l("finished"),
    "finished_at": _l("finished"), "visited_on": _l("visited"), "issued_at": _l("issued"),
    "signed_at": _l("signed"), "created_at": _l("entered"), "verified_at": _l("verified"),
    "released_at": _l("released"), "retracted_at": _l("retracted"), "superseded_at": _l("replaced"),
    "discarded_at": _l("discarded"), "revoked_at": _l("revoked"), "retired_at": _l("taken out of use"),
}  # fmt: skip
#: Families of records, for the colour of their boxes.
FAMILIES = {
    "material": (
        "cement-products", "cement-lots", "cement-tests", "aggregate-sources", "aggregate-samples", "scm-lots",
        "admixture-lots", "deliveries",
    ),
    "mix": ("mix-designs", "mix-revisions", "forecasts", "forecast-models"),
    "trial": ("trials", "batches", "specimen-sets", "specimens", "shotcrete-trials", "curing-tanks", "curing-readings"),
    "result": ("breaks", "set-results"),
    "equipment": ("presses", "scales", "moulds", "calibrations", "press-mappings", "press-files", "press-rows"),
    "paper": ("certificates", "share-links", "import-runs", "findings", "signatures"),
}  # fmt: skip
FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names}
#: (class, width, boxes a row) of the two pictures.
PRINTED = (1080, 5)
PICTURES = (("wide", 1080, 5), ("narrow", 340, 2))


@dataclass(slots=True)
class Face:
    """How a record is shown: `title` and addresses are empty where the reader may not know."""

    kind: str
    title: str
    href: str
    trace_href: str
    when: str
    readable: bool
    mark: str


def kind_of(name: str) -> str:
    """A kind of record in the reader's words."""
    view = VIEWS.get(name)
    return str((view.title_one or view.title) if view is not None else name)


def kinds_of(name: str) -> str:
    view = VIEWS.get(name)
    return str(view.title if view is not None else name)


def shown_moment(when: datetime | date | None) -> str:
    if when is None:
        return ""
    return show_time(when) if isinstance(when, datetime) else show_day(when)


def faces(found: Trace) -> dict[Key, Face]:
    shown = {}
    for key, node in found.nodes.items():
        readable = found.reads(node.name)
        shown[key] = Face(
            kind_of(node.name),
            node.record.title if readable else "",
            address_of(node.record) if readable else "",
            url_for("TraceView.show", name=node.name, key=node.record.id) if readable else "",
            shown_moment(node.when) if readable else "",
            readable,
            "lapsed" if node.record.retired_at or getattr(node.record, "superseded_at", None) else "",
        )
    return shown


def context_of(found: Trace) -> dict[str, Any]:
    """All that the page shows."""
    shown = faces(found)
    return {
        "trace": found,
        "faces": shown,
        "start": shown.get(found.start),
        "pictures": [(name, *_picture(found, shown, width, row)) for name, width, row in PICTURES],
        "sections": _sections(found, shown),
        "events": _events(found, shown),
        "persons": _people(found, shown),
        "cut": cut_words(found),
    }


def _picture(
    found: Trace, shown: dict[Key, Face], width: int, per_row: int
) -> tuple[Drawing, list[dict[str, Any]]]:
    drawing = draw({key: key[0] for key in found.nodes}, found.edges, found.start, width, per_row)
    letters = int((width / per_row - 34) / 7.8)
    boxes = []
    for box in drawing.boxes:
        first = shown[box.members[0]]
        stack = len(box.members) > 1
        title = (
            str(len(box.members)) + ("+" if stack and box.kind in found.cut else "") if stack else first.title
        )
        boxes.append(
            {
                "box": box,
                "kind": _cut(kinds_of(box.kind) if stack else first.kind, letters),
                "title": _cut(title if first.readable else _("not yours to read"), letters),
                "whole": _("%(name)s: %(what)s", name=first.kind, what=title)
                if first.readable
                else first.kind,
                "href": (f"#t-{box.kind}" if stack else first.href) if first.readable else "",
                "family": FAMILY_OF.get(box.kind, "customer"),
                "stack": stack,
                "start": box.members == [found.start],
            }
        )
    return drawing, boxes


def _cut(text: str, letters: int) -> str:
    """So much of the text as fits a box; a Chinese character takes the room of two letters."""
    room = 0
    for place, letter in enumerate(text):
        room += 2 if ord(letter) > 0x2E7F else 1
        if room > letters:
            return text[: max(1, place - 1)] + "…"
    return text


def _sections(found: Trace, shown: dict[Key, Face]) -> list[dict[str, Any]]:
    """The table, a part for each kind, in the order of the graph."""
    did: dict[Key, list[str]] = defaultdict(list)
    names = _names(found)
    for person, records in found.persons.items():
        for key, works in records.items():
            what = _(", ").join(str(DID[work]) for work in dict.fromkeys(works))
            did[key].append(_("%(name)s (%(what)s)", name=names[person], what=what))
    groups: dict[str, list[Key]] = defaultdict(list)
    depth: dict[str, int] = {}
    for key, node in found.nodes.items():
        groups[node.name].append(key)
        depth[node.name] = min(depth.get(node.name, node.depth), node.depth)
    return [
        {
            "name": name,
            "title": kinds_of(name),
            "cut": name in found.cut,
            "readable": found.reads(name),
            "rows": [
                {
                    "face": shown[key],
                    "way": WAYS[found.nodes[key].way],
                    "who": _("; ").join(did.get(key, ())) if shown[key].readable else "",
                    "start": key == found.start,
                }
                for key in groups[name]
            ],
        }
        for name in sorted(groups, key=lambda name: (depth[name], name))
    ]


def _names(found: Trace) -> dict[str, str]:
    keys = set(found.persons)
    keys |= {event.who for event in found.events() if event.who}
    coded = {key for key in keys if ":" in key}
    return {**{key: key for key in keys}, **actor_names(coded)}


def _events(found: Trace, shown: dict[Key, Face]) -> list[dict[str, Any]]:
    """The time line; the same step of many records of a kind at one moment is one line."""
    names = _names(found)
    lines: dict[tuple[Any, ...], list[Key]] = defaultdict(list)
    for event in found.events():
        if shown[event.key].readable:
            at = event.at.replace(second=0, microsecond=0)
            what = _happened(found, event)
            lines[at, event.day_only, what, event.key[0], event.who].append(event.key)
    events = []
    for (at, day_only, what, name, who), keys in lines.items():
        first = shown[keys[0]]
        events.append(
            {
                "when": show_day(at.date()) if day_only else show_time(at),
                "iso": at.date().isoformat() if day_only else at.isoformat(),
                "what": what,
                "kind": first.kind if len(keys) == 1 else f"{len(keys)} × {first.kind}",
                "title": first.title if len(keys) == 1 else f"{first.title} … {shown[keys[-1]].title}",
                "href": first.href if len(keys) == 1 else f"#t-{name}",
                "who": names.get(who, ""),
                "start": found.start in keys,
            }
        )
    return events


def _happened(found: Trace, event: Event) -> str:
    """What happened, in words; of a correction also what stood and what stands, as far as the reader may know."""
    if event.what in HAPPENED:
        return str(HAPPENED[event.what])
    label, _unit = label_of(record_of(event.key[0]).__tablename__, event.what)
    before, after = (_named(found, key) or "–" for key in (event.before, event.after))
    return str(_("put right: %(what)s %(after)s, before %(before)s", what=label, after=after, before=before))


def _named(found: Trace, key: Key | None) -> str:
    if key is None:
        return ""
    return found.stood.get(key, "") if found.reads(key[0]) else str(_("not yours to read"))


def _people(found: Trace, shown: dict[Key, Face]) -> list[dict[str, Any]]:
    names = _names(found)
    people = []
    for person, records in found.persons.items():
        done: dict[str, int] = defaultdict(int)
        for key, works in records.items():
            if shown[key].readable:
                for work in works:
                    done[work] += 1
        if done:
            people.append(
                {
                    "name": names[person],
                    "href": url_for("TraceView.show", name=PERSONS, key=person.partition(":")[2])
                    if person.startswith("user:")
                    else "",
                    "done": _(", ").join(f"{DID[work]} {number}" for work, number in done.items()),
                }
            )
    return sorted(people, key=lambda item: item["name"])


def as_json(found: Trace) -> dict[str, Any]:
    """The trace for a program. A record that may not be read is a kind and a number of this answer, nothing else."""
    shown = faces(found)
    names = _names(found)
    number = {key: place for place, key in enumerate(found.nodes)}
    nodes = []
    for key, node in found.nodes.items():
        face = shown[key]
        item: dict[str, Any] = {"node": number[key], "kind": node.name, "way": node.way}
        if face.readable:
            item |= {"id": node.record.id, "title": face.title, "at": _iso(node.when), "page": face.href}
        nodes.append(item)
    return {
        "start": number.get(found.start),
        "complete": not (found.cut or found.full),
        "more_of": sorted(name for name in found.cut if found.reads(name)),
        "nodes": nodes,
        "edges": [
            {"from": number[earlier], "to": number[later], "why": why}
            for (earlier, later), why in found.edges.items()
        ],
        "events": [
            {
                "at": event.at.date().isoformat() if event.day_only else event.at.isoformat(),
                "what": event.what.removesuffix("_at").removesuffix("_on"),
                "node": number[event.key],
                **_corrected(found, event),
                **({"who": names[event.who]} if event.who else {}),
            }
            for event in found.events()
            if shown[event.key].readable
        ],
        "persons": [
            {"name": names[person], "did": did}
            for person, records in found.persons.items()
            if (
                did := [
                    {"node": number[key], "what": sorted(set(works))}
                    for key, works in records.items()
                    if shown[key].readable
                ]
            )
        ],
    }


def _corrected(found: Trace, event: Event) -> dict[str, Any]:
    if event.what in HAPPENED:
        return {}
    return {
        "what": "corrected",
        "field": event.what,
        "before": _named(found, event.before) or None,
        "after": _named(found, event.after) or None,
    }


def paper_of(found: Trace, made_at: str) -> dict[str, Any]:
    """What reports/trace.typ prints."""
    shown = faces(found)
    start = shown.get(found.start)
    drawing, boxes = _picture(found, shown, *PRINTED)
    return {
        "title": start.title if start else found.person,
        "kind": start.kind if start else _("Person"),
        "made_at": made_at,
        "words": {
            "trace": _("Trace"),
            "made": _("Made %(when)s", when=made_at),
            "records": _("Records"),
            "time_line": _("Time line"),
            "persons": _("Persons"),
            "what": _("Record"),
            "when": _("When"),
            "who": _("Person"),
            "relation": _("Relation"),
            "happened": _("What happened"),
            "cut": cut_words(found),
        },
        "picture": render_template("lims/trace_picture.svg", drawing=drawing, boxes=boxes),
        "sections": [
            {
                "title": section["title"],
                "rows": [
                    [
                        row["face"].title or _("not yours to read"),
                        str(row["way"]),
                        row["face"].when,
                        row["who"],
                    ]
                    for row in section["rows"]
                ],
            }
            for section in _sections(found, shown)
        ],
        "events": [
            [event["when"], f"{event['kind']} {event['title']}", str(event["what"]), event["who"]]
            for event in _events(found, shown)
        ],
        "persons": [[person["name"], person["done"]] for person in _people(found, shown)],
    }


def cut_words(found: Trace) -> str:
    """That not everything is here, and of what there is more; "" when all is here."""
    kinds = _(", ").join(sorted(kinds_of(name) for name in found.cut if found.reads(name)))
    if found.full:
        return str(
            _("There is more than the %(most)s records shown: go on from one of them.", most=MOST_NODES)
        )
    if found.cut:
        return str(
            _("Only the newest are shown of: %(kinds)s. Go on from one of them for its own.", kinds=kinds)
        )
    return ""


def _iso(when: datetime | date | None) -> str | None:
    return when.isoformat() if when is not None else None


def lines_of(found: Trace) -> list[str]:
    """The trace as text: kinds from the first to the last, and the time line below."""
    shown = faces(found)
    text = []
    for section in _sections(found, shown):
        text.append(section["title"] + (" …" if section["cut"] else ""))
        for row in section["rows"]:
            mark = "*" if row["start"] else " "
            parts = [row["face"].title, row["face"].when, row["who"]]
            text.append(f" {mark} " + " · ".join(part for part in parts if part))
    text.append("")
    for event in _events(found, shown):
        parts = [event["when"], f"{event['kind']} {event['title']}", str(event["what"]), event["who"]]
        text.append("  ".join(part for part in parts if part))
    return text
