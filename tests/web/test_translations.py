"""Every text is translated into both Chinese scripts, with its placeholders intact."""

from __future__ import annotations

import re
from functools import cache
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
QUOTED = re.compile("“([^”%+]+)”")


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


@cache
def written_in(language: str) -> Catalog:
    with (ROOT / "lims" / "translations" / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def catalogue_of(language: str) -> dict[str, str]:
    """What each text is in this language; the first form of those with several."""
    return {
        message.id if isinstance(message.id, str) else message.id[0]: message.string
        if isinstance(message.string, str)
        else message.string[0]
        for message in written_in(language)
        if message.id
    }


@pytest.mark.parametrize("language", ["zh", "zh_Hant_TW"])
def test_a_text_that_names_a_button_calls_it_as_the_button_is_called(language: str) -> None:
    said = catalogue_of(language)
    called = {text.lower(): words for text, words in said.items()}
    wrong = [
        (text, quoted)
        for text in said
        for quoted in QUOTED.findall(text)
        if quoted.lower() in called and called[quoted.lower()] not in said[text]
    ]
    assert wrong == []


@pytest.mark.parametrize("language", ["zh", "zh_Hant_TW"])
def test_no_text_is_untranslated(texts: set[str], language: str) -> None:
    catalogue = written_in(language)
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

    with (ROOT / "lims" / "translations" / language / "LC_MESSAGES" / "messages.mo").open("rb") as mo:
        compiled = read_mo(mo)

    def said(catalogue: Catalog) -> set[str]:
        def flat(value: object) -> tuple[object, ...]:
            return tuple(value) if isinstance(value, list | tuple) else (value,)

        return {repr((flat(m.id), flat(m.string))) for m in catalogue if m.id and any(m.string)}

    assert said(written_in(language)) == said(compiled)


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
    # A lot of cement is 批号, a batch of concrete 批次.
    for language in ("zh", "zh_Hant_TW"):
        said = catalogue_of(language)
        assert {said["Lot"], said["Cement lot"]} & {said["Batch"], said["Batches"]} == set()
    assert str(FindingView.labels["about"]) != "About"
    assert str(WORDS["timezone"]) != "Clock"


def test_traditional_texts_hold_no_character_that_a_converter_chose_wrongly() -> None:
    path = ROOT / "lims" / "translations" / "zh_Hant_TW" / "LC_MESSAGES" / "messages.po"
    written = path.read_text(encoding="utf-8")
    # 制 and 製, 准 and 準, 後 and 后 are one character each in the simplified script.
    wrong = "控製|限製|批準|天后|元合|打啟|啟始|啟頭|分啟|儲持|係統|檔本|密碼錶|巖性|標簽"
    assert re.findall(wrong, written) == []


def test_traditional_texts_call_things_as_taiwan_does() -> None:
    """By CNS 1232, 1240, 3036, 3090 and 12283; and 裝置, 專案, 物件 are a computer's, no press, no item, nobody asked."""
    said = catalogue_of("zh_Hant_TW")
    words = "\n".join(said.values())
    trade = "試件|坍落度|骨料|粉煤灰|礦粉|礦渣粉|配合比|膠凝材料|外加劑|摻合料|荷載|矽酸鹽水泥|立方米"
    assert re.findall(trade, words) == []
    others = "裝置|專案|引數|型別|許可權|信息|默認|用戶|打印|列表|質量異議|預測質量|“|”"
    assert re.findall(others, words) == []
    assert {text for text, word in said.items() if "物件" in word and "JSON" not in text} == set()
