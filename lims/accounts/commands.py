"""`lims account add`: the first administrator of a new installation."""

from __future__ import annotations

import click

from lims.accounts.roles import ROLES
from lims.cli import read_settings


@click.group()
def account() -> None:
    """Accounts."""


@account.command()
@click.argument("username")
@click.option("--role", type=click.Choice(sorted(ROLES)), default="Administrator", show_default=True)
@click.option("--first-name", prompt=True)
@click.option("--last-name", prompt=True)
@click.option("--email", prompt=True)
@click.password_option()
def add(username: str, role: str, first_name: str, last_name: str, email: str, password: str) -> None:
    """Add an account; the password is asked for and never shown."""
    from lims.accounts.service import AccountIn, add_user
    from lims.app import create_app
    from lims.base.actor import system_actor

    app = create_app(read_settings())
    with app.app_context():
        data = AccountIn.read(
            {
                "username": username,
                "role": role,
                "first_name": first_name,
                "last_name": last_name,
                "email": email,
                "password": password,
            }
        )
        add_user(data, system_actor("command-line"))
    click.echo(f"added {username} as {role}")
