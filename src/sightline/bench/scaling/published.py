"""The costs of the published predictions, as `sightline bench scaling --measure` found them."""

from __future__ import annotations

from sightline.bench.scaling.parameters import Costs

__all__ = ["PUBLISHED"]

PUBLISHED = Costs(
    frame_s=0.01948,
    chunk_s=0.00897,
    chunk_wait_s=0.04138,
    claim_s=0.006287,
    renew_s=0.00209,
    finish_s=0.002143,
    message_s=0.00056,
    final_chunk_s=0.004867,
    final_frame_s=0.000449,
    ingest_s=0.7018,
    ingest_frame_s=0.0000569,
    video_frame_bytes=4272.0,
    result_frame_bytes=297.0,
)
