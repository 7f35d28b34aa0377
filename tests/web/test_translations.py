"""Every text is translated into both Chinese scripts, with its placeholders intact."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from lims.aftersales.schemas import CLOCKS, OUTCOMES, STATES, VisitIn
from lims.audit.kept_views import FindingView
from lims.audit.log import WORDS
from lims.audit.schemas import SEVERITIES
from lims.jobs.views import JOB_STATES
from lims.mail.views import MAIL_STATES
from lims.maintenance.schemas import MaintenanceRecordIn
from lims.results.schemas import ROW_STATES
from lims.results.views import BreakView
from lims.rules.answers import OPTIONS
from lims.standards.inputs import Choice
from lims.standards.register import REGISTER
from lims.standards.words import Said
from lims.trials.schemas import SET_STATES

ROOT = Path(__file__).parents[2]
KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "lazy_gettext": None,
    "_l": None,
    "N_": None,
}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def texts() -> set[str]:
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    found = set()
    for _name, _line, message, _comments, _context in extract_from_dir(
        ROOT / "lims",
        [(p.removeprefix("lims/"), m) for p, m in methods],
        {p.removeprefix("lims/"): o for p, o in options.items()},
        keywords=KEYWORDS,
    ):
        found.add(message if isinstance(message, str) else message[0])
    assert len(found) > 700
    return found


@pytest.mark.parametrize("language", ["zh", "zh_Hant_TW"])
def test_no_text_is_untranslated(texts: set[str], language: str) -> None:
    with (ROOT / "lims" / "translations" / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    missing = []
    for text in texts:
        message = catalogue.get(text)
        said = message.string if message else ""
        said = said if isinstance(said, str) else said[0]
        if not said:
            missing.append(text)
            continue
        assert set(PLACEHOLDER.findall(said)) == set(PLACEHOLDER.findall(text)), text
    assert missing == []


def test_what_rules_say_is_marked_for_translation(texts: set[str]) -> None:
    said = {field.accepted() for rule in REGISTER.rules for field in rule.fields}
    for rule in REGISTER.rules:
        said |= {name for name, _value in rule.numbers if isinstance(name, Said)}
        for vector in rule.vectors:
            answer = rule.evaluate(vector.given)
            said |= {check["name"] for check in answer.get("checks") or ()}
            said |= {step[name] for step in answer.get("steps") or () for name in ("name", "formula")}
    kept = {text.text if isinstance(text, Said) else text for text in said}
    assert len(kept) > 60
    assert [text for text in kept - texts if re.search(r"[a-z]{4}", text)] == []


def test_every_choice_of_a_calculator_that_is_a_word_has_words() -> None:
    fields = [field for rule in REGISTER.rules for field in rule.fields if isinstance(field, Choice)]
    words = {option for field in fields for option in field.options if re.search(r"[a-z]{4}", option)}
    assert words - set(OPTIONS) == set()


@pytest.mark.parametrize("language", ["zh", "zh_Hant_TW"])
def test_compiled_catalogue_is_the_written_one(language: str) -> None:
    from babel.messages.mofile import read_mo

    folder = ROOT / "lims" / "translations" / language / "LC_MESSAGES"
    with (folder / "messages.po").open("rb") as po, (folder / "messages.mo").open("rb") as mo:
        written, compiled = read_po(po, locale=language), read_mo(mo)

    def said(catalogue: Catalog) -> set[str]:
        def flat(value: object) -> tuple[object, ...]:
            return tuple(value) if isinstance(value, list | tuple) else (value,)

        return {repr((flat(m.id), flat(m.string))) for m in catalogue if m.id and any(m.string)}

    assert said(written) == said(compiled)


def test_words_that_chinese_tells_apart_are_not_one_word_here() -> None:
    """Waiting is 待试压 of a set alone; a clock that runs is not 已答复, which is a complaint's state."""
    waiting = [SET_STATES["waiting"], ROW_STATES["waiting"], JOB_STATES["queued"], MAIL_STATES["waiting"]]
    assert len({str(word) for word in waiting}) == 4
    assert {str(word) for word in CLOCKS.values()} & {str(word) for word in STATES.values()} == set()
    assert str(JOB_STATES["failed"]) != str(OUTCOMES["failed"])
    # 发现项 is an auditor's, 观测值 a press's, 说明 a note of a workbook, 时限 a complaint's.
    found = [
        item
        for schema in (VisitIn, MaintenanceRecordIn)
        for item in schema.inputs()
        if item.name == "findings"
    ]
    seen = {str(item.ui.label) for item in found}
    assert seen & {str(FindingView.title)} == set()
    sections = {str(title) for title, _names in BreakView.show_sections}
    assert {str(word) for word in SEVERITIES.values()} & sections == set()
    assert str(FindingView.labels["about"]) != "About"
    assert str(WORDS["timezone"]) != "Clock"


def test_traditional_texts_hold_no_character_that_a_converter_chose_wrongly() -> None:
    path = ROOT / "lims" / "translations" / "zh_Hant_TW" / "LC_MESSAGES" / "messages.po"
    written = path.read_text(encoding="utf-8")
    # 制 and 製, 准 and 準, 後 and 后 are one character each in the simplified script.
    assert [wrong for wrong in ("控製", "限製", "批準", "天后", "元合") if wrong in written] == []
