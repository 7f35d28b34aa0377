"""Strength forecasting: pure numpy and scipy. Knows nothing of the web, the database or the laboratory's records."""

import os

# Matrices of a few hundred rows are slower on several threads than on one, and much slower where workers share cores.
# Takes effect when this is imported before numpy; a value that is set already is respected.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
