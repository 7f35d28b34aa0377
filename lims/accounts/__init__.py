"""Accounts, roles, signing in."""

import lims.base  # noqa: F401 - first, for its effect on the metadata
