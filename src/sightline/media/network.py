"""Opens videos and live streams over the network; user and password stay out of all messages."""

from __future__ import annotations

import errno
import ssl
from typing import TYPE_CHECKING

import av

from sightline.errors import MediaError
from sightline.media.container import ContainerSource, Origin
from sightline.media.failures import cause
from sightline.media.files import VIDEO_FORMATS
from sightline.media.naming import redact, url_name

if TYPE_CHECKING:
    from sightline.media.options import SourceOptions

__all__ = ["NETWORK_SCHEMES", "open_url"]

_HTTP = {
    "protocol_whitelist": "http,https,tcp,tls,crypto",
    "format_whitelist": f"{VIDEO_FORMATS},hls,mpjpeg",
}
_RTSP = {"protocol_whitelist": "rtp,rtsp,rtsps,srtp,tcp,tls,udp", "format_whitelist": "rtsp"}
NETWORK_SCHEMES = {"http": _HTTP, "https": _HTTP, "rtsp": _RTSP, "rtsps": _RTSP}
"""What FFmpeg may open for each scheme: never a local file, whatever a playlist says."""


def open_url(url: str, *, options: SourceOptions) -> ContainerSource:
    """Open a video file, HLS playlist or Motion JPEG stream over HTTP, or a stream over RTSP.

    Of an HLS playlist, FFmpeg checks the certificate of the server of the playlist only.

    Args:
        url: Address with one of `NETWORK_SCHEMES`.
        options: `timeout_s` bounds the wait for an answer, and later for more data.

    Raises:
        MediaError: There is no answer, or no video that can be decoded.
    """
    label = redact(url)
    scheme = url.partition(":")[0].lower()
    if options.has_range and scheme.startswith("rtsp"):
        raise MediaError(f"cannot open {label}: start_s and end_s are for recorded videos")
    settings = {**NETWORK_SCHEMES[scheme], "max_pixels": str(options.max_pixels)}
    if options.verify_tls:
        settings |= _trust()
    if scheme.startswith("rtsp"):
        settings["rtsp_transport"] = options.rtsp_transport
    try:
        container = av.open(
            url, metadata_errors="replace", options=settings, timeout=options.timeout_s
        )
    except av.FFmpegError as error:
        reason = cause(error, timeout_s=options.timeout_s)
        if error.errno == errno.EIO:  # all that FFmpeg says of unknown names and of TLS
            reason = "the server cannot be reached"
            if scheme.endswith("s") and options.verify_tls:
                reason += ", or its certificate is not trusted (verify_tls)"
        raise MediaError(f"cannot open {label}: {reason}") from None
    return ContainerSource(
        container, origin=Origin(label=label, name=url_name(url), live=True), options=options
    )


def _trust() -> dict[str, str]:
    """Have certificates checked against the authorities that Python trusts; FFmpeg has no own."""
    authorities = ssl.get_default_verify_paths().cafile
    return {"tls_verify": "1"} | ({"ca_file": authorities} if authorities else {})
