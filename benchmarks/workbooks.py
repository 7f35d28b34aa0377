"""`make bench-workbooks`: workbooks in and out, beside what other tools take for the same file."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from benchmarks import workbooks_in
from benchmarks.report import Report


def main() -> None:
    report = Report("workbooks")
    report.head()
    workbooks_in.measure(report)
    if find_spec("benchmarks.workbooks_out") is not None:
        import_module("benchmarks.workbooks_out").measure(report)
    report.close()


if __name__ == "__main__":
    main()
