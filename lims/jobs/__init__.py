"""Pages, REST and the worker's command of jobs; what a job is stands in lims/base/jobs.py."""
