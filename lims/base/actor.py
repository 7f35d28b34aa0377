"""Who writes. Every record names its actor; a job or the command line is a named system actor, never nobody."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """`key` is stored (`user:7`, `system:import`): it survives a change of the person's name."""

    key: str
    label: str
    user_id: int | None = None

    def __post_init__(self) -> None:
        if not self.key.partition(":")[2]:
            raise ValueError(f"actor key {self.key!r} is not of the form kind:name")


def system_actor(name: str) -> Actor:
    """The actor of a job or a command, e.g. `system_actor("import")`."""
    return Actor(key=f"system:{name}", label=name)


def user_actor(user_id: int, label: str) -> Actor:
    return Actor(key=f"user:{user_id}", label=label, user_id=user_id)
