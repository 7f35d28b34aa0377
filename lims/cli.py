"""The `lims` command: one group, to which each subject adds its own commands."""

import click


@click.group()
@click.version_option(package_name="lims")
def main() -> None:
    """The laboratory information system for concrete trials."""
