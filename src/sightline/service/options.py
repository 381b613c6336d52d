"""How a service is set up: everything that an operator can say."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - part of a signature that is documented
from typing import TYPE_CHECKING

from sightline.errors import SightlineError
from sightline.fetch.policy import AddressPolicy
from sightline.jobs.limits import MediaLimits
from sightline.jobs.remote_artifacts import DEFAULT_CACHE_BYTES
from sightline.jobs.store import LeasePolicy
from sightline.service.events import WatchLimits
from sightline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sightline.broker.options import BrokerOptions
    from sightline.jobs.crew_size import CrewSize

__all__ = ["ServeOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How a service is set up.

    Attributes:
        data_dir: Database, videos, results; one service at a time has it.
        host: Name or address to listen on; beyond this machine only with keys.
        port: TCP port; 0 for a free one.
        workers: How many processes detect; None: as many as there are cores.
        detectors: What clients may choose, the first by default: names that `Detect` knows, or
            NAME=FILE.onnx; empty: `yolox-s` and all others that have a name.
        pipelines: Pipeline files that clients may choose besides `detect-track`, by name.
        addresses: From where videos may be fetched, and whom webhooks may tell.
        limits: Which videos are taken.
        policy: When work is given up, and how long results are kept.
        queued_jobs: Jobs of everybody that may be unfinished at a time.
        free_bytes: Room that the disk must have for a job to be accepted.
        watches: How many may wait for jobs at a time.
        names: Names under which the service may be asked besides those of loopback, such as that
            of a proxy before it.
        base_url: Where clients find the service, for the links in webhooks; "" where unknown.
        trusted_proxies: Addresses of proxies whose `X-Forwarded-For` and `-Proto` are believed.
        broker: Wakes workers elsewhere, which do all the work; None: they are inside the service.
        artifacts: URL of the store of the jobs' files, such as s3://bucket/prefix; None: the data
            folder.
        cache_bytes: Room for copies of the files of such a store.
        settings: Where models, running graphs and the database are.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8080
    workers: CrewSize | None = None
    detectors: tuple[str, ...] = ()
    pipelines: Mapping[str, Path] = field(default_factory=dict)
    addresses: AddressPolicy = field(default_factory=AddressPolicy)
    limits: MediaLimits = field(default_factory=MediaLimits)
    policy: LeasePolicy = field(default_factory=LeasePolicy)
    queued_jobs: int = 100_000
    free_bytes: int = 1024**3
    watches: WatchLimits = field(default_factory=WatchLimits)
    names: frozenset[str] = frozenset()
    base_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    broker: BrokerOptions | None = None
    artifacts: str | None = field(default=None, repr=False)
    cache_bytes: int = DEFAULT_CACHE_BYTES
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port must be from 0 to 65535, but is {self.port}")
        if self.broker is not None and self.workers is not None:
            raise SightlineError("with a broker all workers are elsewhere: leave --workers out")
