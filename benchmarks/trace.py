"""`python -m benchmarks.trace [SPECIMENS]`, called by `make bench-audit`: the trace among a million specimens."""

from __future__ import annotations

import sys
from typing import Any

from sqlalchemy import select

from benchmarks.laboratory import bench_app, fill, milliseconds, signed_in
from benchmarks.report import Report
from lims.audit.trace import find_by_code, trace
from lims.base.database import current_session
from lims.results.models import SetResult
from lims.trials.models import Batch, Specimen

SPECIMENS = 1_000_000
TARGET_S = 1.0


def everything(_name: str) -> bool:
    return True


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SPECIMENS
    report = Report(f"trace among {count:,} specimens, SQLite")
    report.head()
    with bench_app() as app:
        report.tell("filling", fill(app, count), " s")
        with app.test_request_context():
            session = current_session()

            def middle(model: Any) -> int:
                last = session.scalar(select(model.id).order_by(model.id.desc()).limit(1)) or 1
                return int(last) // 2 + 1

            starts = {
                "specimens": middle(Specimen),
                "batches": middle(Batch),
                "set-results": middle(SetResult),
                "mix-designs": 1,
                "mix-revisions": 1,
                "trials": 1,
            }
            for name, key in starts.items():
                taken = milliseconds(lambda name=name, key=key: trace(name, key, everything), 3) / 1000  # type: ignore[misc]
                report.at_most(f"trace of one of {name}", taken, TARGET_S, " s")
            code = session.scalar(select(Specimen.code).where(Specimen.id == starts["specimens"]))
            report.at_most(
                "finding a specimen by its code",
                milliseconds(lambda: find_by_code(str(code)), 3) / 1000,
                TARGET_S,
                " s",
            )
        client = signed_in(app)
        for name in ("specimens", "mix-designs"):
            address = f"/trace/{name}/{starts[name]}"
            report.at_most(
                f"the page {address}",
                milliseconds(lambda address=address: client.get(address), 3) / 1000,
                TARGET_S,
                " s",  # type: ignore[misc]
            )
    report.close()


if __name__ == "__main__":
    main()
