"""Imports every subject's tables, so that metadata, migrations and relations are whole."""

import lims.aftersales.service
import lims.audit.service
import lims.customers.service
import lims.forecasts.models
import lims.importing.service
import lims.materials.service
import lims.mixes.service
import lims.reporting.service
import lims.results.service
import lims.sharing.service
import lims.trials.service
