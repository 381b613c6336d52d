"""Settings of the machine and the user, read from the environment once, at an entry point."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Settings"]

_SWITCH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}
_DEFAULT_SERVER_URL = "http://127.0.0.1:8080"
_STATEMENT_TIMEOUT_S = 30.0
_DAY_S = 86400.0


def _default_cache_dir() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("sightline")


def _default_data_dir() -> Path:
    import platformdirs

    return platformdirs.user_data_path("sightline")


def _default_runtime_dir() -> Path:
    # Not where TMPDIR points: the path of a socket must be short, and the same for all programs.
    return Path(f"/tmp/sightline-{os.getuid()}")  # noqa: S108 - its owner and mode are checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where files are kept and what may be fetched.

    Attributes:
        cache_dir: Folder of downloaded models; made when needed.
        offline: Never open a network connection to fetch a model.
        model_base_url: Fetch catalogue models from this URL plus their file name, and from nowhere
            else; None: from where their publishers keep them.
        runtime_dir: Folder of what running graphs keep: sockets and locks; made when needed.
        data_dir: Folder of the job service: database, videos, results; made when needed.
        artifacts_url: Store of the job service's files, such as s3://bucket/prefix; None: its
            folder.
        server_url: Address of the job service that commands talk to.
        server_key: The key for it; None where it asks for none.
        database_url: Database of the job service; None: SQLite in its folder.
        broker_url: Broker that wakes its workers; None: they run inside the service.
        statement_timeout_s: How long a PostgreSQL database may take for one statement of the
            interface; 0: any time.
    """

    cache_dir: Path = field(default_factory=_default_cache_dir)
    offline: bool = False
    model_base_url: str | None = None
    runtime_dir: Path = field(default_factory=_default_runtime_dir)
    data_dir: Path = field(default_factory=_default_data_dir)
    artifacts_url: str | None = field(default=None, repr=False)
    server_url: str = _DEFAULT_SERVER_URL
    server_key: str | None = field(default=None, repr=False)
    database_url: str | None = field(default=None, repr=False)
    broker_url: str | None = field(default=None, repr=False)
    statement_timeout_s: float = _STATEMENT_TIMEOUT_S

    def __post_init__(self) -> None:
        if not 0 <= self.statement_timeout_s <= _DAY_S:
            raise SightlineError(
                "SIGHTLINE_STATEMENT_TIMEOUT_S must be from 0 to a day of seconds, "
                f"but is {self.statement_timeout_s:g}"
            )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the variables that begin with `SIGHTLINE_`, and `XDG_RUNTIME_DIR`.

        An empty variable counts as not set.

        Raises:
            SightlineError: A value makes no sense.

        >>> Settings.from_environment({"SIGHTLINE_OFFLINE": "1"}).offline
        True
        """
        switch = environ.get("SIGHTLINE_OFFLINE", "")
        if switch.lower() not in _SWITCH:
            raise SightlineError(f"SIGHTLINE_OFFLINE must be 1 or 0, but is {switch!r}")
        url = environ.get("SIGHTLINE_MODEL_BASE_URL") or None
        if url is not None and not url.startswith(("https://", "http://")):
            raise SightlineError(f"SIGHTLINE_MODEL_BASE_URL must be a web address, but is {url!r}")
        cache_dir = environ.get("SIGHTLINE_CACHE_DIR")
        data_dir = environ.get("SIGHTLINE_DATA_DIR")
        return cls(
            cache_dir=Path(cache_dir).expanduser() if cache_dir else _default_cache_dir(),
            offline=_SWITCH[switch.lower()],
            model_base_url=url,
            runtime_dir=_runtime_dir(environ),
            data_dir=Path(data_dir).expanduser() if data_dir else _default_data_dir(),
            artifacts_url=environ.get("SIGHTLINE_ARTIFACTS_URL") or None,
            server_url=environ.get("SIGHTLINE_SERVER_URL") or _DEFAULT_SERVER_URL,
            server_key=environ.get("SIGHTLINE_SERVER_KEY") or None,
            database_url=environ.get("SIGHTLINE_DATABASE_URL") or None,
            broker_url=environ.get("SIGHTLINE_BROKER_URL") or None,
            statement_timeout_s=_statement_timeout_s(environ),
        )


def _statement_timeout_s(environ: Mapping[str, str]) -> float:
    text = environ.get("SIGHTLINE_STATEMENT_TIMEOUT_S")
    try:
        return float(text) if text else _STATEMENT_TIMEOUT_S
    except ValueError:
        raise SightlineError(
            f"SIGHTLINE_STATEMENT_TIMEOUT_S must be a number of seconds, but is {text!r}"
        ) from None


def _runtime_dir(environ: Mapping[str, str]) -> Path:
    if folder := environ.get("SIGHTLINE_RUNTIME_DIR"):
        return Path(folder).expanduser().absolute()
    if folder := environ.get("XDG_RUNTIME_DIR"):
        return Path(folder, "sightline")
    return _default_runtime_dir()
