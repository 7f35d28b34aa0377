"""What every subject stands on. The naming convention of constraints is set before any table can exist."""

import lims.base.metadata  # noqa: F401 - for its effect
