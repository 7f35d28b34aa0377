"""Operations have no pages of their own: jobs show on /jobs/, health on /healthz, /readyz and /metrics."""

from __future__ import annotations

from typing import Any

import lims.operations.nightly  # noqa: F401 - registers the nightly backup

VIEWS: tuple[Any, ...] = ()
