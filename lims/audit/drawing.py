"""A layout of layers for a graph that runs from what was there first (above) to what came of it (below).

Boxes of one kind in one layer that would crowd the picture become one stack. The picture is made for a width: the page
carries one for a desk and one for a phone, and shows the one that fits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: More boxes of one kind in a layer than this stand as one stack.
MOST_ALONE = 3
GAP = 12
#: Height of a box, and the room between layers for the lines.
BOX_HEIGHT, LAYER_GAP = 50, 34
#: Sweeps that move boxes beneath their neighbours; more change nothing any more.
SWEEPS = 6


@dataclass(slots=True)
class Box:
    """One record or a stack of them. `members` are what it stands for."""

    kind: str
    members: list[Any]
    layer: int = 0
    x: float = 0
    y: float = 0
    width: float = 0


@dataclass(slots=True)
class Drawing:
    width: int
    height: int
    boxes: list[Box] = field(default_factory=list)
    #: SVG paths, each with the class of its line.
    lines: list[tuple[str, str]] = field(default_factory=list)


def layers(nodes: Iterable[Hashable], edges: Iterable[tuple[Any, Any]]) -> dict[Any, int]:
    """Every node below all it came from; sources are pulled down to just above what came of them."""
    nodes = list(nodes)
    later: dict[Any, list[Any]] = defaultdict(list)
    count = dict.fromkeys(nodes, 0)
    for earlier, after in edges:
        later[earlier].append(after)
        count[after] += 1
    layer = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not count[node]]
    order = []
    while ready:
        node = ready.pop()
        order.append(node)
        for after in later[node]:
            layer[after] = max(layer[after], layer[node] + 1)
            count[after] -= 1
            if not count[after]:
                ready.append(after)
    for node in reversed(order):
        below = [layer[after] for after in later[node]]
        if below:
            layer[node] = max(layer[node], min(below) - 1)
    return layer


def draw(
    nodes: Mapping[Any, str], edges: Mapping[tuple[Any, Any], str], start: Any, width: int, per_row: int
) -> Drawing:
    """`nodes`: key -> kind; `edges`: (earlier, later) -> class of the line."""
    layer = layers(nodes, edges)
    boxes, of = _boxes(nodes, layer, start)
    joined: dict[tuple[int, int], str] = {}
    for (earlier, later), why in edges.items():
        pair = (of[earlier], of[later])
        if pair[0] != pair[1]:
            joined.setdefault(pair, why)
    joined = _without_detours(joined)
    rows = _rows(boxes, joined, per_row)
    box_width = (width - GAP * (per_row - 1)) / per_row
    y = 0.0
    last_layer = boxes[rows[0][0]].layer if rows else 0
    for number, row in enumerate(rows):
        if number:
            here = boxes[row[0]].layer
            y += BOX_HEIGHT + (LAYER_GAP if here != last_layer else GAP)
            last_layer = here
        left = (width - len(row) * box_width - (len(row) - 1) * GAP) / 2
        for place, member in enumerate(row):
            box = boxes[member]
            box.x, box.y, box.width = left + place * (box_width + GAP), y, box_width
    drawing = Drawing(width, int(y + BOX_HEIGHT), boxes)
    for (upper, lower), why in joined.items():
        drawing.lines.append((_line(boxes[upper], boxes[lower]), why))
    return drawing


def _boxes(
    nodes: Mapping[Any, str], layer: Mapping[Any, int], start: Any
) -> tuple[list[Box], dict[Any, int]]:
    groups: dict[tuple[int, str], list[Any]] = defaultdict(list)
    for key, kind in nodes.items():
        groups[layer[key], kind].append(key)
    boxes: list[Box] = []
    of: dict[Any, int] = {}
    for (depth, kind), keys in sorted(groups.items(), key=lambda item: item[0]):
        alone = keys if len(keys) <= MOST_ALONE else [key for key in keys if key == start]
        stacked = [] if alone is keys else [key for key in keys if key != start]
        for members in ([key] for key in alone):
            of[members[0]] = len(boxes)
            boxes.append(Box(kind, members, depth))
        if stacked:
            of.update(dict.fromkeys(stacked, len(boxes)))
            boxes.append(Box(kind, stacked, depth))
    return boxes, of


def _without_detours(joined: dict[tuple[int, int], str]) -> dict[tuple[int, int], str]:
    """Lines that a longer way tells as well are left out of the picture (the table keeps them)."""
    later: dict[int, set[int]] = defaultdict(set)
    for upper, lower in joined:
        later[upper].add(lower)

    reached: dict[int, frozenset[int]] = {}

    def below(box: int, seen: frozenset[int] = frozenset()) -> frozenset[int]:
        if box not in reached:
            found: set[int] = set()
            for after in later[box] - seen:
                found |= {after} | below(after, seen | {box})
            reached[box] = frozenset(found)
        return reached[box]

    return {
        (upper, lower): why
        for (upper, lower), why in joined.items()
        if not any(lower in below(other) for other in later[upper] - {lower})
    }


def _rows(boxes: Sequence[Box], joined: Iterable[tuple[int, int]], per_row: int) -> list[list[int]]:
    """Boxes by layer, near their neighbours, broken into rows of `per_row`."""
    by_layer: dict[int, list[int]] = defaultdict(list)
    for number, box in enumerate(boxes):
        by_layer[box.layer].append(number)
    near: dict[int, list[int]] = defaultdict(list)
    for upper, lower in joined:
        near[upper].append(lower)
        near[lower].append(upper)
    place: dict[int, float] = {
        box: (index + 0.5) / len(row) for row in by_layer.values() for index, box in enumerate(row)
    }
    for sweep in range(SWEEPS):
        order = sorted(by_layer) if sweep % 2 == 0 else sorted(by_layer, reverse=True)
        for depth in order:
            row = by_layer[depth]
            wanted = {
                number: sum(place[other] for other in near[number]) / len(near[number])
                if near[number]
                else place[number]
                for number in row
            }
            row.sort(key=lambda number: (wanted[number], number))
            place.update({number: (index + 0.5) / len(row) for index, number in enumerate(row)})
    rows = []
    for depth in sorted(by_layer):
        row = by_layer[depth]
        needed = -(-len(row) // per_row)
        size = -(-len(row) // needed)
        rows += [row[first : first + size] for first in range(0, len(row), size)]
    return rows


def _line(upper: Box, lower: Box) -> str:
    x1, y1 = upper.x + upper.width / 2, upper.y + BOX_HEIGHT
    x2, y2 = lower.x + lower.width / 2, lower.y
    if y2 < y1:  # rows of one layer that was broken: from side to side would cross boxes
        y1, y2 = upper.y + BOX_HEIGHT / 2, lower.y + BOX_HEIGHT / 2
    bend = max(12.0, min(40.0, (y2 - y1) / 2))
    return f"M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}"
