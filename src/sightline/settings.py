"""Settings of the machine and the user, read from the environment once, at an entry point."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Settings"]

_SWITCH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}


def _default_cache_dir() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("sightline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where files are kept and what may be fetched.

    Attributes:
        cache_dir: Folder of downloaded models; made when needed.
        offline: Never open a network connection to fetch a model.
        model_base_url: Fetch catalogue models from this URL plus their file name, and from nowhere
            else; None: from where their publishers keep them.
    """

    cache_dir: Path = field(default_factory=_default_cache_dir)
    offline: bool = False
    model_base_url: str | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read `SIGHTLINE_CACHE_DIR`, `SIGHTLINE_OFFLINE` and `SIGHTLINE_MODEL_BASE_URL`.

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
        folder = environ.get("SIGHTLINE_CACHE_DIR")
        return cls(
            cache_dir=Path(folder).expanduser() if folder else _default_cache_dir(),
            offline=_SWITCH[switch.lower()],
            model_base_url=url,
        )
