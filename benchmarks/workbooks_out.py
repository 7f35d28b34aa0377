"""100,000 rows of the list of breaks into one .xlsx, as the job writes them, beside bare XlsxWriter on the same values.

Both stand in one run: bare XlsxWriter gets the finished values and writes each with `worksheet.write`, in constant-memory
mode. The memory is measured in a process of its own: how far it grows while it exports, and its whole size, of which the
application itself (web framework, numpy, scipy) takes the larger part before the first row.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from xlsxwriter import Workbook

from benchmarks.laboratory import bench_app, fill
from benchmarks.report import Report
from lims.app import create_app
from lims.base.database import current_session
from lims.base.exports import ListQuery, rows_of, table_of, write_workbook
from lims.base.views import VIEWS
from lims.settings import Settings

ROWS = int(os.environ.get("LIMS_BENCH_EXPORT_ROWS", "100000"))
#: Each way runs so often, by turns; the best counts.
TIMES = 3


def measure(report: Report) -> None:
    with bench_app() as app, tempfile.TemporaryDirectory() as folder:
        fill(app, ROWS + 9)
        target = Path(folder) / "out.xlsx"
        with app.app_context():
            view = VIEWS["breaks"]
            names = list(view.list_columns)
            rows = view.service.count()
            values = list(rows_of(view, names, ListQuery()))
            ours, bare = [], []
            for _run in range(TIMES):
                bare.append(_bare(target, values))
                begun = time.process_time()
                write_workbook(target, table_of(view, names, ListQuery(), rows))
                ours.append(time.process_time() - begun)
            del values
            current_session().close()
        memory = _memory_of_an_export(Path(app.config["LIMS_DATA"]), Path(folder))
    report.tell(f"exporting {rows} break rows, {len(names)} columns, .xlsx", min(ours), " s")
    report.tell("bare XlsxWriter, constant memory, same values", min(bare), " s")
    report.at_most("... ours to bare XlsxWriter", min(ours) / min(bare), 1.3)
    report.at_most("... memory that the export takes", memory["grown_mb"], 100, " MB")
    report.tell("... whole process, the application included", memory["peak_mb"], " MB")


def _bare(target: Path, values: list[list[object]]) -> float:
    begun = time.process_time()
    with Workbook(target, {"constant_memory": True, "default_date_format": "yyyy-mm-dd hh:mm"}) as book:
        sheet = book.add_worksheet()
        for line, row in enumerate(values):
            for place, value in enumerate(row):
                sheet.write(line, place, value)
    return time.process_time() - begun


def _memory_of_an_export(data: Path, folder: Path) -> dict[str, float]:
    """A fresh process exports the same list."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.workbooks_out", str(data), str(folder / "memory.xlsx")],
        capture_output=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _megabytes(name: str) -> float:
    """VmRSS: what it has now; VmHWM: the most it had since `_forget_peak`."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(name))) / 1024


def _forget_peak() -> None:
    """Loading the application peaks higher than it stays; that is not the export's."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main() -> None:
    """One export in this process; how far its memory grew."""
    app = create_app(Settings(data=Path(sys.argv[1])))
    with app.app_context():
        view = VIEWS["breaks"]
        names = list(view.list_columns)
        total = view.service.count()
        _forget_peak()
        before = _megabytes("VmRSS")
        write_workbook(Path(sys.argv[2]), table_of(view, names, ListQuery(), total))
    print(json.dumps({"grown_mb": _megabytes("VmHWM") - before, "peak_mb": _megabytes("VmHWM")}))


if __name__ == "__main__":
    main()
