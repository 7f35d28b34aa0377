"""Measurements, each figure beside its target. `make bench-forecast` and others; exit 1 when one is missed."""

import os

# As the product runs (lims/strength/__init__.py); set here too, before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
