"""`make bench-workbooks`: workbooks in and out, beside what other tools take for the same file."""

from __future__ import annotations

from benchmarks import workbooks_in, workbooks_out
from benchmarks.report import Report


def main() -> None:
    report = Report("workbooks")
    report.head()
    workbooks_in.measure(report)
    workbooks_out.measure(report)
    report.close()


if __name__ == "__main__":
    main()
