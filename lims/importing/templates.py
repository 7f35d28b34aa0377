"""Templates: which columns a subject's sheet has, what is there already, and the service that writes it.

A row that names a record which exists (by its natural code) changes what it gives otherwise than what is stored; a blank
cell leaves the stored value as it is. Everything goes through the subject's own service.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import joinedload, selectinload

from lims.base.actor import Actor
from lims.base.database import among, current_session
from lims.base.fields import Text, WholeNumber
from lims.base.problems import Conflict, NotFound, Problem, Refused
from lims.base.schemas import Schema
from lims.base.services import SERVICES
from lims.customers.models import Customer
from lims.customers.schemas import CustomerIn
from lims.importing.columns import Change, Column, Row, Words, columns_of, own_column, text_of
from lims.importing.numbers import plain
from lims.materials.models import AggregateSample, CementLot, CementProduct
from lims.materials.schemas import SIEVE_FIELDS, AggregateSampleIn, CementLotIn
from lims.mixes.models import MixDesign, MixRevision
from lims.mixes.schemas import COMPONENT_KINDS, MixDesignIn, MixIn
from lims.mixes.service import MixDesignService
from lims.standards.aggregates import SAND_SIEVES_MM
from lims.standards.grades import grades_of_class
from lims.trials.models import Batch, SpecimenSet
from lims.trials.schemas import LOT_FIELDS, BatchIn
from lims.trials.warnings import ANSWERS, OF_EQUIPMENT

Progress = Callable[[int, int], None]


class Template:
    """One subject's sheet. `name` is that of its file and of the command line."""

    name: ClassVar[str]
    title: ClassVar[Any]
    about: ClassVar[Any]
    #: Who may write it may import it.
    writes: ClassVar[tuple[str, ...]]
    #: Do its results count as released at once? Then only who may release them may import it.
    releases: ClassVar[bool] = False
    #: Columns that name a record: a second row with the same is refused.
    key: ClassVar[tuple[str, ...]]
    #: Sheets of this subject may have columns grouped by age; their value goes to one of these.
    grouped: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.columns: dict[str, Column] = self.make_columns()

    def make_columns(self) -> dict[str, Column]:
        raise NotImplementedError

    def query(self) -> Any:
        """Everything that an export of this template holds."""
        raise NotImplementedError

    def complete(self, records: Sequence[Any]) -> None:
        """Take off these records what the asking person may not know of (`RecordService.complete`)."""

    def exported(self, record: Any) -> Iterator[dict[str, Any]]:
        """The rows of a record: column -> value, references as codes."""
        raise NotImplementedError

    def run(
        self, rows: Sequence[Row], actor: Actor, *, write: bool, progress: Progress | None = None
    ) -> None:
        """Give every row its outcome; with `write` inside a transaction that the caller takes back if one is refused."""
        raise NotImplementedError

    def told(self, rows: Sequence[Row]) -> Iterator[str]:
        """What a reader might not expect of these rows, once each has its outcome."""
        yield from ()

    @property
    def dry_run_writes(self) -> bool:
        """Does a preview need the services to write (in a transaction that is taken back)?"""
        return True

    # --- for subclasses -----------------------------------------------------------------------------------

    def ready(self, rows: Sequence[Row]) -> list[Row]:
        """Rows that nothing is wrong with so far: references found, each key once. Gives the others their problems."""
        resolve(rows, self.columns)
        seen: dict[tuple[Any, ...], int] = {}
        for row in rows:
            given = tuple(_comparable(row.values.get(name)) for name in self.key)
            if not self.key or all(value is None for value in given):
                continue
            first = seen.setdefault(given, row.number)
            if first != row.number:
                row.refuse(
                    [
                        Problem(
                            self.key[-1],
                            _("is in row %(n)s already; accepted: each once", n=first),
                            text(given[-1]),
                        )
                    ]
                )
        return [row for row in rows if not row.problems]


def text(value: Any) -> str:
    return "" if value is None else str(value)


def _comparable(value: Any) -> Any:
    return value


def attempt(row: Row, problems: Refused) -> None:
    """What a service refused, under the names of the sheet's columns."""
    row.refuse(problems.problems)


@contextmanager
def trying(row: Row) -> Iterator[None]:
    """A row on its own: what it wrote is taken back when it is refused, the others stay."""
    try:
        with current_session().begin_nested():
            yield
    except Refused as error:
        row.refuse(error.problems)
    except Conflict:
        row.refuse([Problem("", _("was changed by someone else meanwhile; read the file again"))])
    except NotFound:
        row.refuse([Problem("", _("there is no such record"))])


def codes_in(rows: Iterable[Row], column: str = "code") -> set[str]:
    """What the rows say in this column."""
    return {row.values[column] for row in rows if column in row.values}


# --- natural codes ---------------------------------------------------------------------------------------------


def resolve(rows: Sequence[Row], columns: Mapping[str, Column]) -> None:
    """Codes of other records -> their ids, one statement a record and 800 codes. Unknown ones are refused."""
    for column in columns.values():
        if not column.reference:
            continue
        wanted = {row.values[column.name] for row in rows if column.name in row.values}
        if not wanted:
            continue
        found = ids_of(column.reference, wanted)
        for row in rows:
            code = row.values.get(column.name)
            if code is None:
                continue
            ids = found.get(code, ())
            if len(ids) == 1:
                row.values[column.name] = ids[0]
                continue
            if not ids:
                message = _("names no record of “%(what)s”; accepted: its code", what=column.label)
            elif column.reference == CementLot.record_name:
                message = _("fits several records; accepted: PRODUCT:CODE")
            else:
                message = _("names several records of “%(what)s”; accepted: its code", what=column.label)
            row.refuse([Problem(column.name, message, str(code))])
            del row.values[column.name]


def ids_of(record_name: str, texts: set[str]) -> dict[str, list[int]]:
    """Code (or name, or code and name as lists show them, where it is nobody else's) -> ids of the records in use. Where
    none is called so, of those that were put away since: a sheet may go on naming what is stored, and what may be named
    anew is for the service to say."""
    service = SERVICES[record_name]
    retired_at = service.record.retired_at
    found = _ids_of(service, texts, (retired_at.is_(None), *service.visible()))
    if missing := texts - found.keys():
        found |= _ids_of(service, missing, (retired_at.is_not(None), *service.visible()))
    return found


def _ids_of(service: Any, texts: set[str], conditions: Sequence[ColumnElement[bool]]) -> dict[str, list[int]]:
    session = current_session()
    record: Any = service.record
    narrow: dict[str, list[str]] = {}
    for text in texts:
        narrow.setdefault(plain(text), []).append(text)
    found: dict[str, list[int]] = {}

    def add(written: Iterable[str], key: int) -> None:
        for text in written:
            found.setdefault(text, []).append(key)

    if record is CementLot:
        codes = {code.rpartition(":")[2] for code in narrow}
        query = select(CementLot.id, CementLot.code, CementProduct.code).join(CementProduct)
        for key, code, product in session.execute(query.where(among(CementLot.code, codes), *conditions)):
            add(narrow.get(code, ()), key)
            add(narrow.get(f"{product}:{code}", ()), key)
        return found
    for key, code in session.execute(
        select(record.id, record.code).where(among(record.code, narrow), *conditions)
    ):
        add(narrow[code], key)
    if hasattr(record, "name"):
        # A name keeps the width of its signs: 西南（一）.
        missing = texts - found.keys()
        names = select(record.id, record.name).where(
            among(record.name, {*missing, *map(plain, missing)}), *conditions
        )
        of_name: dict[str, list[int]] = {}
        for key, name in session.execute(names):
            of_name.setdefault(name, []).append(key)
        found |= {text: ids for text in missing if (ids := of_name.get(text) or of_name.get(plain(text)))}
    listed = {text for text in texts - found.keys() if " " in text}
    codes = {plain(text.partition(" ")[0]) for text in listed}
    for item in (
        session.scalars(select(record).where(among(record.code, codes), *conditions)) if listed else ()
    ):
        add({item.title} & listed, item.id)
    return found


def _to_the_second(stored: Any, value: Any) -> Any:
    """A stored time as lists write it, where the sheet's says no parts of a second."""
    is_time = isinstance(stored, datetime) and isinstance(value, datetime)
    return stored.replace(microsecond=0) if is_time and not value.microsecond else stored


# --- records with one row each ---------------------------------------------------------------------------------


class RecordTemplate(Template):
    """A row a record: added, or edited where it differs."""

    record_name: ClassVar[str]
    schema: ClassVar[type[Schema]]
    #: What cannot change once the record exists.
    fixed: ClassVar[tuple[str, ...]] = ()
    #: Said when a new record is made, not kept with it.
    only_new: ClassVar[tuple[str, ...]] = ()

    @property
    def service(self) -> Any:
        return SERVICES[self.record_name]

    def existing(self, rows: Sequence[Row]) -> dict[tuple[Any, ...], Any]:
        """Key -> the stored record."""
        found = {}
        query = self.query().where(among(self.service.record.code, codes_in(rows)))
        for record in current_session().scalars(query).unique():
            found[(record.code,)] = record
        return found

    def stored(self, record: Any) -> dict[str, Any]:
        """Column -> stored value, as the schema's fields take them."""
        names = {item.name for item in self.schema.inputs()} | set(self.columns)
        return {name: getattr(record, name, None) for name in names if name not in self.only_new}

    def complete(self, records: Sequence[Any]) -> None:
        self.service.complete(records)

    def code_of(self, record: Any, name: str) -> str | None:
        """A reference as the sheet writes it."""
        target = getattr(record, name.removesuffix("_id"), None)
        return None if target is None else target.code

    def exported(self, record: Any) -> Iterator[dict[str, Any]]:
        values = self.stored(record)
        for name, column in self.columns.items():
            if column.reference:
                values[name] = self.code_of(record, name)
        yield values

    def look(self, row: Row) -> None:
        """Further checks of a row, before the service's. What a record is known by is not made up by an import: the same
        file would make another one each time."""
        blank = [name for name in self.key if self.columns[name].required and name not in row.values]
        if blank:
            row.refuse(Problem(name, _("is required")) for name in blank)

    def run(
        self, rows: Sequence[Row], actor: Actor, *, write: bool, progress: Progress | None = None
    ) -> None:
        ready = self.ready(rows)
        existing = self.existing(ready)
        self.complete([*existing.values()])
        for done, row in enumerate(ready, start=1):
            self.look(row)
            if not row.problems:
                with trying(row):
                    self._one(row, existing.get(tuple(row.values.get(name) for name in self.key)), actor)
            if progress is not None:
                progress(done, len(ready))

    def _one(self, row: Row, record: Any, actor: Actor) -> None:
        if record is None:
            made = self.service.add(self.schema.read(row.values), actor)
            row.outcome, row.title = "new", made.title
            row.written.append((self.record_name, made.id))
            return
        row.title = record.title
        stored = self.stored(record)
        different = self.different(row, stored)
        if not different:
            row.same()
            return
        if record.retired_at is not None:
            raise Refused(
                [Problem(self.key[-1], _("is out of use; accepted: a record in use"), record.title)]
            )
        shown = {name: self._shown(record, row, name, stored) for name in different}
        wrong = [name for name in different if name in self.fixed]
        if wrong:
            raise Refused(
                [
                    Problem(
                        name,
                        _(
                            "cannot change any more: stored is %(old)s; accepted: that, or blank",
                            old=shown[name][0],
                        ),
                        shown[name][1],
                    )
                    for name in wrong
                ]
            )
        schema = self.service.edit_schema or self.schema
        # What a sheet cannot change is not said again about what it does change.
        names = {item.name for item in schema.inputs()} - set(self.fixed)
        data = {name: value for name, value in self.data(row, stored, different).items() if name in names}
        made = self.service.edit(record.id, schema.read(data), record.version, actor)
        row.outcome = "changed"
        row.changes = [Change(str(self.columns[name].label), *shown[name]) for name in different]
        row.written.append((self.record_name, made.id))

    def different(self, row: Row, stored: Mapping[str, Any]) -> list[str]:
        """Columns that the row gives otherwise than what is stored."""
        return [
            name
            for name, value in row.values.items()
            if name in stored and name not in self.key and value != _to_the_second(stored[name], value)
        ]

    def data(self, row: Row, stored: Mapping[str, Any], different: Sequence[str]) -> dict[str, Any]:
        """What an edit is given: the record as it stands, but for what the row says."""
        return {**stored, **row.values}

    def _shown(self, record: Any, row: Row, name: str, stored: Mapping[str, Any]) -> tuple[str, str]:
        column = self.columns[name]
        if column.reference:
            new = current_session().get(SERVICES[column.reference].record, row.values[name])
            return self.code_of(record, name) or "–", new.code if new is not None else ""
        return text_of(column, stored[name]), text_of(column, row.values[name])


class CustomerTemplate(RecordTemplate):
    name = "customers"
    title = Words(
        "Customers",
        "客户",
        "客戶",
    )
    about = Words(
        "A row a customer or prospect.",
        "每行一个客户或潜在客户。",
        "每列一個客戶或潛在客戶。",
    )
    writes = ("customers",)
    record_name = "customers"
    schema = CustomerIn
    key = ("code",)

    def make_columns(self) -> dict[str, Column]:
        made = columns_of(
            CustomerIn,
            code={
                "required": True,
                "example": ("K-101", "K-102"),
                "aliases": ("客户编号", "customer code", "编码"),
            },
            name={
                "example": ("江北混凝土搅拌站", "Riverside Precast"),
                "aliases": ("客户名称", "客戶名稱", "customer name", "单位名称"),
            },
            kind={"example": ("mixing_station", "precast")},
            status={"example": ("trial", "prospect")},
            region_id={"example": ("R-SW", "R-SW")},
            contact_name={"example": ("马军", "Ann Lee"), "aliases": ("联系人", "聯絡人")},
            phone={"example": ("023-6789 0123", "+86 23 6789 0124"), "aliases": ("电话", "電話", "手机")},
            email={"example": ("ma@example.com", "lee@example.com"), "aliases": ("邮箱", "email")},
            address={"aliases": ("地址",)},
            notes={"aliases": ("备注", "備註", "remarks")},
        )
        del made["owner_id"]  # a person of this installation, not of a sheet
        return made

    def query(self) -> Any:
        return (
            select(Customer)
            .where(*self.service.visible())
            .options(joinedload(Customer.region), joinedload(Customer.dealer))
            .order_by(Customer.code)
        )


class CementLotTemplate(RecordTemplate):
    name = "cement-lots"
    title = Words(
        "Cement lots with mill certificates",
        "水泥批号与出厂检验单",
        "水泥批號與出廠檢驗單",
    )
    about = Words(
        "A row a lot, with the values of its mill certificate.",
        "每行一个批号及其出厂检验值。",
        "每列一個批號及其出廠檢驗值。",
    )
    writes = ("cement-lots",)
    record_name = "cement-lots"
    schema = CementLotIn
    key = ("cement_product_id", "code")

    def make_columns(self) -> dict[str, Column]:
        return columns_of(
            CementLotIn,
            code={
                "example": ("L2603-018", "L2603-019"),
                "aliases": ("批号", "批號", "lot", "出厂编号", "lot no"),
            },
            cement_product_id={
                "example": ("PO425", "PO425"),
                "aliases": ("水泥品种", "水泥品種", "cement", "product"),
            },
            produced_on={"example": ("2026-03-02", "2026-03-05"), "aliases": ("生产日期", "出厂日期")},
            delivered_on={"example": ("2026-03-06", "2026-03-09"), "aliases": ("进场日期", "到货日期")},
            mass_t={"example": ("480", "512.5"), "aliases": ("数量", "吨位")},
            specific_surface_m2_kg={"example": ("358", "352"), "aliases": ("比表面积", "blaine")},
            initial_set_min={"example": ("172", "168"), "aliases": ("初凝", "初凝时间")},
            final_set_min={"example": ("238", "230"), "aliases": ("终凝", "终凝时间")},
            strength_3d_mpa={"example": ("27.4", "28.1"), "aliases": ("3d抗压", "3天抗压强度", "3d")},
            strength_28d_mpa={"example": ("49.8", None), "aliases": ("28d抗压", "28天抗压强度", "28d")},
            so3_percent={"example": ("2.35", "2.41"), "aliases": ("三氧化硫", "so3")},
            mgo_percent={"example": ("1.87", None), "aliases": ("氧化镁", "mgo")},
            chloride_percent={"example": ("0.021", None), "aliases": ("氯离子", "cl")},
            alkali_percent={"example": ("0.55", None), "aliases": ("碱含量",)},
            loss_on_ignition_percent={"example": ("2.9", None), "aliases": ("烧失量", "loi")},
        )

    def query(self) -> Any:
        return (
            select(CementLot)
            .where(*self.service.visible())
            .options(joinedload(CementLot.cement_product))
            .order_by(CementLot.cement_product_id, CementLot.code)
        )

    def existing(self, rows: Sequence[Row]) -> dict[tuple[Any, ...], Any]:
        found = {}
        for record in current_session().scalars(self.query().where(among(CementLot.code, codes_in(rows)))):
            found[record.cement_product_id, record.code] = record
        return found


class AggregateSampleTemplate(RecordTemplate):
    name = "aggregate-samples"
    title = Words(
        "Aggregate samples with sieves",
        "骨料样品与筛分",
        "骨材樣品與篩分析",
    )
    about = Words(
        "A row a sample; the seven masses of the sieves together, or none.",
        "每行一个样品；七个筛余质量须全部填写或全部留空。",
        "每列一個樣品；七個篩餘質量須全部填寫或全部留空。",
    )
    writes = ("aggregate-samples",)
    record_name = "aggregate-samples"
    schema = AggregateSampleIn
    key = ("code",)

    def make_columns(self) -> dict[str, Column]:
        grams = dict(zip(SIEVE_FIELDS, ("25", "50", "100", "125", "100", "75", "25"), strict=True))
        more: dict[str, dict[str, Any]] = {
            name: {
                "example": (mass, None),
                "measured": True,
                "aliases": (f"{sieve}mm筛余", f"{sieve} mm", sieve),
            }
            for (name, mass), sieve in zip(grams.items(), (*SAND_SIEVES_MM, "筛底"), strict=True)
        }
        return columns_of(
            AggregateSampleIn,
            code={
                "example": ("S-LH-2603", "G-LH-2603"),
                "aliases": ("样品编号", "樣品編號", "sample no", "sample"),
            },
            aggregate_source_id={"example": ("S-LH", "G-LH"), "aliases": ("产地", "料源", "source")},
            sampled_on={"example": ("2026-03-02", "2026-03-02"), "aliases": ("取样日期", "取樣日期", "date")},
            season={"example": ("spring", "spring")},
            mud_percent={"example": ("1.8", "0.4"), "aliases": ("含泥量",)},
            clay_lumps_percent={"aliases": ("泥块含量",)},
            flaky_percent={"example": (None, "6.5"), "aliases": ("针片状",)},
            moisture_percent={"example": ("4.2", "0.8"), "aliases": ("含水率",)},
            largest_size_mm={"example": (None, "31.5"), "aliases": ("最大粒径",)},
            **more,
        )

    def query(self) -> Any:
        return (
            select(AggregateSample)
            .where(*self.service.visible())
            .options(joinedload(AggregateSample.aggregate_source))
            .order_by(AggregateSample.code)
        )

    def stored(self, record: Any) -> dict[str, Any]:
        values = super().stored(record)
        masses = record.retained_masses_g or (None,) * len(SIEVE_FIELDS)
        values.update(zip(SIEVE_FIELDS, masses, strict=True))
        return values

    def look(self, row: Row) -> None:
        super().look(row)
        given = [name for name in SIEVE_FIELDS if name in row.values]
        if given and len(given) < len(SIEVE_FIELDS):
            row.refuse(
                Problem(name, _("is blank; accepted: all seven masses, 0 where nothing stayed on the sieve"))
                for name in SIEVE_FIELDS
                if name not in row.values
            )

    def told(self, rows: Sequence[Row]) -> Iterator[str]:
        """A sheet may have per cent of the sample under the same heads: the grading is the same, the masses are not."""
        sieved = [
            [row.values[name] for name in SIEVE_FIELDS]
            for row in rows
            if row.outcome in {"new", "changed"} and all(name in row.values for name in SIEVE_FIELDS)
        ]
        if shares := sum(99 <= sum(masses) <= 101 for masses in sieved):
            yield _(
                "In %(n)s rows the masses on the sieves add up to about 100, as per cent do; they are read as g.",
                n=shares,
            )


class BatchTemplate(RecordTemplate):
    name = "batches"
    title = Words(
        "Batches and specimens",
        "批次与试件",
        "批次與試體",
    )
    about = Words(
        "A row a batch; its sets and specimens follow from the ages and numbers in the row.",
        "每行一个批次；各组试件按行内的龄期和数量生成。",
        "每列一個批次；各組試體按列內的齡期和數量產生。",
    )
    writes = ("batches",)
    record_name = "batches"
    schema = BatchIn
    key = ("code",)
    only_new = ("cubic_metres_per_set", "sampling_plan")
    fixed = (
        "trial_id",
        "mix_revision_id",
        "cast_at",
        "volume_m3",
        "plan_ages",
        "specimens_per_set",
        "hold_sets",
        "site_sets",
        "shape",
        "width_mm",
    )
    #: Answer -> what it is about.
    answered: ClassVar[dict[str, tuple[str, ...]]] = {
        ANSWERS["lot-too-old"]: ("cement_lot_id",),
        ANSWERS["other-product"]: ("cement_lot_id",),
        ANSWERS["sample-out-of-limits"]: ("aggregate_sample_id", "coarse_aggregate_sample_id"),
        **{ANSWERS[kind]: (name,) for kind, name in OF_EQUIPMENT.items()},
    }

    def make_columns(self) -> dict[str, Column]:
        first = ("code", "trial_id", "mix_revision_id", "cast_at", "volume_m3", "plan_ages")
        made = columns_of(
            BatchIn,
            code={
                "required": True,
                "example": ("B26-1001", "B26-1002"),
                "aliases": ("批次", "批次号", "batch", "batch no"),
            },
            trial_id={"example": ("T26-0001", "T26-0001"), "aliases": ("试验编号", "trial")},
            mix_revision_id={
                "example": ("C30-A/1", "C30-A/1"),
                "note": Words("Mix code / revision", "配合比编号/版本", "配比編號/版本"),
                "aliases": ("配合比编号", "配合比編號", "配比編號", "mix", "mix code"),
            },
            cast_at={
                "example": ("2026-03-02 09:30", "2026-03-02 14:00"),
                "aliases": ("成型时间", "成型日期", "cast"),
            },
            volume_m3={"example": ("48", "120"), "aliases": ("方量", "volume")},
            plan_ages={"example": ("3,7,28", "7,28"), "aliases": ("龄期", "ages")},
            specimens_per_set={"example": ("3", "3")},
            cement_lot_id={"example": ("L2603-018", None), "aliases": ("水泥批号", "水泥批次", "水泥批號")},
            slag_lot_id={"aliases": ("矿粉批号", "礦粉批號", "矿粉批次", "礦粉批次")},
            superplasticizer_lot_id={
                "aliases": ("外加剂批号", "外加劑批號", "外加剂批次", "外加劑批次", "superplasticizer lot"),
            },
            slump_mm={"example": ("185", "180"), "aliases": ("坍落度", "坍度", "slump")},
            air_percent={"aliases": ("含气量",)},
            concrete_temperature_c={"aliases": ("混凝土温度",)},
            element={"aliases": ("工程部位", "部位")},
        )
        return {name: made[name] for name in (*first, *(n for n in made if n not in first))}

    def query(self) -> Any:
        """Batches that were cast here; those of imported strengths are in the template of histories."""
        return self._all().where(Batch.cast_at.is_not(None))

    def existing(self, rows: Sequence[Row]) -> dict[tuple[Any, ...], Any]:
        """Those of imported strengths too, which a list shows."""
        query = self._all().where(among(Batch.code, codes_in(rows)))
        return {(record.code,): record for record in current_session().scalars(query).unique()}

    def _all(self) -> Any:
        return (
            select(Batch)
            .where(*self.service.visible())
            .options(
                joinedload(Batch.trial),
                joinedload(Batch.mix_revision),
                joinedload(Batch.cement_lot).joinedload(CementLot.cement_product),
                joinedload(Batch.aggregate_sample),
                joinedload(Batch.site),
                selectinload(Batch.lots),
                selectinload(Batch.warnings),
                selectinload(Batch.sets).selectinload(SpecimenSet.specimens),
            )
            .order_by(Batch.code)
        )

    def stored(self, record: Any) -> dict[str, Any]:
        values = super().stored(record)
        planned = [item for item in record.sets if item.purpose == "plan"]
        values["plan_ages"] = tuple(sorted({item.age_days for item in planned})) or None
        values["hold_sets"] = sum(item.purpose == "hold" for item in record.sets)
        values["site_sets"] = sum(item.purpose == "site" for item in record.sets)
        first = record.sets[0] if record.sets else None
        values["curing_tank_id"] = record.curing_tank_id
        values["specimens_per_set"] = len(first.specimens) if first else None
        values["shape"] = first.specimens[0].shape if first and first.specimens else None
        values["width_mm"] = first.specimens[0].width_mm if first and first.specimens else None
        for name, (kind, attribute) in LOT_FIELDS.items():
            values[name] = next((getattr(lot, attribute) for lot in record.lots if lot.kind == kind), None)
        answers = {item.kind: item.answer for item in record.warnings if item.retired_at is None}
        values.update({name: answers.get(kind) for kind, name in ANSWERS.items()})
        return values

    def different(self, row: Row, stored: Mapping[str, Any]) -> list[str]:
        """An answer is no change of its own: it goes with a lot, sample or device that is new. One that nobody asked for is
        let be, as at casting. Raises: Refused for another answer about what stays."""
        found = super().different(row, stored)
        answers = [name for name in found if name in self.answered]
        other = [
            name for name in answers if stored[name] is not None and not set(found) & set(self.answered[name])
        ]
        if other:
            raise Refused(
                [
                    Problem(
                        name,
                        _(
                            "cannot change any more: stored is %(old)s; accepted: that, or blank",
                            old=stored[name],
                        ),
                        row.values[name],
                    )
                    for name in other
                ]
            )
        return [name for name in found if name not in answers]

    def data(self, row: Row, stored: Mapping[str, Any], different: Sequence[str]) -> dict[str, Any]:
        """Without what answered about another lot or device, and without lots that stay: one may be out of use by now."""
        kept = {name: value for name, value in stored.items() if name not in (*LOT_FIELDS, *self.answered)}
        said = {
            name: value for name, value in row.values.items() if name not in LOT_FIELDS or name in different
        }
        return {**kept, **said}

    def code_of(self, record: Any, name: str) -> str | None:
        if name == "cement_lot_id" and record.cement_lot is not None:
            lot = record.cement_lot
            return f"{lot.cement_product.code}:{lot.code}"
        if name in LOT_FIELDS:
            kind, attribute = LOT_FIELDS[name]
            for lot in record.lots:
                if lot.kind == kind and getattr(lot, attribute) is not None:
                    return str(lot.lot.code)
            return None
        if name in {"scale_id", "mould_id", "curing_tank_id"}:
            key = self.stored(record)[name]
            found = current_session().get(SERVICES[self.columns[name].reference].record, key) if key else None
            return None if found is None else str(found.code)
        return super().code_of(record, name)


class MixTemplate(Template):
    """A row a revision: the mix, its recipe, and why it was changed."""

    name = "mixes"
    title = Words(
        "Mix designs",
        "配合比",
        "配比",
    )
    about = Words(
        "A row a revision of a mix, with its masses in a cubic metre.",
        "每行一个配合比版本及每立方米各材料用量。",
        "每列一個配比版本及每立方公尺各材料用量。",
    )
    writes = ("mix-designs", "mix-revisions")
    key = ("laboratory", "code", "revision")
    design_fields: ClassVar[tuple[str, ...]] = tuple(item.name for item in MixDesignIn.inputs())
    masses: ClassVar[tuple[str, ...]] = tuple(f"{kind}_kg_m3" for kind in COMPONENT_KINDS)

    def make_columns(self) -> dict[str, Column]:
        made = columns_of(
            MixIn,
            code={
                "example": ("C30-B", "C30-B", "C50-A"),
                "aliases": ("配合比编号", "配合比編號", "配比編號", "mix", "mix no", "编号"),
            },
            name={"example": ("C30 pumped", None, "C50 bridge")},
            strength_class={
                "example": ("C30", None, "C50"),
                "aliases": (
                    *(
                        "强度等级",
                        "設計強度等級",
                        "強度等級",
                        "设计强度等级",
                        "混凝土强度等级",
                        "混凝土強度等級",
                    ),
                    *("砼强度等级", "配合比强度等级", "混凝土等级", "混凝土等級", "标号", "標號"),
                    *("grade", "concrete grade", "design grade", "concrete strength class"),
                ),
            },
            slump_mm={"example": ("180", None, "200"), "aliases": ("坍落度", "坍度", "slump")},
            cement_kg_m3={"example": ("310", "300", "400"), "aliases": ("水泥", "cement", "c")},
            slag_kg_m3={
                "example": ("40", "45", "80"),
                "aliases": ("矿粉", "礦粉", "矿渣粉", "爐石", "爐石粉", "slag", "ggbs"),
            },
            fly_ash_kg_m3={
                "example": ("60", "65", None),
                "aliases": ("粉煤灰", "飛灰", "fly ash", "fa", "pfa"),
            },
            silica_fume_kg_m3={"aliases": ("硅灰", "矽灰", "silica fume", "sf")},
            filler_kg_m3={"aliases": ("石粉", "filler")},
            water_kg_m3={"example": ("172", "170", "155"), "aliases": ("水", "用水量", "water", "w")},
            superplasticizer_kg_m3={
                "example": ("6.2", "6.2", "8.4"),
                "aliases": (
                    *("减水剂", "減水劑", "外加剂", "外加劑", "化學摻料", "強塑劑"),
                    *("admixture", "hrwr", "superplasticizer", "superplasticiser"),
                ),
            },
            coarse_aggregate_kg_m3={
                "example": ("1050", "1055", "1080"),
                "aliases": (
                    *("石", "石子", "碎石", "粗骨料", "粗集料", "粗骨材", "粗粒料"),
                    *("stone", "coarse aggregate"),
                ),
            },
            fine_aggregate_kg_m3={
                "example": ("760", "762", "700"),
                "aliases": (
                    *("砂", "沙", "细骨料", "細骨料", "细集料", "細骨材", "細粒料"),
                    *("sand", "fine aggregate"),
                ),
            },
            cement_product_id={"example": ("PO425", "PO425", None)},
        )
        more = {
            "revision": own_column(
                "revision",
                WholeNumber(1, 10_000),
                Words("Revision", "版本", "版本"),
                example=("1", "2", "1"),
                note=Words("Blank: the first", "空白：第一版", "空白：第一版"),
                aliases=("版次", "rev"),
            ),
            "reason": own_column(
                "reason",
                Text(400),
                Words("Reason for the change", "变更原因", "變更原因"),
                example=(None, "Less cement after the trial", None),
                note=Words("Needed from revision 2 on", "第 2 版起必填", "第 2 版起必填"),
            ),
            "laboratory": own_column(
                "laboratory",
                Text(80),
                Words("Laboratory", "试验室", "試驗室"),
                note=Words("Blank: our own", "空白：本试验室", "空白：本試驗室"),
            ),
        }
        return {"code": made.pop("code"), "revision": more.pop("revision"), **made, **more}

    def query(self) -> Any:
        return (
            select(MixDesign)
            .where(*SERVICES["mix-designs"].visible())
            .options(selectinload(MixDesign.revisions).selectinload(MixRevision.components))
            .order_by(MixDesign.laboratory, MixDesign.code)
        )

    def exported(self, record: MixDesign) -> Iterator[dict[str, Any]]:
        for revision in record.revisions:
            values = self.stored(record, revision)
            key = values.pop("cement_product_id")
            product = current_session().get(CementProduct, key) if key else None
            first = revision is record.revisions[0]
            yield {
                **{name: value for name, value in values.items() if first or name not in self.design_fields},
                "code": record.code,
                "revision": revision.number,
                "laboratory": record.laboratory,
                "cement_product_id": product.code if product else None,
            }

    def stored(self, design: MixDesign, revision: MixRevision | None) -> dict[str, Any]:
        values: dict[str, Any] = {name: getattr(design, name) for name in self.design_fields}
        values["reason"] = revision.reason if revision is not None else None
        parts = revision.components if revision is not None else []
        for kind in COMPONENT_KINDS:
            here = [part.mass_kg_m3 for part in parts if part.kind == kind]
            values[f"{kind}_kg_m3"] = sum(here[1:], here[0]) if here else None
        values["cement_product_id"] = next(
            (part.cement_product_id for part in parts if part.kind == "cement"), None
        )
        return values

    def run(
        self, rows: Sequence[Row], actor: Actor, *, write: bool, progress: Progress | None = None
    ) -> None:
        own = _own_laboratory()
        self._split(rows, own)
        for row in rows:
            row.values.setdefault("laboratory", own)
            row.values.setdefault("revision", 1)
        ready = sorted(
            self.ready(rows),
            key=lambda row: (row.values["laboratory"], row.values.get("code", ""), row.values["revision"]),
        )
        designs: dict[tuple[str, str], MixDesign] = {}
        for found in current_session().scalars(self.query().where(among(MixDesign.code, codes_in(ready)))):
            designs[found.laboratory, found.code] = found
        for done, row in enumerate(ready, start=1):
            with trying(row):
                self._one(row, designs, own, actor)
            if progress is not None:
                progress(done, len(ready))

    def _split(self, rows: Sequence[Row], own: str) -> None:
        """Codes with a revision behind (C30-A/2), as lists and batches name it: that revision of the mix that is there,
        not a mix of this name."""
        parts: dict[str, tuple[str, int]] = {}
        for code in codes_in(row for row in rows if "revision" not in row.values):
            if (found := re.fullmatch(r"(.+)/([1-9][0-9]{0,3})", code)) is not None:
                parts[code] = found[1], int(found[2])
        if not parts:
            return
        laboratories: dict[str, list[str]] = {}
        newest: dict[str, int] = {}
        wanted = {*parts, *(mix for mix, _number in parts.values())}
        stored = (
            select(MixDesign.code, MixDesign.laboratory, func.max(MixRevision.number))
            .outerjoin(MixRevision, MixRevision.mix_design_id == MixDesign.id)
            .where(among(MixDesign.code, wanted))
            .group_by(MixDesign.id)
        )
        for there, laboratory, last in current_session().execute(stored):
            laboratories.setdefault(there, []).append(laboratory)
            newest[there] = max(newest.get(there, 0), last or 0)
        for row in rows:
            given = row.values.get("code", "")
            if "revision" in row.values or given in laboratories or given not in parts:
                continue
            mix, revision = parts[given]
            if revision > newest.get(mix, 0):  # a class is no revision: C30/37 beside a mix C30
                continue
            row.values["code"], row.values["revision"] = mix, revision
            if own not in laboratories[mix] and len(laboratories[mix]) == 1:
                row.values.setdefault("laboratory", laboratories[mix][0])

    def _one(self, row: Row, designs: dict[tuple[str, str], MixDesign], own: str, actor: Actor) -> None:
        values = row.values
        if "code" not in values:
            raise Refused([Problem("code", _("is required"))])
        key = (values["laboratory"], values["code"])
        design, number = designs.get(key), values["revision"]
        row.title = f"{values['code']}/{number}"
        recipe = {n: v for n, v in values.items() if n in self.masses or n == "cement_product_id"}
        if design is None:
            if number != 1:
                raise Refused([Problem("revision", _("is the first of this mix; accepted: 1"), str(number))])
            made = self._add(values, recipe, own, actor)
            designs[key] = made
            row.outcome = "new"
            row.written += [("mix-designs", made.id), ("mix-revisions", made.revisions[0].id)]
            return
        last = design.revisions[-1].number if design.revisions else 0
        if number > last + 1:
            raise Refused(
                [Problem("revision", _("is not the next one; accepted: %(n)s", n=last + 1), str(number))]
            )
        if number == last + 1:
            data = {**recipe, "mix_design_id": design.id, "reason": values.get("reason")}
            revision = SERVICES["mix-revisions"].add(data, actor)
            row.outcome = "new"
            row.written.append(("mix-revisions", revision.id))
            self._edit_design(row, design, actor)
            return
        self._edit_revision(row, design, design.revisions[number - 1], recipe, actor)
        self._edit_design(row, design, actor)
        row.same()

    def _add(self, values: Mapping[str, Any], recipe: Mapping[str, Any], own: str, actor: Actor) -> MixDesign:
        data = MixIn.read({**{n: v for n, v in values.items() if n in self.design_fields}, **recipe})
        service: Any = SERVICES["mix-designs"]
        if values["laboratory"] == own:
            made: MixDesign = service.add(data, actor)
        else:
            assert isinstance(service, MixDesignService)
            made = service.add_history(data, values["laboratory"], actor)
        return made

    def _differences(self, row: Row, stored: Mapping[str, Any], names: Iterable[str]) -> list[str]:
        return [name for name in names if name in row.values and row.values[name] != stored[name]]

    def _changed(self, row: Row, stored: Mapping[str, Any], names: Sequence[str]) -> None:
        row.outcome = row.outcome or "changed"
        for name in names:
            column = self.columns[name]
            row.changes.append(
                Change(str(column.label), text_of(column, stored[name]), text_of(column, row.values[name]))
            )

    def _edit_design(self, row: Row, design: MixDesign, actor: Actor) -> None:
        stored = self.stored(design, None)
        different = self._differences(row, stored, self.design_fields)
        if not different:
            return
        given = {name: row.values[name] for name in self.design_fields if name in row.values}
        if "strength_class" in different and "grade_mpa" not in given:
            # The grade of a class goes with it: C35 would be judged by the 30 MPa of C30.
            after = MixDesignIn.read(
                {"code": design.code, "strength_class": given["strength_class"]}
            ).grade_mpa
            # Of a class of two numbers either may be stored: which of them, goes by the specimens of the laboratory.
            of_class = tuple(grades_of_class(design.strength_class or "").values()) or (None,)
            if design.grade_mpa in of_class and after != design.grade_mpa:
                row.values["grade_mpa"] = given["grade_mpa"] = after
                different.append("grade_mpa")
        SERVICES["mix-designs"].edit(
            design.id, {**{n: stored[n] for n in self.design_fields}, **given}, design.version, actor
        )
        self._changed(row, stored, different)
        row.changed_too.append(("mix-designs", design.id))

    def _edit_revision(
        self, row: Row, design: MixDesign, revision: MixRevision, recipe: Mapping[str, Any], actor: Actor
    ) -> None:
        stored = self.stored(design, revision)
        different = self._differences(row, stored, (*self.masses, "cement_product_id"))
        if not different:
            return
        if revision.frozen_at is not None:
            raise Refused(
                [
                    Problem(
                        name,
                        _(
                            "stands fixed at %(old)s, as the mix was cast; accepted: a new revision",
                            old=text_of(self.columns[name], stored[name]),
                        ),
                        text_of(self.columns[name], row.values[name]),
                    )
                    for name in different
                ]
            )
        if "cement_product_id" in different or len({part.kind for part in revision.components}) < len(
            revision.components
        ):
            raise Refused(
                [
                    Problem(
                        different[0], _("cannot be changed by a sheet; accepted: on the page of the revision")
                    )
                ]
            )
        known = (*self.masses, "cement_product_id")
        masses = {name: stored[name] for name in known if stored[name] is not None}
        SERVICES["mix-revisions"].edit(
            revision.id,
            {**masses, **{n: v for n, v in recipe.items() if n in self.masses}},
            revision.version,
            actor,
        )
        self._changed(row, stored, different)
        row.written.append(("mix-revisions", revision.id))


def _own_laboratory() -> str:
    from flask import current_app

    return str(current_app.config.get("LIMS_LABORATORY", "own"))
