"""`make bench-search`: type-ahead over a million specimens, beside LIKE '%…%' over the same table in the same run."""

from __future__ import annotations

import sys

from sqlalchemy import text

from benchmarks.laboratory import bench_app, fill, milliseconds, signed_in
from benchmarks.report import Report
from lims.base.database import current_session
from lims.searching.service import find_among
from lims.searching.triggers import SEARCHED

SPECIMENS = 1_000_000
#: What people type: beginnings, whole codes, middles, something rare, something everywhere, something nowhere.
TYPED = (
    "B",
    "B25",
    "B25-0",
    "c30-a",
    "C30",
    "0412-28",
    "28d",
    "-1a",
    "028d-1c",
    "trial 7",
    "nosuchthing",
    "037036-28d-1c",
)
TARGET_MS = 50.0


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SPECIMENS
    report = Report(f"search among {count:,} specimens, SQLite")
    report.head()
    with bench_app() as app:
        report.tell("filling, with the index kept by triggers", fill(app, count), " s")
        with app.app_context():
            session = current_session()
            worst = 0.0
            for typed in TYPED:
                taken = milliseconds(lambda typed=typed: find_among(session, typed.lower(), SEARCHED, 5))  # type: ignore[misc]
                worst = max(worst, taken)
                report.tell(f"“{typed}”", taken, " ms")
            report.at_most("slowest of what people type", worst, TARGET_MS, " ms")
            like = text("SELECT id FROM specimens WHERE lower(code) LIKE :p LIMIT 5")
            report.tell(
                "peer: LIKE '%nosuchthing%' over specimens alone",
                milliseconds(lambda: session.execute(like, {"p": "%nosuchthing%"}).all(), 3),
                " ms",
            )
        client = signed_in(app)
        for typed in ("B25-0", "028d-1c"):
            report.at_most(
                f"the request /search/suggest?q={typed}",
                milliseconds(lambda typed=typed: client.get("/search/suggest", query_string={"q": typed})),  # type: ignore[misc]
                TARGET_MS,
                " ms",
            )
    report.close()


if __name__ == "__main__":
    main()
