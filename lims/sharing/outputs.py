"""The sheet on paper, as a workbook, as CSV and as JSON: all of the same redacted data."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import segno
import xlsxwriter
from flask_babel import get_locale
from flask_babel import gettext as _

from lims.base.exports import text_is_formula
from lims.base.papers import pdf
from lims.sharing.drawing import strength_svg
from lims.sharing.redaction import Sheet
from lims.sharing.sheet import Figure, changes, day, headline, inside, one, sections


def as_json(sheet: Sheet) -> str:
    return json.dumps(sheet, ensure_ascii=False, indent=1, sort_keys=True)


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula. Numbers keep their sign."""
    if text_is_formula(text):
        try:
            float(text)
        except ValueError:
            return "'" + text
    return text


def table_of(sheet: Sheet) -> list[list[str]]:
    """Every section under its title, in rows."""
    rows = [[headline(sheet)], [_("Sent on"), day(sheet.get("sent_on"))]]
    for name, title in (("recipient", _("For")), ("region", _("Region")), ("note", _("Message"))):
        if sheet.get(name):
            rows.append([title, sheet[name]])
    if sheet.get("grade_mpa"):
        rows.append([_("Grade"), Figure(str(sheet["grade_mpa"]), unit="MPa")])
    result = sheet.get("result") or {}
    if result.get("mpa"):
        rows.append([_("28-day result"), Figure(one(result["mpa"]), unit="MPa")])
    rows += [[text] for text in changes(sheet)]
    for section in sections(sheet):
        rows += [[], [section.title]]
        if any(section.heads):
            rows.append(list(section.heads))
        rows += [list(row) for row in section.rows]
        if section.text:
            rows.append([section.text])
    contact, place = sheet.get("contact") or {}, sheet.get("laboratory") or {}
    rows += [[], [_("Contact"), contact.get("name", ""), contact.get("email", "")]]
    rows.append([place.get(name, "") for name in ("name", "works", "address", "phone")])
    return rows


def as_csv(sheet: Sheet) -> bytes:
    """With a byte-order mark, so that Excel reads Chinese."""
    text = io.StringIO()
    csv.writer(text).writerows([harmless(cell) for cell in row] for row in table_of(sheet))
    return text.getvalue().encode("utf-8-sig")


def as_workbook(sheet: Sheet) -> bytes:
    """One worksheet: figures as numbers with the places that are shown and their unit beside them, all else as text (a
    telephone number is none), nothing as a formula or a link."""
    made = io.BytesIO()
    book = xlsxwriter.Workbook(
        made, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    book.set_properties({"title": headline(sheet), "created": datetime(2000, 1, 1, tzinfo=UTC)})
    page = book.add_worksheet()
    bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
    page.set_column(0, 0, 34, wrapped)
    page.set_column(1, 8, 16)
    formats: dict[str, Any] = {}
    for place, row in enumerate(table_of(sheet)):
        column = 0
        for text in row:
            if not isinstance(text, Figure):
                title = len(row) == 1
                page.write_string(
                    place, column, text, (bold if len(text) < 80 else wrapped) if title else None
                )
                column += 1
                continue
            for number in text.numbers:
                shown = _number_format(number)
                if shown not in formats:
                    formats[shown] = book.add_format({"num_format": shown})
                page.write_number(place, column, float(number), formats[shown])
                column += 1
            if text.unit:
                page.write_string(place, column, text.unit)
                column += 1
    book.close()
    return made.getvalue()


def _number_format(number: str) -> str:
    """As many places as are shown, and a sign where a difference shows one."""
    places = len(number.partition(".")[2])
    plain = "0." + "0" * places if places else "0"
    return f"+{plain};-{plain};{plain}" if number.startswith("+") else plain


def as_pdf(sheet: Sheet, address: str) -> bytes:
    """One page of paper (reports/trial-sheet.typ) with the QR code of the living sheet."""
    return pdf("trial-sheet", paper_of(sheet, address))


def paper_of(sheet: Sheet, address: str) -> dict[str, Any]:
    """What the layout is filled with: words of this language, the picture, the modules of the code."""
    forecast, result = sheet.get("forecast") or {}, sheet.get("result") or {}
    figures = []
    if forecast.get("mpa"):
        band = ""
        if forecast.get("lower_90_mpa"):
            band = f"{one(forecast['lower_90_mpa'])} – {one(forecast['upper_90_mpa'])} MPa (90 %)"
        figures.append([_("Forecast of the 28-day strength"), f"{one(forecast['mpa'])} MPa", band])
    if result.get("mpa"):
        held = inside(sheet)
        words = {True: _("inside the forecast's band"), False: _("outside the forecast's band"), None: ""}
        figures.append([_("28-day result"), f"{one(result['mpa'])} MPa", words[held]])
    elif result.get("expected_on"):
        figures.append([_("28-day result"), _("expected"), day(result["expected_on"])])
    contact, place = sheet.get("contact") or {}, sheet.get("laboratory") or {}
    return {
        "lang": "zh" if str(get_locale() or "en").startswith("zh") else "en",
        "title": headline(sheet),
        "place": " · ".join(part for part in (place.get("name"), place.get("works")) if part),
        "about": " · ".join(
            part
            for part in (
                sheet.get("region"),
                sheet.get("recipient"),
                f"{_('Sent on')} {day(sheet.get('sent_on'))}",
            )
            if part
        ),
        "note": sheet.get("note") or "",
        "figures": [[str(text) for text in figure] for figure in figures],
        "changes": changes(sheet),
        "picture": str(strength_svg(sheet) or ""),
        "sections": [
            {
                "title": section.title,
                "heads": list(section.heads) if any(section.heads) else [],
                "rows": [list(row) for row in section.rows],
                "text": section.text,
            }
            for section in sections(sheet)
            if section.name != "curve"
        ],
        "contact": [text for text in (contact.get("name"), contact.get("email"), place.get("phone")) if text],
        "contact_title": _("Contact"),
        "living": _("The living sheet: results appear there when they are released."),
        "modules": ["".join(map(str, row)) for row in segno.make(address, error="m", micro=False).matrix]
        if address
        else [],
    }
