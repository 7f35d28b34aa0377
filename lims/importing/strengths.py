"""Templates of strengths: breaks of sets that wait, and the history of mixes that were tested elsewhere or long ago.

Breaks are many: they are checked against facts that few statements fetch, and written together (`SetEntries`). What is
stored already is compared and never changed here: a result is corrected on its page, with the reason.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from lims.base.actor import Actor
from lims.base.database import among, current_session
from lims.base.fields import Choice, Code, Instant, Quantity, Reference, Text, WholeNumber
from lims.base.problems import Problem, Refused
from lims.base.services import SERVICES
from lims.importing.columns import Column, Row, Words, own_column, text_of
from lims.importing.history import history_trial, write_mix
from lims.importing.readers import LONGEST_AGE_DAYS, HistoryMix, mix_code
from lims.importing.templates import Progress, Template, codes_in
from lims.mixes.models import MixDesign, MixRevision
from lims.mixes.schemas import COMPONENT_KINDS, MIX_KINDS, MixIn
from lims.results.models import Break, Press
from lims.results.press_files import find_specimen
from lims.results.schemas import LOAD, RESULT_STATES, STRENGTH, SetBreaksIn
from lims.results.service import SetEntries, SetFacts, facts_of_sets, record_history
from lims.trials.models import Batch, Specimen, SpecimenSet
from lims.trials.short_codes import CHECKS, DIGITS

#: Check characters of short codes that no other code has.
LABEL_SIGNS = frozenset(CHECKS) - frozenset(DIGITS + "U")
#: Facts of a set that stand in each of its specimens' rows.
OF_THE_SET = ("tested_at", "press_id", "tested_by", "loading_rate_mpa_s", "remark")


class SpecimenCode(Code):
    """The code of a specimen, or the short one of its label, whose check character is no letter at times."""

    def parse(self, value: Any) -> str:
        text = value.strip() if isinstance(value, str) and len(value) < 20 else ""
        return text if text[-1:] in LABEL_SIGNS and text[:-1].isalnum() else super().parse(value)


class BreakTemplate(Template):
    name = "breaks"
    title = Words(
        "Break results",
        "试压结果",
        "試壓結果",
    )
    about = Words(
        "A row a specimen: its load, or the strength as reported. The sets must have been registered.",
        "每行一个试件：破坏荷载，或报告的强度。各组试件须已登记。",
        "每列一個試體：破壞荷重，或報告的強度。各組試體須已登記。",
    )
    writes = ("breaks",)
    key = ("specimen",)
    grouped = ("load_kn", "strength_mpa")

    def make_columns(self) -> dict[str, Column]:
        made = (
            own_column(
                "specimen",
                SpecimenCode(90),
                Words("Specimen", "试件编号", "試體編號"),
                example=("B26-1001-03d-1A", "B26-1001-03d-1B", "B26-1001-03d-1C"),
                note=Words(
                    "Its code, or batch + age + number",
                    "试件编号，或批次＋龄期＋序号",
                    "試體編號，或批次＋齡期＋序號",
                ),
                aliases=(
                    "试块编号",
                    "試塊編號",
                    "試件編號",
                    "样品编号",
                    "specimen code",
                    "specimen no",
                    "sample",
                ),
            ),
            own_column(
                "batch",
                Code(60),
                Words("Batch", "批次", "批次"),
                aliases=("批次编号", "batch code", "batch no"),
            ),
            own_column(
                "age_days",
                WholeNumber(1, LONGEST_AGE_DAYS),
                Words("Age", "龄期", "齡期"),
                unit="d",
                aliases=("龄期(d)", "age"),
            ),
            own_column(
                "set_number",
                WholeNumber(1, 1000),
                Words("Set", "组号", "組號"),
                note=Words("Blank: 1", "空白：1", "空白：1"),
            ),
            own_column(
                "specimen_number", WholeNumber(1, 30), Words("No. in the set", "组内序号", "組內序號")
            ),
            own_column(
                "load_kn",
                LOAD,
                Words("Load", "破坏荷载", "破壞荷重"),
                example=("424", "401", "396"),
                measured=True,
                aliases=(
                    *("荷载", "破坏荷载", "极限荷载", "荷載", "破壞荷載", "荷重", "最大荷重", "載重"),
                    *("max load", "force", "peak load"),
                ),
            ),
            own_column(
                "strength_mpa",
                STRENGTH,
                Words("Strength as reported", "报告强度", "報告強度"),
                measured=True,
                note=Words("Only without a load", "仅在没有荷载时", "僅在沒有荷載時"),
                aliases=("抗压强度", "抗壓強度", "强度", "強度", "strength", "compressive strength"),
            ),
            own_column(
                "tested_at",
                Instant(),
                Words("Tested at", "试压时间", "試壓時間"),
                example=("2026-03-05 10:10",) * 3,
                aliases=(
                    "试验日期",
                    "試驗日期",
                    "检测日期",
                    "破型日期",
                    "试压日期",
                    "試壓日期",
                    "test date",
                    "tested",
                ),
            ),
            own_column(
                "press_id",
                Reference("presses"),
                Words("Press", "压力机", "壓力機"),
                example=("YES-2000",) * 3,
                aliases=("设备", "machine"),
            ),
            own_column(
                "tested_by",
                Text(80),
                Words("Tested by", "试验人", "試驗人"),
                example=("李伟",) * 3,
                aliases=("试验员", "試驗員", "检测人", "操作员", "operator"),
            ),
            own_column(
                "loading_rate_mpa_s",
                Quantity(places=3, above=0, maximum=10, unit="MPa/s"),
                Words("Loading rate", "加荷速度", "加載速率"),
            ),
            own_column("remark", Text(400), Words("Remark", "备注", "備註")),
        )
        return {column.name: column for column in made}

    @property
    def dry_run_writes(self) -> bool:
        return False

    def query(self) -> Any:
        """Breaks that count, of batches that were cast here."""
        return (
            select(Break)
            .join(Specimen, Specimen.id == Break.specimen_id)
            .join(SpecimenSet, SpecimenSet.id == Specimen.specimen_set_id)
            .join(Batch, Batch.id == SpecimenSet.batch_id)
            .where(Break.superseded_at.is_(None), Batch.cast_at.is_not(None), *SERVICES["breaks"].visible())
            .options(joinedload(Break.specimen), joinedload(Break.press))
            .order_by(Specimen.specimen_set_id, Specimen.number)
        )

    def exported(self, record: Break) -> Iterator[dict[str, Any]]:
        yield {
            "specimen": record.specimen.code,
            "load_kn": record.load_kn,
            "strength_mpa": record.strength_mpa if record.reported else None,
            "tested_at": record.tested_at,
            "press_id": record.press.code if record.press is not None else None,
            "tested_by": record.tested_by,
            "loading_rate_mpa_s": record.loading_rate_mpa_s,
            "remark": record.remark,
        }

    def run(
        self, rows: Sequence[Row], actor: Actor, *, write: bool, progress: Progress | None = None
    ) -> None:
        self._name_specimens(rows)
        facts, known = self._specimens(self.ready(rows))
        of_set: dict[int, dict[int, Row]] = defaultdict(dict)
        for row in rows:
            if row.problems:
                continue
            row.title = row.values["specimen"]
            set_id, specimen_id = known[row.title]
            # A code may be written in several ways; each row of its own is told apart by none of them.
            if (first := of_set[set_id].setdefault(specimen_id, row)) is not row:
                again = _("is in row %(n)s already; accepted: each once", n=first.number)
                row.refuse([Problem("specimen", again, row.title)])
        entries = SetEntries(facts)
        stored = self._stored(specimen for key in entries.results for specimen in of_set[key])
        for done, (set_id, here) in enumerate(of_set.items(), start=1):
            try:
                if set_id in entries.results:
                    self._compare(here, stored)
                else:
                    entry = self._entry(facts[set_id], here)
                    entries.check(set_id, entry)
                    for row in here.values():
                        row.outcome = "new"
                        if entry.tested_by is not None:  # one row may say it for its set
                            row.values["tested_by"] = entry.tested_by
            except Refused as error:
                self._spread(error, facts[set_id], here)
            if progress is not None and done % 200 == 0:
                progress(done, len(of_set))
        if write and not any(row.problems for row in rows):
            for set_id, ids in entries.write_telling(actor).items():
                for specimen_id, break_id in ids.items():
                    of_set[set_id][specimen_id].written.append(("breaks", break_id))

    def told(self, rows: Sequence[Row]) -> Iterator[str]:
        """A sheet may hold years of others' work: who imports it is nobody's tester."""
        unnamed = sum(
            row.outcome == "new" and "load_kn" in row.values and "tested_by" not in row.values for row in rows
        )
        if unnamed:
            yield _(
                "Nobody is named as the tester of %(n)s specimens, and certificates will name none: “%(what)s” takes it.",
                n=unnamed,
                what=self.columns["tested_by"].label,
            )

    def _name_specimens(self, rows: Sequence[Row]) -> None:
        """Rows that say batch, age and number get the code of their specimen."""
        wanted = [row for row in rows if "specimen" not in row.values and not row.problems]
        codes: dict[tuple[str, int, int, int], str] = {}
        query = (
            select(Batch.code, SpecimenSet.age_days, SpecimenSet.number, Specimen.number, Specimen.code)
            .join(SpecimenSet, SpecimenSet.batch_id == Batch.id)
            .join(Specimen, Specimen.specimen_set_id == SpecimenSet.id)
            .where(among(Batch.code, codes_in(wanted, "batch")), SpecimenSet.purpose != "hold")
        )
        for batch, age, number, position, code in current_session().execute(query) if wanted else ():
            codes[batch, age, number, position] = code
        for row in wanted:
            values = row.values
            missing = [name for name in ("batch", "age_days", "specimen_number") if name not in values]
            if missing:
                row.refuse(
                    [
                        Problem(
                            "specimen", _("is blank; accepted: its code, or batch, age and number in the set")
                        )
                    ]
                )
                continue
            key = (
                values["batch"],
                values["age_days"],
                values.get("set_number", 1),
                values["specimen_number"],
            )
            if key not in codes:
                row.refuse(
                    [
                        Problem(
                            "batch",
                            _(
                                "has no specimen %(n)s of set %(set)s at %(age)s d",
                                n=key[3],
                                set=key[2],
                                age=key[1],
                            ),
                            key[0],
                        )
                    ]
                )
                continue
            row.values["specimen"] = codes[key]

    def _specimens(self, rows: Sequence[Row]) -> tuple[dict[int, SetFacts], dict[str, tuple[int, int]]]:
        """The sets that the rows are about, and code -> (set, specimen); codes as people type them, and short codes, are
        looked up one by one."""
        session = current_session()
        codes = codes_in(rows, "specimen")
        of_specimens = Specimen.__table__.c
        of_codes = select(of_specimens.specimen_set_id).where(among(of_specimens.code, codes)).distinct()
        facts = facts_of_sets(session.scalars(of_codes))
        found = {
            specimen.code: (set_id, specimen.id) for set_id, of in facts.items() for specimen in of.specimens
        }
        typed: dict[str, tuple[int, int]] = {}
        tried = 0
        for row in rows:
            code = row.values["specimen"]
            if code in found or code in typed:
                continue
            tried += 1
            specimen = find_specimen(session, code) if tried <= 500 else None
            if specimen is None:
                row.refuse([Problem("specimen", _("no specimen has this code: %(code)s", code=code), code)])
            else:
                typed[code] = (specimen.specimen_set_id, specimen.id)
        if typed:
            facts |= facts_of_sets({set_id for set_id, _specimen_id in typed.values()} - set(facts))
        return facts, found | typed

    def _stored(self, specimen_ids: Any) -> dict[int, Break]:
        query = select(Break).where(among(Break.specimen_id, specimen_ids), Break.superseded_at.is_(None))
        return {item.specimen_id: item for item in current_session().scalars(query)}

    def _entry(self, facts: SetFacts, here: Mapping[int, Row]) -> SetBreaksIn:
        rows = [here[specimen.id].values for specimen in facts.specimens if specimen.id in here]
        if len(rows) < len(facts.specimens):
            missing = [specimen.code for specimen in facts.specimens if specimen.id not in here]
            raise Refused(
                [
                    Problem(
                        "specimen",
                        _(
                            "%(n)s of %(all)s specimens of %(set)s are here; missing: %(what)s",
                            n=len(rows),
                            all=len(facts.specimens),
                            set=facts.code,
                            what=", ".join(missing),
                        ),
                    )
                ]
            )
        data: dict[str, Any] = {}
        for name in OF_THE_SET:
            given = [row[name] for row in rows if name in row]
            if not given:
                continue
            # Specimens of a set are broken one after the other: the set counts from the last, as with press files.
            data[name] = max(given) if name == "tested_at" else given[0]
            if name != "tested_at" and given.count(given[0]) < len(given):
                raise Refused(
                    [
                        Problem(
                            name,
                            _(
                                "differs within the set %(set)s; accepted: one for all its specimens",
                                set=facts.code,
                            ),
                        )
                    ]
                )
        loads = [row.get("load_kn") for row in rows]
        strengths = [row.get("strength_mpa") for row in rows]
        if any(value is not None for value in loads):
            data["loads_kn"] = loads
        if any(value is not None for value in strengths):
            data["strengths_mpa"] = strengths
        return SetBreaksIn.read(data)

    def _compare(self, here: Mapping[int, Row], stored: Mapping[int, Break]) -> None:
        """A set with a result: the rows say the same, or are refused with both values."""
        times = [row.values["tested_at"] for row in here.values() if "tested_at" in row.values]
        for specimen_id, row in here.items():
            present = stored.get(specimen_id)
            old: dict[str, Any] = {
                name: getattr(present, name, None) for name in (*OF_THE_SET, "load_kn", "strength_mpa")
            }
            for name, was in old.items():
                if name not in row.values:
                    continue
                now = max(times) if name == "tested_at" else row.values[name]
                if name == "tested_at" and was is not None and not now.microsecond:
                    was = was.replace(microsecond=0)
                if now != was and not (
                    name == "strength_mpa" and present is not None and not present.reported
                ):
                    column = self.columns[name]
                    if name == "press_id":  # people know it by its code
                        was, now = (self._press_code(key) for key in (was, now))
                    row.refuse(
                        [
                            Problem(
                                name,
                                _(
                                    "was entered already as %(old)s; accepted: that, or a correction on the set's page",
                                    old=text_of(column, was),
                                ),
                                text_of(column, now),
                            )
                        ]
                    )
            row.same()

    def _press_code(self, press_id: int | None) -> str | None:
        press = current_session().get(Press, press_id) if press_id is not None else None
        return None if press is None else press.code

    def _spread(self, error: Refused, facts: SetFacts, here: Mapping[int, Row]) -> None:
        """What is wrong with a set stands at the first of its rows; the others say why they are refused."""
        rows = sorted(here.values(), key=lambda row: row.number)
        names = {"loads_kn": "load_kn", "strengths_mpa": "strength_mpa", "specimen_set_id": "specimen"}
        rows[0].refuse(
            Problem(names.get(item.field, item.field), f"{facts.code}: {item.message}", item.value)
            for item in error.problems
        )
        for row in rows[1:]:
            row.refuse(
                [Problem("specimen", _("belongs to the set %(set)s, which is refused", set=facts.code))]
            )


class HistoryTemplate(Template):
    """A row a specimen: mix, age, strength; the recipe in the first row of the mix or in every one."""

    name = "history"
    title = Words(
        "History of strengths",
        "历史强度",
        "歷史強度",
    )
    about = Words(
        "Strengths of earlier years or of other laboratories, from which the forecast learns.",
        "往年或其他试验室的强度，供预测学习。",
        "往年或其他試驗室的強度，供預測學習。",
    )
    writes = ("mix-designs", "breaks")
    releases = True
    key = ("lab", "mix_id", "age_days", "specimen_number")
    grouped = ("strength_mpa",)
    masses: ClassVar[tuple[str, ...]] = tuple(f"{kind}_kg_m3" for kind in COMPONENT_KINDS)
    facts: ClassVar[tuple[str, ...]] = (
        "kind",
        "grade_mpa",
        "slump_mm",
        "curing_temperature_c",
        "shape",
        "width_mm",
        *masses,
    )

    def make_columns(self) -> dict[str, Column]:
        from lims.importing.templates import MixTemplate
        from lims.trials.schemas import SHAPES

        mix = MixTemplate().columns
        made = (
            own_column(
                "lab",
                Text(80),
                Words("Laboratory", "试验室", "試驗室"),
                required=True,
                example=("Plant 2",) * 3,
                aliases=("laboratory", "source"),
            ),
            own_column(
                "mix_id",
                Text(40),
                Words("Mix", "配合比", "配比"),
                required=True,
                example=("C30-OLD",) * 3,
                aliases=(
                    *("mix", "mix code", "mix no", "mix name"),
                    *("配合比编号", "配合比編號", "配比編號", "编号", "編號"),
                ),
            ),
            own_column(
                "age_days",
                WholeNumber(1, LONGEST_AGE_DAYS),
                Words("Age", "龄期", "齡期"),
                unit="d",
                required=True,
                example=("3", "7", "28"),
                aliases=("age", "days", "龄期(d)"),
            ),
            own_column(
                "specimen_number",
                WholeNumber(1, 1000),
                Words("Specimen no.", "试件序号", "試體序號"),
                example=("1", "1", "1"),
                note=Words(
                    "Blank: numbered in the order of the rows", "空白：按行序编号", "空白：按列序編號"
                ),
            ),
            own_column(
                "strength_mpa",
                STRENGTH,
                Words("Strength", "抗压强度", "抗壓強度"),
                required=True,
                measured=True,
                example=("18.1", "26.4", "38.7"),
                aliases=("抗压强度", "强度", "強度", "strength", "compressive strength", "fc"),
            ),
        )
        columns = {column.name: column for column in made}
        for name in self.masses:
            of_mix = mix[name]
            columns[name] = Column(
                name,
                of_mix.kind,
                of_mix.label,
                unit=of_mix.unit,
                example=of_mix.example[:1] * 3 if of_mix.example else (),
                aliases=of_mix.aliases,
            )
        more = (
            own_column(
                "curing_temperature_c",
                Quantity(places=1, minimum=-60, maximum=250, unit="°C"),
                Words("Curing temperature", "养护温度", "養護溫度"),
                example=("20",) * 3,
            ),
            Column(
                "grade_mpa",
                mix["grade_mpa"].kind,
                mix["grade_mpa"].label,
                unit="MPa",
                example=("30",) * 3,
                aliases=("设计强度",),
            ),
            own_column(
                "slump_mm",
                Quantity(places=1, maximum=350, unit="mm"),
                Words("Slump", "坍落度", "坍度"),
                aliases=("slump",),
            ),
            Column("kind", Choice(MIX_KINDS), mix["kind"].label, example=("concrete",) * 3),
            own_column("shape", Choice(SHAPES), Words("Shape", "形状", "形狀"), example=("cube",) * 3),
            own_column(
                "width_mm",
                Quantity(places=1, minimum=40, maximum=300, unit="mm"),
                Words("Edge or diameter", "边长或直径", "邊長或直徑"),
                example=("150",) * 3,
            ),
        )
        return columns | {column.name: column for column in more}

    @property
    def dry_run_writes(self) -> bool:
        return False

    def query(self) -> Any:
        """Batches of imported strengths."""
        return (
            select(Batch)
            .where(Batch.cast_at.is_(None), *SERVICES["batches"].visible())
            .options(
                joinedload(Batch.mix_revision).joinedload(MixRevision.mix_design),
                selectinload(Batch.sets).selectinload(SpecimenSet.specimens),
            )
            .order_by(Batch.id)
        )

    def exported(self, record: Batch) -> Iterator[dict[str, Any]]:
        stored = self._stored(record)
        design = record.mix_revision.mix_design
        for (age, number), strength in stored.strengths.items():
            yield {
                **stored.facts,
                "lab": design.laboratory,
                "mix_id": design.code,
                "age_days": age,
                "specimen_number": number,
                "strength_mpa": strength,
            }

    def _stored(self, batch: Batch) -> _StoredHistory:
        design = batch.mix_revision.mix_design
        parts = batch.mix_revision.components
        facts: dict[str, Any] = {
            "kind": design.kind,
            "grade_mpa": design.grade_mpa,
            "slump_mm": batch.slump_mm if batch.slump_mm is not None else design.slump_mm,
            "curing_temperature_c": batch.curing_temperature_c,
        }
        for kind in COMPONENT_KINDS:
            here = [part.mass_kg_m3 for part in parts if part.kind == kind]
            facts[f"{kind}_kg_m3"] = sum(here[1:], here[0]) if here else None
        first = next((specimen for item in batch.sets for specimen in item.specimens), None)
        facts["shape"] = first.shape if first is not None else None
        facts["width_mm"] = first.width_mm if first is not None else None
        keys = {s.id: (item.age_days, s.number) for item in batch.sets for s in item.specimens}
        rows = current_session().execute(
            select(Break.specimen_id, Break.strength_mpa).where(
                among(Break.specimen_id, keys), Break.superseded_at.is_(None)
            )
        )
        found: dict[int, Decimal] = dict(rows.all())
        by_key = sorted(keys.items(), key=lambda item: item[1])
        strengths = {key: found[specimen_id] for specimen_id, key in by_key if specimen_id in found}
        retracted = {
            item.age_days: item.code
            for item in batch.sets
            if not found.keys() & {s.id for s in item.specimens}
        }
        return _StoredHistory(facts, strengths, retracted)

    def run(
        self, rows: Sequence[Row], actor: Actor, *, write: bool, progress: Progress | None = None
    ) -> None:
        for row in rows:
            if "mix_id" in row.values:  # codes carry no blanks
                row.values["mix_id"] = mix_code(row.values["mix_id"])
        self._number(rows)
        ready = self.ready(rows)
        mixes: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in ready:
            missing = [
                name for name in ("lab", "mix_id", "age_days", "strength_mpa") if name not in row.values
            ]
            if missing:
                row.refuse(Problem(name, _("is required")) for name in missing)
                continue
            row.title = f"{row.values['mix_id']} {row.values['age_days']} d"
            mixes[row.values["lab"], row.values["mix_id"]].append(row)
        known = self._known(mixes)
        designs = self._designs(mixes, known)
        plans = []
        for done, (key, here) in enumerate(mixes.items(), start=1):
            try:
                plans.append((key, here, self._plan(key, here, known.get(key), designs.get(key))))
            except Refused as error:
                here[0].refuse(
                    Problem("mix_id" if item.field == "code" else item.field, item.message, item.value)
                    for item in error.problems
                )
            if progress is not None:
                progress(done, len(mixes) * (2 if write else 1))
        if not write or any(row.problems for row in rows):
            return
        for done, (key, here, mix) in enumerate(plans, start=1):
            self._write(key, here, mix, known.get(key), designs.get(key), actor)
            if progress is not None:
                progress(len(mixes) + done, 2 * len(mixes))

    def _number(self, rows: Sequence[Row]) -> None:
        """Specimens without a number get one in the order of the rows; an exact repetition is refused: it may be the
        same specimen twice."""
        seen: dict[tuple[Any, ...], int] = {}
        last: dict[tuple[Any, ...], int] = defaultdict(int)
        for row in rows:
            if row.problems or "specimen_number" in row.values:
                continue
            exact = tuple(sorted((name, str(value)) for name, value in row.values.items()))
            first = seen.setdefault(exact, row.number)
            if first != row.number:
                row.refuse(
                    [
                        Problem(
                            "mix_id",
                            _(
                                "repeats row %(n)s exactly; accepted: the row once, or numbers of the specimens",
                                n=first,
                            ),
                            str(row.values.get("mix_id", "")),
                        )
                    ]
                )
                continue
            key = tuple(row.values.get(name) for name in ("lab", "mix_id", "age_days"))
            last[key] += 1
            row.values["specimen_number"] = last[key]

    def _known(self, mixes: Mapping[tuple[str, str], Any]) -> dict[tuple[str, str], Batch]:
        """The batch that holds the imported strengths of each mix that is there."""
        found: dict[tuple[str, str], Batch] = {}
        codes = {code for _lab, code in mixes}
        query = self.query().join(MixRevision).join(MixDesign).where(among(MixDesign.code, codes))
        for batch in current_session().scalars(query).unique():
            design = batch.mix_revision.mix_design
            found[design.laboratory, design.code] = batch
        return found

    def _plan(
        self, key: tuple[str, str], here: Sequence[Row], batch: Batch | None, design: MixDesign | None
    ) -> HistoryMix:
        """The mix as its rows tell it, each row with its outcome."""
        facts: dict[str, Any] = {}
        for row in here:
            for name in self.facts:
                if name in row.values and facts.setdefault(name, row.values[name]) != row.values[name]:
                    row.refuse(
                        [
                            Problem(
                                name,
                                _("differs from an earlier row of the mix; accepted: one for each mix"),
                                text_of(self.columns[name], row.values[name]),
                            )
                        ]
                    )
        stored = self._stored(batch) if batch is not None else _StoredHistory({}, {}, {})
        known_of = Counter(age for age, _number in stored.strengths)
        breaks: dict[int, list[Decimal]] = defaultdict(list)
        numbers: dict[int, list[int]] = defaultdict(list)
        for row in sorted(here, key=lambda item: item.values["specimen_number"]):
            if row.problems:
                continue
            age, number = row.values["age_days"], row.values["specimen_number"]
            strength = row.values["strength_mpa"]
            if age in stored.retracted:
                states = {"state": RESULT_STATES["retracted"], "wanted": RESULT_STATES["released"]}
                message = _("is %(state)s; accepted: %(wanted)s", **states)
                row.refuse([Problem("age_days", f"{stored.retracted[age]}: {message}", str(age))])
                continue
            known, present = known_of[age], stored.strengths.get((age, number))
            if known and present is None:
                message = _(
                    "is one more at %(age)s d than the history has; accepted: its %(n)s specimens",
                    age=age,
                    n=known,
                )
                row.refuse([Problem("specimen_number", message, str(number))])
                continue
            if known and present != strength:
                row.refuse([self._otherwise("strength_mpa", present, strength)])
                continue
            # A new age does not change the mix either: another recipe beside it would be dropped without a word.
            told = self.facts if batch is not None else ()
            wrong = [n for n in told if n in row.values and row.values[n] != stored.facts.get(n)]
            if wrong:
                row.refuse(self._otherwise(n, stored.facts.get(n), row.values[n]) for n in wrong)
                continue
            if known:
                row.same()
                continue
            row.outcome = "new"
            breaks[age].append(strength)
            numbers[age].append(number)
        mix = HistoryMix(
            code=key[1],
            kind=facts.get("kind", "concrete"),
            composition={name: facts[name] for name in self.masses if name in facts},
            curing_temperature_c=facts.get("curing_temperature_c"),
            slump_mm=facts.get("slump_mm"),
            grade_mpa=facts.get("grade_mpa"),
            # Of the same mix: sets of another shape would stand on another scale.
            shape=facts.get("shape") or stored.facts.get("shape") or "cylinder",
            width_mm=facts.get("width_mm", stored.facts.get("width_mm")),
            breaks=dict(breaks),
            numbers=numbers,
        )
        if batch is None and design is None:
            MixIn.read({"code": mix.code, "kind": mix.kind, **mix.composition})
        elif batch is None and design is not None:
            self._same_recipe(here[0], mix, design)
        return mix

    def _same_recipe(self, row: Row, mix: HistoryMix, design: MixDesign) -> None:
        """The mix is there without strengths: what the file says of it is what is stored."""
        latest = design.latest
        said: dict[str, tuple[Any, Any]] = {
            name: (mass, latest.mass_of(name.removesuffix("_kg_m3")) if latest is not None else None)
            for name, mass in mix.composition.items()
        }
        if mix.grade_mpa is not None:
            said["grade_mpa"] = (mix.grade_mpa, design.grade_mpa)
        if "kind" in row.values:
            said["kind"] = (mix.kind, design.kind)
        wrong = [self._otherwise(name, old, new) for name, (new, old) in said.items() if new != old]
        if wrong:
            row.refuse(wrong)

    def _otherwise(self, name: str, stored: Any, given: Any) -> Problem:
        column = self.columns[name]
        message = _("stands otherwise in the history: %(old)s; accepted: that", old=text_of(column, stored))
        return Problem(name, message, text_of(column, given))

    def _designs(
        self, mixes: Mapping[tuple[str, str], Any], known: Mapping[tuple[str, str], Batch]
    ) -> dict[tuple[str, str], MixDesign]:
        """Mixes that are there without imported strengths."""
        found: dict[tuple[str, str], MixDesign] = {}
        codes = {code for _lab, code in mixes}
        for design in current_session().scalars(select(MixDesign).where(among(MixDesign.code, codes))):
            key = (design.laboratory, design.code)
            if key in mixes and key not in known:
                found[key] = design
        return found

    def _write(
        self,
        key: tuple[str, str],
        here: Sequence[Row],
        mix: HistoryMix,
        batch: Batch | None,
        design: MixDesign | None,
        actor: Actor,
    ) -> None:
        if not mix.breaks:
            return
        session = current_session()
        new = batch is None
        if batch is None:
            write_mix(history_trial(key[0], actor), key[0], mix, actor, design)
            batch = self._known({key: here})[key]
        else:
            record_history(batch, sorted(mix.breaks.items()), mix.shape, mix.width_mm, actor, mix.numbers)
        session.flush()
        session.expire(batch)
        rows = session.execute(
            select(SpecimenSet.age_days, Specimen.number, Break.id)
            .join(Specimen, Specimen.specimen_set_id == SpecimenSet.id)
            .join(Break, Break.specimen_id == Specimen.id)
            .where(SpecimenSet.batch_id == batch.id, SpecimenSet.age_days.in_(list(mix.breaks)))
        )
        ids = {(age, number): break_id for age, number, break_id in rows}
        first = True
        for row in sorted(here, key=lambda item: (item.values["age_days"], item.values["specimen_number"])):
            if row.outcome != "new":
                continue
            row.written.append(("breaks", ids[row.values["age_days"], row.values["specimen_number"]]))
            if first and new:
                row.written.append(("batches", batch.id))
            if first and new and design is None:
                row.written.append(("mix-designs", batch.mix_revision.mix_design_id))
            first = False


@dataclass(frozen=True, slots=True)
class _StoredHistory:
    facts: dict[str, Any]
    #: (age, number of the specimen) -> MPa.
    strengths: dict[tuple[int, int], Decimal]
    #: Age -> its set, whose result was taken back: no import takes its place.
    retracted: dict[int, str]
