"""What stands on a certificate: the data of the paper, from released results alone. Words in both scripts.

The layout (reports/certificate.typ) decides how it looks; this decides what may be on it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import segno
from flask_babel import force_locale, gettext, lazy_gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from lims.base.anchors import anchor_text
from lims.base.database import current_session
from lims.base.display import actor_names, format_decimal, laboratory_zone
from lims.base.headers import address_outside
from lims.base.laboratory import laboratory
from lims.base.words import told
from lims.mixes.schemas import COMPONENT_KINDS
from lims.reporting.sheets import rule_named
from lims.results.entry import entry_warnings
from lims.results.models import Break, Calibration, SetResult
from lims.results.schemas import BASES
from lims.rules.service import unconfirmed
from lims.standards.errors import RuleInputError
from lims.standards.grades import grade_of_shape
from lims.standards.register import REGISTER
from lims.standards.rounding import round_half_even
from lims.standards.specimens import factor_beside_set, loading_rate_limits
from lims.trials.models import Batch, BatchLot, SpecimenSet
from lims.trials.schemas import CURING, SHAPES

LAYOUT = "certificate"
#: Characters of the content's hash that the QR code carries: nobody comes upon them by guessing.
MARK = 16
#: Each text that the program makes stands in these languages.
SCRIPTS = ("zh", "en")

TENTH = Decimal("0.1")


def released_results(batch_id: int, set_id: int | None = None) -> list[SetResult]:
    """Results that may leave the laboratory, in the order of ages."""
    query = (
        select(SetResult)
        .join(SpecimenSet, SpecimenSet.id == SetResult.specimen_set_id)
        .where(
            SpecimenSet.batch_id == batch_id,
            SetResult.superseded_at.is_(None),
            SetResult.state == "released",
        )
        .options(joinedload(SetResult.specimen_set))
        .order_by(SpecimenSet.age_days, SpecimenSet.number, SpecimenSet.id)
    )
    if set_id is not None:
        query = query.where(SpecimenSet.id == set_id)
    return list(current_session().scalars(query))


def certificate_data(
    batch: Batch,
    results: Sequence[SetResult],
    *,
    code: str,
    issued_at: datetime,
    issued_by: str,
    replaces: str = "",
    reason: str = "",
    one_set: bool = False,
) -> dict[str, Any]:
    """Everything that is printed but the QR code. Only texts, lists and yes or no: the same data, the same paper."""
    facts = laboratory()
    trial = batch.trial
    mix = batch.mix_revision.mix_design
    people = {key for item in results for key in (item.created_by, item.verified_by, item.released_by) if key}
    names = actor_names(people)
    rule_ids = sorted({item.rule_id for item in results})
    return {
        "code": code,
        "issued": _time(issued_at),
        "issued_by": issued_by,
        "zone": laboratory_zone().key,
        "replaces": replaces,
        "reason": reason,
        "one_set": one_set,
        "laboratory": {
            "name": facts.name,
            "works": facts.works,
            "address": facts.address,
            "phone": facts.phone,
            "accreditation": facts.accreditation_number,
        },
        "customer": trial.customer.name if trial.customer is not None else "",
        "site": batch.site.title if batch.site is not None else "",
        "region": trial.region.name if trial.region is not None else "",
        "trial": trial.title,
        "batch": {
            "code": batch.code,
            "element": batch.element or "",
            "cast": _time(batch.cast_at),
            "volume_m3": _number(batch.volume_m3),
            "slump_mm": _number(batch.slump_mm),
            "temperature_c": _number(batch.concrete_temperature_c),
            "curing": _curing(batch),
        },
        "mix": {
            "code": batch.mix_revision.code,
            "name": mix.name or "",
            # What the result is held against, where no class names it.
            "grade": mix.strength_class
            or (f"{_number(mix.grade_mpa)} MPa" if mix.grade_mpa is not None else ""),
            "grade_mpa": _number(mix.grade_mpa),
        },
        "lots": _lots(batch),
        "sets": [_set(item, names) for item in results],
        "rules": [_rule(rule_id) for rule_id in rule_ids],
        "unconfirmed": [rule_named(rule.id) for rule in unconfirmed(rule_ids)],
        "reservations": _reservations(results),
        "answered": [
            {"about": item.about, "answer": item.answer} for item in batch.warnings if item.retired_at is None
        ],
        "anchor": anchor_text(),
    }


def with_marks(content: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The data with its QR codes, and the hash of the data alone: the paper's own hash cannot stand on the paper."""
    digest = content_hash(content)
    address = verify_address(str(content["code"]), digest)
    anchor = str(content["anchor"])
    return {
        **content,
        "verify": {"address": address, "modules": _modules(address), "content_sha256": digest},
        "anchor_modules": _modules(anchor) if anchor else [],
    }, digest


def content_hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def verify_address(code: str, digest: str) -> str:
    """Where anybody may ask whether a paper is genuine."""
    return f"{address_outside()}/verify/{code}?h={digest[:MARK]}"


def _modules(text: str) -> list[str]:
    return ["".join(map(str, row)) for row in segno.make(text, error="m", micro=False).matrix]


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(laboratory_zone()):%Y-%m-%d %H:%M}" if moment is not None else ""


def _number(value: Decimal | None) -> str:
    return format_decimal(value) if value is not None else ""


def _strength(value: Decimal | None) -> str:
    return f"{round_half_even(value, TENTH):f}" if value is not None else ""


def _both(text: Any) -> dict[str, str]:
    """A lazy text in both scripts."""
    found = {}
    for language in SCRIPTS:
        with force_locale(language):
            found[language] = str(text)
    return found


def _curing(batch: Batch) -> dict[str, str]:
    return _both(CURING.get(batch.curing, batch.curing))


def _lots(batch: Batch) -> list[dict[str, Any]]:
    """The lots of the materials, by what they were used for."""
    found = []
    if batch.cement_lot is not None:
        product = batch.cement_lot.cement_product
        found.append(
            {"kind": _both(COMPONENT_KINDS["cement"]), "lot": f"{batch.cement_lot.code}, {product.name}"}
        )
    if batch.aggregate_sample is not None:
        kind = f"{batch.aggregate_sample.aggregate_source.kind}_aggregate"  # of a quarry as well as of a pit
        found.append({"kind": _both(COMPONENT_KINDS[kind]), "lot": batch.aggregate_sample.title})
    lots: Sequence[BatchLot] = batch.lots
    found += [
        {"kind": _both(COMPONENT_KINDS.get(item.kind, item.kind)), "lot": item.lot.title}
        for item in lots
        if item.retired_at is None
    ]
    return found


def _set(result: SetResult, names: dict[str, str]) -> dict[str, Any]:
    found = result.specimen_set
    session = current_session()
    breaks = {
        item.specimen_id: item
        for item in session.scalars(
            select(Break)
            .where(
                Break.specimen_id.in_([specimen.id for specimen in found.specimens]),
                Break.number == result.number,  # what it rests on, also while somebody replaces it
            )
            .options(joinedload(Break.press))
        )
    }
    some = next(iter(breaks.values()), None)
    mix = found.batch.mix_revision.mix_design
    first = found.specimens[0] if found.specimens else None
    grade = grade_of_shape(mix.strength_class, mix.grade_mpa, first.shape if first is not None else "")
    factor = factor_beside_set(result.rule_id, first.width_mm if first is not None else None)
    return {
        "code": found.code,
        "age_days": str(found.age_days),
        "shape": _both(SHAPES.get(first.shape, first.shape)) if first is not None else _both(""),
        "size_mm": _number(first.width_mm) if first is not None else "",
        "specimens": [
            {
                "code": specimen.code,
                "load_kn": _number(breaks[specimen.id].load_kn),
                "strength_mpa": _strength(breaks[specimen.id].strength_mpa),
                **(
                    {"scaled_mpa": _strength(breaks[specimen.id].strength_mpa * factor)}
                    if factor != 1
                    else {}
                ),
            }
            for specimen in found.specimens
            if specimen.id in breaks
        ],
        # Between what each specimen bore and the result of the set.
        **({"size_factor": _number(factor)} if factor != 1 else {}),
        "tested": _time(some.tested_at) if some is not None else "",
        "age_hours": _number(some.age_hours) if some is not None else "",
        "age_within": some.age_within if some is not None else None,
        # Where the code states no tolerance, the window is the laboratory's own day.
        "age_limits": [_time(found.due_from), _time(found.due_until)]
        if found.due_from and found.due_until and some is not None and some.age_within is not None
        else [],
        "rate": _rate(some, mix.grade_mpa),  # as what was said of it when it was entered
        "strength_mpa": _strength(result.strength_mpa),
        "basis": _both(BASES.get(result.basis, result.basis)),
        "valid": result.strength_mpa is not None,
        "number": str(result.number),
        "grade_percent": f"{100 * result.strength_mpa / grade:.0f}"
        if result.strength_mpa is not None and grade
        else "",
        "rule": {"id": result.rule_id, "edition": result.edition},
        "press": _press(some),
        "tested_by": (some.tested_by or "") if some is not None else "",
        "entered": {"by": names.get(result.created_by, ""), "at": _time(result.created_at)},
        "verified": {"by": names.get(result.verified_by or "", ""), "at": _time(result.verified_at)},
        "released": {"by": names.get(result.released_by or "", ""), "at": _time(result.released_at)},
    }


def _rate(item: Break | None, grade_mpa: Decimal | None) -> dict[str, str]:
    """The loading rate with the limits of the laboratory's code."""
    if item is None or item.loading_rate_mpa_s is None:
        return {}
    found = {"value": _number(item.loading_rate_mpa_s)}
    try:
        low, high = loading_rate_limits(laboratory().codes.rate_code, grade_mpa)
    except RuleInputError:
        return found
    return {**found, "low": _number(low), "high": _number(high)}


def _press(item: Break | None) -> dict[str, str]:
    """The press and the calibration that was valid on the day of the test; no calibration is a reservation."""
    if item is None or item.press is None:
        return {}
    found = {
        "code": item.press.code,
        "name": item.press.name,
        "serial": item.press.serial_number or "",
    }
    if item.tested_at is None:
        return found
    day = item.tested_at.astimezone(laboratory_zone()).date()
    calibration = (
        current_session()
        .scalars(
            select(Calibration)
            .where(
                Calibration.press_id == item.press_id,
                Calibration.retired_at.is_(None),
                Calibration.calibrated_on <= day,
                Calibration.due_on >= day,
            )
            .order_by(Calibration.calibrated_on.desc(), Calibration.id.desc())
            .limit(1)
        )
        .one_or_none()
    )
    if calibration is None:
        return found
    return {
        **found,
        "calibration": calibration.certificate_number,
        "calibrated_by": calibration.calibrated_by,
        "calibrated_on": calibration.calibrated_on.isoformat(),
        "valid_until": calibration.due_on.isoformat(),
    }


def _rule(rule_id: str) -> dict[str, Any]:
    """A rule with its limits, as the register knows it."""
    rule = REGISTER.by_id.get(rule_id)
    if rule is None:
        return {
            "id": rule_id,
            "code": rule_id,
            "edition": "",
            "clause": "",
            "title": _both(""),
            "formula": _both(""),
            "numbers": [],
        }
    return {
        "id": rule.id,
        "code": rule.code,
        "edition": rule.edition,
        "clause": rule.clause,
        "title": _both(lazy_gettext(rule.title)),
        "formula": _both(lazy_gettext(rule.formula)),
        "numbers": [f"{_limit(name)} = {value}" for name, value in rule.numbers],
    }


def _limit(name: str) -> str:
    """What a number of a rule is called, in both scripts where it is a word."""
    called = []
    for language in SCRIPTS:
        with force_locale(language):
            called.append(told(name))
    return " ".join(dict.fromkeys(called))


def reservations_of(results: Sequence[SetResult]) -> list[str]:
    """Every warning of the results that are printed, in the reader's language, each with the set's code."""
    return [
        gettext("%(name)s: %(what)s", name=item.specimen_set.code, what=_here(warning))
        for item in results
        for warning in entry_warnings(item.specimen_set_id, item.number)
    ]


def _reservations(results: Sequence[SetResult]) -> list[dict[str, str]]:
    """The same in both scripts."""
    by_script = {}
    for language in SCRIPTS:
        with force_locale(language):
            by_script[language] = reservations_of(results)
    return [dict(zip(SCRIPTS, texts, strict=True)) for texts in zip(*by_script.values(), strict=True)]


def _here(warning: str) -> str:
    """The warning without its last half, which says at the press that the certificate will say so: this is it."""
    said, mark, _promise = warning.replace("；", ";").rpartition(";")
    return said if mark else warning
