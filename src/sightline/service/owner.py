"""Who may do what, and how much: values, without a word on how they are proven."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

__all__ = ["KeyLimits", "Owner", "Scope"]


class Scope(StrEnum):
    """What a key allows."""

    READ = "jobs:read"
    """See jobs and their results."""
    WRITE = "jobs:write"
    """Upload, submit, cancel, retry, delete."""
    METRICS = "metrics:read"
    """See what the service measures."""
    ADMIN = "admin"
    """Everything, and with the jobs of everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """How much one owner may ask for.

    Attributes:
        active_jobs: Jobs that are not terminal, at a time.
        upload_bytes: Sum of the uploads that no job has taken yet.
        submissions_per_minute: Jobs submitted or retried.
        video_s_per_day: Seconds of video in the jobs of the last 24 hours; None: any.
    """

    active_jobs: int = 100
    upload_bytes: int = 50 * 1024**3
    submissions_per_minute: int = 120
    video_s_per_day: float | None = None

    def __post_init__(self) -> None:
        for name in ("active_jobs", "upload_bytes", "submissions_per_minute"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.video_s_per_day is not None and not self.video_s_per_day > 0:
            raise ValueError(f"video_s_per_day must be above 0, not {self.video_s_per_day}")

    @classmethod
    def of_local_user(cls) -> Self:
        """Give the limits of whoever uses the service on this machine without a key."""
        return cls(active_jobs=10_000, upload_bytes=1024**4, submissions_per_minute=6_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who makes a request.

    Attributes:
        id: Identity of the key; "" where no keys are needed.
        name: What its key is called.
        scopes: What is allowed.
        limits: How much of it.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    limits: KeyLimits = field(default_factory=KeyLimits)

    @classmethod
    def of_local_user(cls) -> Self:
        """Give the owner of everything that is done where no keys are needed."""
        return cls(id="", name="local", scopes=frozenset(Scope), limits=KeyLimits.of_local_user())

    def may(self, scope: Scope) -> bool:
        """Tell whether the owner has a scope; `ADMIN` includes the others."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, owner_id: str) -> bool:
        """Tell whether what belongs to that owner may be known to this one.

        >>> Owner(id="a", name="gate", scopes=frozenset({Scope.READ})).sees("b")
        False
        """
        return owner_id == self.id or Scope.ADMIN in self.scopes
