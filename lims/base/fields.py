"""Kinds of input: each parses what people really type and says what it would accept.

They stand in `Annotated[...]` on a schema's attribute; the same object tells the form which control to draw and
the API description what to expect. See `lims.base.schemas`.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Any

from flask_babel import gettext as _
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
#: Moves a decimal point without rounding, however many digits were typed.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_CODE = re.compile(r"\w[\w.\-/#+]*")
#: No control characters, but a workbook or a paper with one is not opened. Source: XML 1.0, 2.2.
_IN_NO_XML = "\ufffe\uffff"
#: Digits before or behind the point of anything that was ever measured; what is asked for with more is not written out.
MOST_DIGITS = 40
#: Characters of what was given and of what is accepted that a message repeats.
_MOST_SHOWN, _MOST_LISTED = 40, 300


def wrong(message: str) -> PydanticCustomError:
    """What a kind raises: a sentence in the reader's language that says what would be accepted."""
    # Braces would be read as a template; what a person typed may hold some.
    return PydanticCustomError("lims", "{message}", {"message": message})


def plain_text(value: Any) -> str:
    """Text as typed, without the width variants of an input method (１２．５ is 12.5) and outer blanks."""
    text = whole_text(value)
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFKC", text).replace("\u2212", "-").strip()


#: Letters, digits and the dash as an input method for Chinese types them, to those of a code.
_WIDE = {
    wide: wide - 0xFEE0
    for wide in (0xFF0D, *range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
}


def narrow_letters(text: str) -> str:
    """Ｂ２６－１ as B26-1; a name's own signs stay: what is searched for may hold them."""
    return text if text.isascii() else text.translate(_WIDE)


def whole_text(value: Any) -> str:
    """Any value as text that can be stored and sent."""
    try:
        text = value if isinstance(value, str) else str(value)
    except ValueError:  # an integer of thousands of digits
        raise too_many_digits() from None
    if not text.isascii() and not is_sendable(text):
        raise wrong(_("holds a control character; accepted: plain text"))
    return text


def too_many_digits() -> PydanticCustomError:
    return wrong(_("has too many digits; accepted: a number of up to %(most)s digits", most=MOST_DIGITS))


def is_sendable(text: str) -> bool:
    """Not with half of a pair of surrogates, which JSON may carry and no encoding has."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def too_many_cells(cells: int, heads: int) -> str:
    """Of a row of text: a comma within a value begins another cell, and every one behind it would be its neighbour's."""
    message: str = _(
        "has %(cells)s cells and the row of heads %(heads)s; accepted: no more than that, what holds the separator in "
        "quotation marks",
        cells=cells,
        heads=heads,
    )
    return message


def listed(words: Iterable[Any]) -> str:
    """What is accepted, for a message: not the whole of a long list."""
    between = str(_(", "))
    text = between.join(map(str, words))
    return text if len(text) <= _MOST_LISTED else text[:_MOST_LISTED].rpartition(between)[0] + between + "…"


@dataclass(frozen=True, slots=True)
class Ui:
    """How the field appears: label and help are lazy strings, `unit` stands beside the control."""

    label: Any
    unit: str = ""
    help: Any = ""
    widget: str = ""


class Kind:
    """A parser with a description. Subclasses implement `parse` and raise through `wrong`."""

    widget = "text"

    def parse(self, value: Any) -> Any:
        raise TypeError("abstract")

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string"}

    def text(self, value: Any) -> str:
        """How a stored value reads in a form; an unchanged save must give it back exactly."""
        return "" if value is None else str(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self.json_schema()


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"


@dataclass(frozen=True)
class Quantity(Kind):
    """A measured or planned number, exact. Bounds are inclusive unless `above` is given.

    Accepts 12.5, "12.5", full-width digits; refuses a float NaN, "1e5", "3,5" (which of the two commas is
    meant is not ours to guess), more places than are kept.
    """

    places: int = 3
    minimum: Decimal | int | None = 0
    maximum: Decimal | int | None = 1_000_000
    above: Decimal | int | None = None
    unit: str = ""
    widget = "decimal"

    def accepted(self) -> str:
        low = self.above if self.above is not None else self.minimum
        unit = f" {self.unit}" if self.unit else ""
        words = {"low": low, "high": self.maximum, "unit": unit, "places": self.places}
        if self.above is not None:
            text = _(
                "a number above %(low)s and up to %(high)s%(unit)s with at most %(places)s decimal places",
                **words,
            )
        else:
            text = _(
                "a number from %(low)s to %(high)s%(unit)s with at most %(places)s decimal places", **words
            )
        return str(text)

    def parse(self, value: Any) -> Decimal:
        if isinstance(value, bool):
            raise wrong(_("is not a number; accepted: %(what)s", what=self.accepted()))
        if isinstance(value, Decimal) and value.is_finite():
            number, text = value, ""  # read once already, by an import
        else:
            number, text = self._read(repr(value) if isinstance(value, float) else value)
        # By its exponent first: 1e999999999 written out takes a gigabyte, and so does 0e-999999999.
        astray = abs(number.adjusted()) > MOST_DIGITS
        if astray and not number:
            number, astray = Decimal(0), False
        too_fine = astray or self._too_fine(number)
        outside = (
            (self.above is not None and number <= self.above)
            or (self.above is None and self.minimum is not None and number < self.minimum)
            or (self.maximum is not None and number > self.maximum)
        )
        if too_fine or outside:
            shown = text or (str(number) if astray else f"{number:f}")
            raise wrong(
                _(
                    "%(value)s is not accepted; accepted: %(what)s",
                    value=_cut(shown),
                    what=self.accepted(),
                )
            )
        return number

    def _too_fine(self, number: Decimal) -> bool:
        """Has it more places than are kept? Zeros at the end do not count."""
        scaled = number.scaleb(self.places, _EXACT)
        return scaled != scaled.to_integral_value()

    def _read(self, value: Any) -> tuple[Decimal, str]:
        text = plain_text(value)
        if not _NUMBER.fullmatch(text):
            raise wrong(
                _("“%(value)s” is not a number; accepted: %(what)s", value=_cut(text), what=self.accepted())
            )
        try:
            return Decimal(text), text
        except InvalidOperation as error:  # pragma: no cover - the pattern admits only what Decimal reads
            raise wrong(self.accepted()) from error

    def text(self, value: Any) -> str:
        if value is None:
            return ""
        shown = f"{Decimal(value):f}"
        return shown.rstrip("0").rstrip(".") if "." in shown else shown

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "string",
            "format": "decimal",
            "pattern": r"^[+-]?\d+(\.\d+)?$",
            "description": f"decimal number as a string{', ' + self.unit if self.unit else ''}",
        }


@dataclass(frozen=True)
class WholeNumber(Kind):
    minimum: int = 0
    maximum: int = 2**31 - 1
    widget = "integer"

    def parse(self, value: Any) -> int:
        what = _("a whole number from %(low)s to %(high)s", low=self.minimum, high=self.maximum)
        text = plain_text(value)
        if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d{1,18}", text):
            raise wrong(
                _("“%(value)s” is not a whole number; accepted: %(what)s", value=text[:40], what=what)
            )
        number = int(text)
        if not self.minimum <= number <= self.maximum:
            raise wrong(_("%(value)s is not accepted; accepted: %(what)s", value=text, what=what))
        return number

    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True)
class Text(Kind):
    """Text of limited length; control characters are refused, since they end up on labels and in workbooks."""

    most: int = 200
    least: int = 1
    lines: bool = False

    @property
    def widget(self) -> str:  # type: ignore[override]
        return "textarea" if self.lines else "text"

    def parse(self, value: Any) -> str:
        if not isinstance(value, str):
            raise wrong(_("is not text; accepted: text of up to %(most)s characters", most=self.most))
        text = value.replace("\r\n", "\n").strip()
        if not text.isprintable() and any(
            (unicodedata.category(c) in {"Cc", "Cs"} or c in _IN_NO_XML) and not (self.lines and c in "\n\t")
            for c in text
        ):
            raise wrong(_("holds a control character; accepted: plain text"))
        if not self.least <= len(text) <= self.most:
            raise wrong(
                _(
                    "has %(n)s characters; accepted: %(least)s to %(most)s",
                    n=len(text),
                    least=self.least,
                    most=self.most,
                )
            )
        return text

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": self.least, "maxLength": self.most}


@dataclass(frozen=True)
class Code(Kind):
    """A short identifier that goes on labels and into addresses: letters, digits, - _ . / and CJK."""

    most: int = 40

    def parse(self, value: Any) -> str:
        text = plain_text(value)
        if not _CODE.fullmatch(text) or len(text) > self.most:
            raise wrong(
                _(
                    "“%(value)s” is not a code; accepted: up to %(most)s letters, digits and - _ . / # +, without blanks",
                    value=text[:60],
                    most=self.most,
                )
            )
        return text

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.most}


@dataclass(frozen=True)
class Choice(Kind):
    """One of a fixed list: value -> lazy label."""

    options: Mapping[str, Any] = field(default_factory=dict)
    widget = "select"

    def offered(self, present: str) -> Mapping[str, Any]:
        """What the control of a form offers, where it holds `present`."""
        return self.options

    def parse(self, value: Any) -> str:
        text = plain_text(value.value if isinstance(value, enum.Enum) else value)
        if text not in self.options:
            raise wrong(
                _(
                    "“%(value)s” is not known; accepted: %(what)s",
                    value=text[:60],
                    what=listed(self.options),
                )
            )
        return str(text)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.options)}


@dataclass(frozen=True)
class Several(Kind):
    """Some of a fixed list, separated by commas; kept as that text."""

    options: Mapping[str, Any] = field(default_factory=dict)
    widget = "several"

    def parse(self, value: Any) -> str:
        parts = value if isinstance(value, list | tuple) else plain_text(value).split(",")
        given = list(dict.fromkeys(plain_text(part) for part in parts if plain_text(part)))
        unknown = [name for name in given if name not in self.options]
        if unknown:
            raise wrong(
                _(
                    "“%(value)s” is not known; accepted: %(what)s",
                    value=", ".join(unknown)[:60],
                    what=listed(self.options),
                )
            )
        return ",".join(given)


@dataclass(frozen=True)
class Flag(Kind):
    widget = "checkbox"

    def parse(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        text = plain_text(value).lower()
        if text in {"1", "true", "yes", "on", "y", "是"}:
            return True
        if text in {"0", "false", "no", "off", "n", "否"}:
            return False
        raise wrong(_("“%(value)s” is neither yes nor no; accepted: true or false", value=text[:40]))

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


def is_usual_year(year: int) -> bool:
    """Of a day that a laboratory means: others are slips, and at the ends of the calendar the next month does not exist."""
    return 1950 <= year <= 2150


@dataclass(frozen=True)
class Day(Kind):
    """A calendar day, YYYY-MM-DD."""

    widget = "date"

    def parse(self, value: Any) -> date:
        if isinstance(value, datetime):
            raise wrong(_("carries a time; accepted: a day such as 2026-03-28"))
        text = plain_text(value).replace("/", "-")
        try:
            found = value if isinstance(value, date) else date.fromisoformat(text)
        except ValueError:
            raise wrong(_("“%(value)s” is not a day; accepted: YYYY-MM-DD", value=text[:40])) from None
        if not is_usual_year(found.year):
            raise wrong(_("%(value)s is not accepted; accepted: a day from 1950 to 2150", value=text))
        return found

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


@dataclass(frozen=True)
class Instant(Kind):
    """A moment with its zone. A form's local time gets the laboratory's zone before it comes here."""

    widget = "datetime"

    def parse(self, value: Any) -> datetime:
        if isinstance(value, datetime):
            found = value
        else:
            text = plain_text(value)
            try:
                found = datetime.fromisoformat(text)
            except ValueError:
                raise wrong(
                    _("“%(value)s” is not a time; accepted: 2026-03-28T10:00:00+08:00", value=text[:40])
                ) from None
        if found.tzinfo is None:
            raise wrong(_("carries no time zone; accepted: 2026-03-28T10:00:00+08:00"))
        if 1949 <= found.year <= 2151:  # at the ends of the calendar another zone's day does not exist
            found = found.astimezone(UTC)
        if not is_usual_year(found.year):
            raise wrong(
                _("%(value)s is not accepted; accepted: a year from 1950 to 2150", value=found.isoformat())
            )
        return found

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


@dataclass(frozen=True)
class Reference(Kind):
    """The id of another record; the service checks that it exists and is in use (never an empty parent row)."""

    record_name: str = ""
    widget = "reference"

    def parse(self, value: Any) -> int:
        if type(value) is int and 0 < value < 10**18:
            return value
        text = plain_text(value)
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,18}", text) or int(text) == 0:
            raise wrong(
                _(
                    "“%(value)s” does not name a record; accepted: the id of one of %(what)s",
                    value=text[:40],
                    what=self.record_name,
                )
            )
        return int(text)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer", "description": f"id of a record of /api/v1/{self.record_name}/"}
