"""Finding records by letters of their codes and names, at most a few of each kind, within milliseconds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, BindParameter, bindparam, column, select, text
from sqlalchemy.orm import Session

from lims.base.database import current_session, database
from lims.base.fields import narrow_letters
from lims.base.security import may
from lims.base.services import SERVICES, TEXT_INDEXES, TextIndex
from lims.searching.triggers import BEGINNING, KIND_STEP, NUMBERS, SEARCHED, TELLING_DIGITS, Searched

#: FTS5 and pg_trgm index runs of three letters.
TRIGRAM = 3
MOST_LETTERS = 100
#: Who may not know of every record gets so many times the hits looked through.
BEYOND = 10


@dataclass(frozen=True, slots=True)
class Found:
    """A record that fits. `record_id` is its id, `title` what was searched."""

    record_name: str
    record_id: int
    title: str


def find(letters: str, of_each: int = 6, *, whole_alone: bool = False) -> list[Found]:
    """What the asking person may read and whose code or name holds `letters`: beginnings first.

    `whole_alone`: a whole code with digits that tell is what was meant; what else holds it is not looked for. A few
    statements, whatever the number of kinds, and one more for each kind of which the asking person may not know all.
    """
    wanted = _wanted(letters)
    if not wanted:
        return []
    readable = [item for item in SEARCHED if may("read", item.record_name)]
    hidden = [item.record_name for item in readable if SERVICES[item.record_name].visible()]
    certain = [item.number for item in readable if item.record_name not in hidden] if whole_alone else ()
    size = of_each * (BEYOND if hidden else 1)
    found = find_among(current_session(), wanted, readable, size, certain)
    if not found and narrow_letters(wanted) != wanted:
        found = find_among(current_session(), narrow_letters(wanted), readable, size, certain)
    return _known(found, hidden, of_each)


def _wanted(letters: str) -> str:
    return "".join(c for c in letters[:MOST_LETTERS] if c.isprintable()).strip().lower()


def _known(found: list[Found], hidden: list[str], of_each: int) -> list[Found]:
    """Without the records that the asking person may not know of: one statement for each kind that has such."""
    kept: dict[str, list[Found]] = {}
    for item in found:
        kept.setdefault(item.record_name, []).append(item)
    for name in hidden:
        ids = [item.record_id for item in kept.get(name, ())]
        if ids:
            service = SERVICES[name]
            query = select(service.record.id).where(service.record.id.in_(ids), *service.visible())
            known = set(current_session().scalars(query))
            kept[name] = [item for item in kept[name] if item.record_id in known]
    return [item for items in kept.values() for item in items[:of_each]]


def find_among(
    session: Session, wanted: str, kinds: Iterable[Searched], of_each: int, certain: Iterable[int] = ()
) -> list[Found]:
    """The same without asking for permissions. Of the kinds `certain` a whole code is enough."""
    kinds = list(kinds)
    found: dict[int, list[tuple[int, str]]] = {item.number: [] for item in kinds}

    def take(rows: Iterable[tuple[int, int, str]]) -> None:
        for key, kind, title in rows:
            if len(found[kind]) < of_each and all(key != other for other, _title in found[kind]):
                found[kind].append((key, title))

    if kinds:
        take(_rows(session, [_beginning(item) for item in kinds], _beginnings(wanted, of_each)))
    whole = any(title.lower().split()[:1] == [wanted] for kind in certain for _key, title in found[kind])
    inside = [] if whole and _runs(wanted) else [item for item in kinds if len(found[item.number]) < of_each]
    at_once = _all_inside(session, wanted) if inside else None
    if at_once is not None:
        take(row for row in at_once if row[1] in found)
    elif parts := [part for item in inside if (part := _inside(item, wanted))]:
        take(_rows(session, parts, _values(wanted) | {"size": of_each * 2}))
    return [
        Found(item.record_name, key - item.number * KIND_STEP, title.partition("\n")[0].strip())
        for item in kinds
        for key, title in found[item.number]
    ]


def _runs(wanted: str) -> list[str]:
    """The runs of digits that tell."""
    return re.findall(rf"[0-9]{{{TELLING_DIGITS},}}", wanted)


def _telling(wanted: str) -> str:
    """What FTS5 is asked for: the digits that tell, or all where there are none.

    It walks through the rows of every trigram. Those of "-28d-1c" are a third of all specimens; those of "055556" are a
    handful, which are then compared with all that was asked for.
    """
    runs = _runs(wanted)
    # SQLite's LIKE folds the case of ASCII alone, its trigrams that of every script.
    return max(reversed(runs), key=len) if runs and wanted.isascii() else wanted


def _windows(wanted: str) -> str:
    """What PostgreSQL's index of digits is asked for. In the text, so that it knows how few titles hold them."""
    found = {
        run[at : at + TELLING_DIGITS] for run in _runs(wanted) for at in range(len(run) - TELLING_DIGITS + 1)
    }
    return f"ARRAY[{', '.join(str(int(digits)) for digits in sorted(found))}]"


def _held(wanted: str, *, id_range: str = "", kind: str = "", ids_alone: bool = False) -> str:
    """`FROM … WHERE …` over titles that hold what is wanted, as `e`; values: `_values`. `ids_alone`: of FTS5, as `f`."""
    if _by_fts5(wanted):
        rest = _telling(wanted) != wanted
        compared = " AND e.title LIKE :pattern ESCAPE '\\'" if rest else ""
        titles = " JOIN search_entries e ON e.id = f.rowid" if rest or not ids_alone else ""
        return f"FROM search_trigrams f{titles} WHERE f.title MATCH :quoted{id_range}{compared}"
    if _by_digits(wanted):
        # No LIKE for the rest: the index of trigrams would be asked for that as well.
        held = f"search_digits(e.title) @> {_windows(wanted)} AND position(:wanted in lower(e.title)) > 0"
    else:
        held = "lower(e.title) LIKE :pattern ESCAPE '\\'"
    return f"FROM search_entries e WHERE {held}{kind}"


def _values(wanted: str) -> dict[str, object]:
    """What the texts of `_held` and `_inside` are given; `_rows` takes what a text names."""
    return {"quoted": _quoted(_telling(wanted)), "pattern": _pattern(wanted), "wanted": wanted}


def _pattern(wanted: str) -> str:
    return "%" + wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _quoted(wanted: str) -> str:
    return '"' + wanted.replace('"', '""') + '"'


def _used(statement: str, values: dict[str, object]) -> dict[str, object]:
    """Those of the values that the statement names."""
    return {name: value for name, value in values.items() if re.search(rf":{name}\b", statement)}


def _rows(session: Session, parts: list[str], values: dict[str, object]) -> list[tuple[int, int, str]]:
    statement = " UNION ALL ".join(f"SELECT * FROM ({part}) AS p{i}" for i, part in enumerate(parts))
    return [(row[0], row[1], row[2]) for row in session.execute(text(statement), _used(statement, values))]


def _beginnings(wanted: str, size: int) -> dict[str, object]:
    """What the text of `_beginning` is given."""
    return {"low": wanted, "high": wanted + "\U0010ffff", "size": size}


def _beginning(item: Searched) -> str:
    if database().is_sqlite:  # its collation ignores case
        column, low, high, order = "title", ">=", "<", "title"
    else:  # the operators of text_pattern_ops: byte order
        column, low, high, order = BEGINNING, "~>=~", "~<~", f"{BEGINNING} USING ~<~"
    return (
        f"SELECT id, kind, title FROM search_entries WHERE kind = {item.number} "
        f"AND {column} {low} :low AND {column} {high} :high ORDER BY {order} LIMIT :size"
    )


#: So few titles of all kinds that hold the letters are taken as they come, without a statement's part for each kind.
FEW = 200


def _all_inside(session: Session, wanted: str) -> list[tuple[int, int, str]] | None:
    """What holds letters that few titles hold: the index is walked through once, not once a kind. None where there is
    more, or where no index finds letters in the middle."""
    if not _indexed(wanted):
        return None
    part = f"SELECT e.id, e.kind, e.title {_held(wanted)} LIMIT {FEW}"
    rows = _rows(session, [part], _values(wanted))
    return rows if len(rows) < FEW else None


def _by_fts5(wanted: str) -> bool:
    return database().is_sqlite and len(wanted) >= TRIGRAM


def _by_digits(wanted: str) -> bool:
    return not database().is_sqlite and bool(_runs(wanted))


def _indexed(wanted: str) -> bool:
    """Does an index find these letters in the middle of a title?"""
    return _by_digits(wanted) or (len(wanted) >= TRIGRAM and (database().is_sqlite or has_trigrams()))


def _inside(item: Searched, wanted: str) -> str:
    """The part of the statement that finds letters in the middle; "" where that would read a whole table."""
    if item.bulk and not _indexed(wanted):
        return ""
    return f"SELECT e.id, e.kind, e.title {_of_kind(item, wanted)} LIMIT :size"


def _of_kind(item: Searched, wanted: str, *, ids_alone: bool = False) -> str:
    low, high = item.number * KIND_STEP, (item.number + 1) * KIND_STEP
    return _held(
        wanted,
        id_range=f" AND f.rowid BETWEEN {low} AND {high}",
        kind=f" AND e.kind = {item.number}",
        ids_alone=ids_alone,
    )


def has_trigrams() -> bool:
    """Does this PostgreSQL have pg_trgm? Asked once an engine."""
    bind = database().engine
    known: bool | None = getattr(bind, "lims_trigrams", None)
    if known is None:
        with bind.connect() as connection:
            known = bool(
                connection.scalar(text("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"))
            )
        bind.lims_trigrams = known  # type: ignore[attr-defined]
    return known


#: Of a kind, at most so many ids go into a list's condition, the newest first: letters that half of all records hold
#: narrow nothing down.
MOST_IDS = 10_000


def _ids(item: Searched) -> Callable[[str], Any]:
    low = item.number * KIND_STEP

    def ids(letters: str) -> Any:
        """Ids of this kind whose code or name holds the letters; of many records and few letters, begins with them.

        A few are looked up here and now, because a list counts and reads by them; of many this is the query.
        """
        wanted = _wanted(letters)
        if item.bulk and not _indexed(wanted):
            beginnings = f"SELECT id - {low} AS id FROM ({_beginning(item)}) AS beginnings"
            return _query(beginnings, _beginnings(wanted, MOST_IDS))
        key, newest = ("f.rowid", " ORDER BY f.rowid DESC") if _by_fts5(wanted) else ("e.id", "")
        query = f"SELECT {key} - {low} AS id {_of_kind(item, wanted, ids_alone=True)}{newest}"
        few = current_session().scalars(_query(f"{query} LIMIT {FEW}", _values(wanted))).all()
        return few if len(few) < FEW else _query(f"{query} LIMIT {MOST_IDS}", _values(wanted))

    return ids


def _query(statement: str, values: dict[str, object]) -> Any:
    """A text of ids with those of the values that it names, under names that another text may use too."""
    bound: list[BindParameter[Any]] = [
        bindparam(name, value, unique=True) for name, value in _used(statement, values).items()
    ]
    return text(statement).bindparams(*bound).columns(column("id", BigInteger))


#: Of a long text, so many of its words are looked for.
MOST_WORDS = 40
#: Of a word its beginning: cracks, cracked and cracking are one.
STEM = 5


def most_alike(record_name: str, words: str, size: int) -> list[int]:
    """Ids of records of this kind that hold most of these words, by the index: rare words weigh most on SQLite, each
    counts the same on PostgreSQL. Of Chinese every three characters count as a word."""
    item = NUMBERS[record_name]
    low, high = item.number * KIND_STEP, (item.number + 1) * KIND_STEP
    parts = pieces(words)
    if not parts:
        return []
    values: dict[str, object] = {"size": size}
    if database().is_sqlite:
        values["wanted"] = " OR ".join(f'"{part}"' for part in parts)
        query = (
            f"SELECT rowid - {low} AS id FROM search_trigrams WHERE search_trigrams MATCH :wanted "
            f"AND rowid BETWEEN {low} AND {high} ORDER BY rank LIMIT :size"
        )
    else:
        values |= {f"part{number}": f"%{part}%" for number, part in enumerate(parts)}
        held = [f"lower(title) LIKE :part{number}" for number in range(len(parts))]
        query = (
            f"SELECT id - {low} AS id FROM search_entries WHERE kind = {item.number} AND ({' OR '.join(held)}) "
            f"ORDER BY {' + '.join(f'({one})::int' for one in held)} DESC, id DESC LIMIT :size"
        )
    return [row[0] for row in current_session().execute(text(query), values)]


def pieces(words: str) -> list[str]:
    """Beginnings of words of four letters and more, and runs of three Chinese characters, without repeats."""
    found: dict[str, None] = {}
    for word in re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", words).lower()):
        for run in re.findall(r"[\u4e00-\u9fff]+|[^\u4e00-\u9fff]+", word):
            if "\u4e00" <= run[0] <= "\u9fff":
                found |= dict.fromkeys(run[i : i + TRIGRAM] for i in range(len(run) - TRIGRAM + 1))
            elif len(run) > TRIGRAM:
                found[run[:STEM]] = None
    return list(found)[:MOST_WORDS]


for _item in SEARCHED:
    TEXT_INDEXES[_item.record_name] = TextIndex(_item.columns, _ids(_item))
