"""The URL of a store of files: whether it makes sense, and what of it may be shown."""

from __future__ import annotations

from urllib.parse import urlsplit

from sightline.errors import MissingExtraError
from sightline.jobs.artifacts import ArtifactError

__all__ = ["check_url", "secrets_in", "shown"]

_S3 = frozenset({"s3", "s3a"})


def check_url(url: str) -> None:
    """Find out what can be found out without a connection.

    Raises:
        ArtifactError: The URL makes no sense, or names an unknown kind of store.
        MissingExtraError: The extra `s3` is not installed.
    """
    parts, where = urlsplit(url), shown(url)
    if not parts.scheme or "://" not in url or "::" in url:
        raise ArtifactError(f"files are kept at a URL such as s3://bucket/prefix, not {where!r}")
    if parts.scheme in _S3 and (not parts.hostname or "@" in parts.netloc or parts.query):
        raise ArtifactError(
            f"an S3 bucket is named as s3://bucket/prefix, not {where!r}; "
            "credentials and endpoint come from the AWS_* variables of the environment"
        )
    try:
        from fsspec import get_filesystem_class
    except ImportError as error:
        raise MissingExtraError.of(f"Keeping files at {where}", "s3") from error
    try:
        get_filesystem_class(parts.scheme)
    except ImportError as error:
        if parts.scheme in _S3:
            raise MissingExtraError.of(f"Keeping files at {where}", "s3") from error
        raise ArtifactError(f"cannot keep files at {where}: {error}") from error
    except ValueError:
        raise ArtifactError(f"no kind of store is called {parts.scheme!r}: {where}") from None


def shown(url: str) -> str:
    """Take out of a URL what may be secret.

    >>> shown("sftp://ann:secret@host:22/jobs?token=1"), shown("s3://bucket/jobs/")
    ('sftp://host:22/jobs', 's3://bucket/jobs')
    """
    parts = urlsplit(url)
    place = f"{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
    return f"{parts.scheme}://{place}" if parts.scheme else place


def secrets_in(url: str) -> tuple[str, ...]:
    """Name what must not be shown, the longest first."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    found = {url, login, parts.password, parts.query} if login or parts.query else set()
    return tuple(sorted(filter(None, found), key=len, reverse=True))
