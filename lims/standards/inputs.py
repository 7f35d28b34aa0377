"""What a rule accepts: typed fields that read JSON values exactly and refuse the rest by name.

A field describes itself, so that the command line and a calculator's form need no second list of fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from lims.standards.errors import RuleInputError
from lims.standards.rounding import require_number
from lims.standards.words import N_, said

#: A decimal as written by people and by JSON; no spaces, units, underscores or digits of other scripts.
DECIMAL_TEXT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
#: No quantity of a laboratory needs more digits; more would slow the arithmetic down.
MOST_DIGITS = 30
#: Largest and smallest power of ten of an input.
EXPONENTS = (-15, 15)
#: Years that a timestamp or date may lie in; keeps sums of times within the calendar.
YEARS = (1900, 2200)
#: Longest list read.
MOST_ITEMS = 10_000


def read_decimal(name: str, raw: object) -> Decimal:
    """A JSON value (text, whole number or exact decimal) as a finite Decimal.

    Raises: RuleInputError for booleans, floats, text with units, NaN, infinities and absurd magnitudes.
    """
    if isinstance(raw, str):
        if not DECIMAL_TEXT.fullmatch(raw):
            raise RuleInputError(name, raw, N_("a finite decimal number without unit, such as 28.5"))
        number = Decimal(raw)
    elif isinstance(raw, bool) or not isinstance(raw, Decimal | int):
        raise RuleInputError(name, raw, "a decimal number, as a JSON number or text such as '28.5'")
    else:
        number = Decimal(raw)
    if not number.is_finite():
        raise RuleInputError(name, raw, N_("a finite decimal number"))
    if len(number.as_tuple().digits) > MOST_DIGITS:
        raise RuleInputError(
            name, raw, said(N_("a decimal number of at most %(most)s digits"), most=MOST_DIGITS)
        )
    if number and not EXPONENTS[0] <= number.adjusted() <= EXPONENTS[1]:
        raise RuleInputError(
            name,
            raw,
            said(
                N_("zero or a size from 1E%(low)s to 1E+%(high)s"),
                low=EXPONENTS[0],
                high=EXPONENTS[1],
            ),
        )
    return number if number else Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One named input. `text` says what it is, in the laboratory's words, with its unit.

    `aliases` are other names that JSON may use; `default` is what a rule takes when nothing is given, shown to users
    and returned with the answer, and what a laboratory's own edition may change.
    """

    name: str
    text: str = ""
    required: bool = True
    aliases: tuple[str, ...] = ()
    default: str | int | None = None

    def parse(self, raw: object, path: str) -> object:
        """The typed value of `raw`. `path` names it in messages. Raises: RuleInputError."""
        raise NotImplementedError

    def accepted(self) -> str:
        """What may be given, in words."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Field):
    """A decimal within bounds, or one of `options`."""

    above: Decimal | int | None = None
    minimum: Decimal | int | None = None
    maximum: Decimal | int | None = None
    options: tuple[Decimal, ...] = ()

    def parse(self, raw: object, path: str) -> Decimal:
        number = read_decimal(path, raw)
        if self.options and number not in self.options:
            raise RuleInputError(path, raw, self.accepted())
        return require_number(path, number, above=self.above, minimum=self.minimum, maximum=self.maximum)

    def accepted(self) -> str:
        if self.options:
            return said(N_("one of %(options)s"), options=", ".join(f"{option:f}" for option in self.options))
        low = self.above if self.above is not None else self.minimum
        text = {
            (False, False, False): N_("a decimal number"),
            (False, False, True): N_("a decimal number at most %(high)s"),
            (True, False, False): N_("a decimal number at least %(low)s"),
            (True, False, True): N_("a decimal number at least %(low)s, at most %(high)s"),
            (True, True, False): N_("a decimal number above %(low)s"),
            (True, True, True): N_("a decimal number above %(low)s, at most %(high)s"),
        }[low is not None, self.above is not None, self.maximum is not None]
        return said(text, low=low, high=self.maximum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count(Field):
    """A whole number within bounds."""

    minimum: int = 0
    maximum: int = 1_000_000

    def parse(self, raw: object, path: str) -> int:
        number = read_decimal(path, raw)
        if number != number.to_integral_value() or not self.minimum <= number <= self.maximum:
            raise RuleInputError(path, raw, self.accepted())
        return int(number)

    def accepted(self) -> str:
        return said(N_("a whole number from %(low)s to %(high)s"), low=self.minimum, high=self.maximum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Field):
    """One of a few words. A JSON number is read as its text, so that a class may be written 42.5."""

    options: tuple[str, ...]

    def parse(self, raw: object, path: str) -> str:
        word = str(raw) if isinstance(raw, Decimal | int) and not isinstance(raw, bool) else raw
        if not isinstance(word, str) or word not in self.options:
            raise RuleInputError(path, raw, self.accepted())
        return word

    def accepted(self) -> str:
        return said(N_("one of %(options)s"), options=", ".join(self.options))


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag(Field):
    """True or false; words and numbers are refused."""

    def parse(self, raw: object, path: str) -> bool:
        if not isinstance(raw, bool):
            raise RuleInputError(path, raw, self.accepted())
        return raw

    def accepted(self) -> str:
        return N_("true or false")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant(Field):
    """A moment with its zone."""

    def parse(self, raw: object, path: str) -> datetime:
        try:
            moment = datetime.fromisoformat(raw) if isinstance(raw, str) else None
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None or not YEARS[0] <= moment.year <= YEARS[1]:
            raise RuleInputError(path, raw, self.accepted())
        return moment

    def accepted(self) -> str:
        return N_("a time with its zone, such as 2026-03-28T10:00:00+08:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Day(Field):
    """A date of the calendar."""

    def parse(self, raw: object, path: str) -> date:
        try:
            day = date.fromisoformat(raw) if isinstance(raw, str) and len(raw) == 10 else None
        except ValueError:
            day = None
        if day is None or not YEARS[0] <= day.year <= YEARS[1]:
            raise RuleInputError(path, raw, self.accepted())
        return day

    def accepted(self) -> str:
        return N_("a date such as 2026-03-28")


@dataclass(frozen=True, slots=True, kw_only=True)
class Many(Field):
    """A list of values of one kind, `least` to `most` of them."""

    each: Field
    least: int = 1
    most: int = MOST_ITEMS

    def parse(self, raw: object, path: str) -> tuple[object, ...]:
        if isinstance(raw, str) or not isinstance(raw, Sequence):
            raise RuleInputError(path, raw, self.accepted())
        if not self.least <= len(raw) <= self.most:
            raise RuleInputError(path, said(N_("%(n)s values"), n=len(raw)), self.accepted())
        return tuple(self.each.parse(value, f"{path}[{index}]") for index, value in enumerate(raw))

    def accepted(self) -> str:
        if self.least == self.most:
            text = N_("a list of exactly %(least)s values, each %(each)s")
        elif self.most == MOST_ITEMS:
            text = N_("a list of at least %(least)s values, each %(each)s")
        else:
            text = N_("a list of %(least)s to %(most)s values, each %(each)s")
        return said(text, least=self.least, most=self.most, each=self.each.accepted())


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Field):
    """An object of named fields."""

    fields: tuple[Field, ...]

    def parse(self, raw: object, path: str) -> Given:
        if not isinstance(raw, Mapping):
            raise RuleInputError(path, raw, self.accepted())
        return read_fields(self.fields, raw, path)

    def accepted(self) -> str:
        fields = tuple(
            said(
                N_("%(name)s: %(what)s") if field.required else N_("%(name)s: %(what)s (may be left out)"),
                name=field.name,
                what=field.accepted(),
            )
            for field in self.fields
        )
        return said(N_("an object with %(fields)s"), fields=fields)


class Given:
    """Parsed inputs of a rule by name; what was left out or null is None."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = dict(values)

    def get(self, name: str) -> object:
        return self._values.get(name)

    def has(self, name: str) -> bool:
        return self._values.get(name) is not None

    def number(self, name: str) -> Decimal:
        value = self._values[name]
        assert isinstance(value, Decimal)
        return value

    def number_or_none(self, name: str) -> Decimal | None:
        return self.number(name) if self.has(name) else None

    def numbers(self, name: str) -> tuple[Decimal, ...]:
        values = self._values[name]
        assert isinstance(values, tuple)
        return values

    def numbers_or_none(self, name: str) -> tuple[Decimal, ...] | None:
        return self.numbers(name) if self.has(name) else None

    def count(self, name: str) -> int:
        value = self._values[name]
        assert isinstance(value, int)
        return value

    def count_or_none(self, name: str) -> int | None:
        return self.count(name) if self.has(name) else None

    def word(self, name: str) -> str:
        value = self._values[name]
        assert isinstance(value, str)
        return value

    def word_or_none(self, name: str) -> str | None:
        return self.word(name) if self.has(name) else None

    def flag(self, name: str) -> bool:
        value = self._values[name]
        assert isinstance(value, bool)
        return value

    def instant(self, name: str) -> datetime:
        value = self._values[name]
        assert isinstance(value, datetime)
        return value

    def day(self, name: str) -> date:
        value = self._values[name]
        assert isinstance(value, date)
        return value

    def records(self, name: str) -> tuple[Given, ...]:
        values = self._values[name]
        assert isinstance(values, tuple)
        return values


def read_fields(fields: Sequence[Field], raw: Mapping[str, object], path: str = "") -> Given:
    """The fields of an object; null counts as left out.

    Raises: RuleInputError for a key that no field has, a required field that is missing, a bad value.
    """
    prefix = f"{path}." if path else ""
    names = {name for field in fields for name in (field.name, *field.aliases)}
    for key in raw:
        if key not in names:
            known = ", ".join(field.name for field in fields)
            raise RuleInputError(
                f"{prefix}{_shown_key(key)}", raw[key], said(N_("only %(known)s"), known=known)
            )
    values: dict[str, object] = {}
    for field in fields:
        given = [name for name in (field.name, *field.aliases) if raw.get(name) is not None]
        if len(given) > 1:
            raise RuleInputError(
                f"{prefix}{given[1]}",
                raw[given[1]],
                said(N_("either %(one)s or %(other)s, not both"), one=given[0], other=given[1]),
            )
        value = raw[given[0]] if given else field.default
        if value is None:
            if field.required:
                raise RuleInputError(f"{prefix}{field.name}", None, field.accepted())
            continue
        values[field.name] = field.parse(value, f"{prefix}{field.name}")
    return Given(values)


def _shown_key(key: object) -> str:
    """A key of unknown origin, short and printable."""
    text = str(key)
    return text if text.isascii() and text.isprintable() and len(text) <= 60 else ascii(text)[:60]
