"""For servers that take a WSGI application, e.g. `gunicorn --config docs/deploy/gunicorn.conf.py lims.wsgi:app`."""

from __future__ import annotations

from lims.app import create_app
from lims.operations.logs import start_logging
from lims.operations.serving import refuse_to_start_wrong, settle, tell_of_surroundings
from lims.settings import Settings

_settings = Settings()
refuse_to_start_wrong(_settings)
start_logging(_settings)
tell_of_surroundings(_settings)
app = create_app(_settings)
settle()
