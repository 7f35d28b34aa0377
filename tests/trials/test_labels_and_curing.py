"""Labels in three forms say the same; readings of a tank come in once and give the maturity of its batches."""

from __future__ import annotations

import io
import re
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from PIL import Image, ImageOps

from lims.base.database import current_session
from lims.base.display import day_begins, local_today
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.trials.curing import add_readings, maturity_of
from lims.trials.labels import Label, label_sheet, zpl
from lims.trials.models import CuringReading
from lims.trials.short_codes import short_code
from tests.conftest import Person
from tests.factories import ACTOR, a_batch


def test_labels_come_as_pages_pdf_and_zpl_with_the_same_codes(app: Flask, technician: Person) -> None:
    with app.app_context():
        batch = a_batch("40")
        batch_id = batch.id
        specimens = [specimen for item in batch.sets for specimen in item.specimens]
        codes = [(specimen.code, short_code(specimen.id)) for specimen in specimens]
    page = technician.get(f"/batches/{batch_id}/labels").get_data(as_text=True)
    printer = technician.get(f"/batches/{batch_id}/labels.zpl")
    sheet = technician.get(f"/batches/{batch_id}/labels.pdf")
    text = printer.get_data(as_text=True)
    assert text.count("^XA") == text.count("^XZ") == len(codes) == 9
    assert text.count("^PW400^LL200") == 9
    for code, short in codes:
        assert code in page
        assert f"^FD{code}^FS" in text
        assert re.search(rf"\^FDMA,http://localhost/press/scan/{re.escape(short)}\^FS", text)
    assert sheet.mimetype == "application/pdf"
    assert sheet.get_data().startswith(b"%PDF-")
    settings = app.config["LIMS_SETTINGS"]
    app.config["LIMS_SETTINGS"] = settings.model_copy(update={"public_url": "https://lims.example.com/"})
    text = technician.get(f"/batches/{batch_id}/labels.zpl").get_data(as_text=True)
    assert text.count("^FDMA,https://lims.example.com/press/scan/") == 9


def test_file_of_labels_is_named_in_letters_that_a_header_has(app: Flask, technician: Person) -> None:
    """A server cannot send others: it answers 500, which no client of the tests does."""
    with app.app_context():
        batch_id = a_batch("40", code="六月-1").id
    for form in ("pdf", "zpl"):
        answer = technician.get(f"/batches/{batch_id}/labels.{form}")
        assert answer.status_code == 200
        named = answer.headers["Content-Disposition"]
        named.encode("latin-1")
        assert f"filename*=UTF-8''%E5%85%AD%E6%9C%88-1-labels.{form}" in named


def test_printer_commands_inside_a_name_are_only_letters(app: Flask, technician: Person) -> None:
    with app.app_context():
        label = Label("A^XZ~JA", "0001", "m^", "now", 3, "http://x/")
        assert zpl([label]).count("^XZ") == 1
        assert "~" not in zpl([label])


def test_every_character_of_a_short_code_reaches_the_printer() -> None:
    code = short_code(33)
    assert code.endswith("~")  # as of one specimen in 37
    text = zpl([Label("B_1", code, "C30/1", "now", 3, f"http://x/press/scan/{code}")])
    fields = re.findall(r"\^FH\^FD(.*?)\^FS", text)
    assert len(fields) == text.count("^FD")
    printed = [re.sub("_([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), field) for field in fields]
    assert printed == [f"MA,http://x/press/scan/{code}", "B_1", f"{code}  3 d", "C30/1", "now"]


def _as_printed(command: str) -> Image.Image:
    """The picture of a ^GFA, dark dots black."""
    form, total, sent, row, bits = command.removeprefix("^GF").split(",")
    assert (form, total) == ("A", sent)
    assert len(bits) == 2 * int(total)
    width, height = int(row) * 8, int(total) // int(row)
    return ImageOps.invert(Image.frombytes("1", (width, height), bytes.fromhex(bits)).convert("L"))


def test_chinese_line_reaches_the_printer_as_a_picture_as_its_font_has_no_such_letters(app: Flask) -> None:
    long = "六月大体积混凝土底板第一次浇筑-2026-06-01-1"
    labels = [
        Label("六月-1", "0001", "C30/1", "2026-06-01 08:30", 3, "http://x/"),
        Label(long, "0002", "C30/1", "2026-06-01 08:30", 3, "http://x/"),
    ]
    with app.app_context():
        text = zpl(labels)
    assert text.isascii()
    assert text.count("^A0N") == 6  # the other three lines of each
    short, narrowed = (_as_printed(found) for found in re.findall(r"\^GF[^^]*", text))
    # Between its place and the edge of the sticker, above the next line, and all of it: the last figure has dark dots.
    assert short.size == narrowed.size == (216, 32)
    ink = [ImageOps.invert(found).getbbox() for found in (short, narrowed)]
    assert ink[0] is not None
    assert ink[1] is not None
    assert 0 < ink[0][1] < ink[0][3] < 32  # no head and no foot is cut off
    assert 0 < ink[1][1] < ink[1][3] < 32
    assert ink[0][2] < 100
    assert 200 < ink[1][2] <= 216


def test_labels_that_a_chinese_reader_prints_have_their_time_in_figures(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        batch = a_batch("40")
        address = f"/batches/{batch.id}/labels.zpl"
    technician.get("/lang/zh")
    text = technician.get(address).get_data(as_text=True)
    assert text.isascii()
    assert len(re.findall(r"\^FD\d{4}-\d\d-\d\d \d\d:\d\d\^FS", text)) == 9


def test_label_of_a_held_set_names_no_age_in_any_form(app: Flask, technician: Person) -> None:
    with app.app_context():
        batch = a_batch("40", plan_ages="28", hold_sets="1")
        address, held = f"/batches/{batch.id}/labels", batch.sets[-1]
        shorts = [short_code(specimen.id) for specimen in held.specimens]
    page, printer = (technician.get(address + form).get_data(as_text=True) for form in ("", ".zpl"))
    for short in shorts:
        assert f">{short}<" in page
        assert f"^FD{short}^FS" in printer
    assert page.count(" · 28 d<") == printer.count("  28 d^FS") == 3


def test_layout_commands_inside_a_name_are_only_letters(app: Flask) -> None:
    hostile = '#panic("no") $x$ *b* \\ #read("/etc/passwd") "]'
    with app.app_context():
        assert label_sheet([Label(hostile, "0001", hostile, hostile, 3, "http://x/")]).startswith(b"%PDF-")


def a_tank() -> Any:
    return SERVICES["curing-tanks"].add({"code": "T1", "name": "Tank"}, ACTOR)


def test_logger_file_is_read_once_and_known_rows_are_left(records_on_both: Flask) -> None:
    tank = a_tank()
    content = "时间,温度,湿度\n2026-11-20 08:00,20.1,96\n2026/11/20 20:00,19.8,\n".encode("gb18030")
    assert add_readings(tank.id, content, ACTOR) == (2, 0)
    assert add_readings(tank.id, content, ACTOR) == (0, 2)
    first = current_session().query(CuringReading).order_by(CuringReading.read_at).first()
    assert first is not None
    assert (first.temperature_c, first.relative_humidity_percent) == (Decimal("20.1"), Decimal(96))
    assert first.read_at == datetime(2026, 11, 20, 0, 0, tzinfo=UTC)


def test_one_bad_row_names_itself_and_nothing_is_added(records_on_both: Flask) -> None:
    tank = a_tank()
    with pytest.raises(Refused, match=r"row 3.*warm"):
        add_readings(tank.id, b"time,temp\n2026-11-20 08:00,20.1\n2026-11-20 20:00,warm\n", ACTOR)
    with pytest.raises(Refused, match=r"row 3.*in the future"):  # of a logger whose clock is wrong
        add_readings(tank.id, b"time,temp\n2026-11-20 08:00,20.1\n2126-11-20 20:00,20.2\n", ACTOR)
    assert current_session().query(CuringReading).count() == 0


def test_reading_that_its_decimal_comma_parts_is_refused_and_is_no_humidity(records: Flask) -> None:
    """20,5 degC would have been 20 degC at a humidity of 5 %."""
    tank = a_tank()
    with pytest.raises(Refused, match=r"row 3: has 3 cells and the row of heads 2"):
        add_readings(tank.id, b"time,temp\n2026-11-20 08:00,20\n2026-11-20 20:00,20,5\n", ACTOR)
    assert current_session().query(CuringReading).count() == 0
    assert add_readings(tank.id, b"Tank\n2026-11-20 08:00,20,95\n2026-11-20 20:00,20,,\n", ACTOR) == (2, 0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00\x01",
        b"\x00" * 100,
        b"time,temp\r2026-11-20 08:00,20\r",
        b"time,temp\n1," + b"9" * 140_000,
    ],
    ids=["nothing", "no text", "zero bytes", "ends of lines of old", "a cell without end"],
)
def test_file_that_is_no_table_is_refused(records_on_both: Flask, content: bytes) -> None:
    with pytest.raises(Refused):
        add_readings(a_tank().id, content, ACTOR)


def test_logger_file_of_a_million_rows_is_refused_with_their_number_and_not_kept(records: Flask) -> None:
    tank = a_tank()
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="has 1000000 rows"):
            add_readings(tank.id, b"1\n" * 1_000_000, ACTOR)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000


def test_reading_is_called_by_its_time_on_the_laboratory_s_clock(records: Flask) -> None:
    """Its page says the same time below."""
    read = {"curing_tank_id": a_tank().id, "read_at": "2026-05-05T06:30:00+08:00", "temperature_c": "20"}
    assert SERVICES["curing-readings"].add(read, ACTOR).title == "2026-05-05 06:30"


def test_maturity_of_a_batch_at_20_degrees_is_its_age(records_on_both: Flask) -> None:
    tank = a_tank()
    batch = a_batch("40", curing_tank_id=tank.id)
    rows = "".join(
        f"{(batch.cast_at + timedelta(hours=hours)).isoformat()},20.0,95\n" for hours in range(0, 73, 12)
    )
    add_readings(tank.id, ("time,temp,rh\n" + rows).encode(), ACTOR)
    found = maturity_of(batch)
    assert found is not None
    assert found.degree_days == Decimal("60.0")
    assert found.equivalent_days == Decimal("3.00")
    assert found.same_condition_due is False


def test_batch_that_lies_at_a_place_of_its_own_is_not_as_warm_as_the_tank(records: Flask) -> None:
    tank = a_tank()
    batch = a_batch("40", curing="same_condition", curing_tank_id=tank.id)
    for place, degrees in (({"curing_tank_id": tank.id}, "20"), ({"batch_id": batch.id}, "5")):
        for hours in (0, 24, 48, 72):
            read_at = (batch.cast_at + timedelta(hours=hours)).isoformat()
            SERVICES["curing-readings"].add({**place, "read_at": read_at, "temperature_c": degrees}, ACTOR)
    found = maturity_of(batch)
    assert found is not None
    assert (found.readings, found.degree_days) == (4, Decimal("15.0"))


@pytest.mark.parametrize("minutes", [5, 10, 20])
def test_maturity_is_the_age_however_often_a_logger_looks(records: Flask, minutes: int) -> None:
    """30 d at 20 degC are 600 degC d. In hours of three places 10 minutes made 601.2 of them, and 20 minutes 599.4."""
    tank = a_tank()
    cast_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)
    batch = a_batch("40", curing_tank_id=tank.id, cast_at=cast_at.isoformat())
    times = (cast_at + timedelta(minutes=at) for at in range(0, 30 * 24 * 60 + 1, minutes))
    add_readings(tank.id, "".join(f"{time.isoformat()},20.0,95\n" for time in times).encode(), ACTOR)
    found = maturity_of(batch)
    assert found is not None
    assert (found.degree_days, found.equivalent_days) == (Decimal("600.0"), Decimal("30.00"))
    assert found.same_condition_due


def test_maturity_counts_from_casting_and_without_readings_that_are_out_of_use(records: Flask) -> None:
    batch = a_batch("40", curing="same_condition")
    for hours, degrees in ((-0.5, "20"), (24, "200"), (48, "20")):
        reading = {
            "batch_id": batch.id,
            "read_at": (batch.cast_at + timedelta(hours=hours)).isoformat(),
            "temperature_c": degrees,
        }
        made = SERVICES["curing-readings"].add(reading, ACTOR)
        if degrees == "200":
            SERVICES["curing-readings"].retire(made.id, ACTOR)
    found = maturity_of(batch)
    assert found is not None
    assert (found.readings, found.degree_days) == (2, Decimal("40.0"))


def test_maturity_in_the_cold_is_less_than_the_age(records_on_both: Flask) -> None:
    batch = a_batch("40", curing="same_condition")
    for hours in (0, 24, 48, 71):
        reading = {
            "batch_id": batch.id,
            "read_at": (batch.cast_at + timedelta(hours=hours)).isoformat(),
            "temperature_c": "5",
        }
        SERVICES["curing-readings"].add(reading, ACTOR)
    found = maturity_of(batch)
    assert found is not None
    assert found.degree_days < 15
    assert found.equivalent_days < Decimal("1.5")


@pytest.mark.parametrize(("by_day", "by_night", "degree_days"), [("8", "-8", "0.0"), ("8", "-4", "4.0")])
def test_degree_days_are_of_daily_means_so_that_a_frosty_night_takes_from_its_day(
    records: Flask, by_day: str, by_night: str, degree_days: str
) -> None:
    midnight = day_begins(local_today() - timedelta(days=3))
    batch = a_batch("40", curing="same_condition", cast_at=midnight.isoformat())
    for hours in (0, 11, 12, 23, 24, 35, 36, 47, 48):
        reading = {
            "batch_id": batch.id,
            "read_at": (midnight + timedelta(hours=hours)).isoformat(),
            "temperature_c": by_day if hours % 24 < 12 else by_night,
        }
        SERVICES["curing-readings"].add(reading, ACTOR)
    found = maturity_of(batch)
    assert found is not None
    assert found.degree_days == Decimal(degree_days)


def test_readings_of_a_batchs_own_place_are_uploaded_and_typed_from_its_page(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        batch = a_batch("40", curing="same_condition", cast_at="2026-11-20T00:00+08:00")
        address = f"/batches/{batch.id}"
    page = technician.get(address).get_data(as_text=True)
    typed = re.search(r'href="(/curing-readings/add\?batch_id=\d+)"', page)
    assert typed
    assert "selected" in technician.get(typed[1]).get_data(as_text=True)
    content = io.BytesIO(b"time,temp\n2026-11-20 08:00,20\n2026-11-21 00:00,20\n")
    sent = technician.post(
        f"{address}/readings", {"file": (content, "log.csv")}, content_type="multipart/form-data"
    )
    assert sent.status_code == 302
    page = technician.get(address).get_data(as_text=True)
    assert "2 readings added" in page
    assert re.search(r'id="maturity".*?20 °C·d', page, re.DOTALL)
    assert "2026-11-20 08:00" in technician.get("/curing-readings/1").get_data(as_text=True)  # by our clock


def test_readings_are_uploaded_on_the_page_of_the_tank(app: Flask, technician: Person) -> None:
    with app.app_context():
        tank_id = a_tank().id
    content = io.BytesIO(b"time,temp\n2026-11-20 08:00,20.1\n2026-11-21 08:00,20.4\n")
    answer = technician.post(
        f"/curing-tanks/{tank_id}/readings",
        {"file": (content, "log.csv")},
        content_type="multipart/form-data",
    )
    assert answer.status_code == 302
    assert "2 readings added" in technician.get(f"/curing-tanks/{tank_id}").get_data(as_text=True)
