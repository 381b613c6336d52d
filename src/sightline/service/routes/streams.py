"""The real-time graphs that run on this machine: what their streams do right now."""

import logging
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from sightline.errors import GraphError
from sightline.graph.runs import ControlClient, RunInfo, list_runs
from sightline.service.answers import json_answer
from sightline.service.responses import StreamList
from sightline.service.visit import Reading

__all__ = ["router"]

_log = logging.getLogger(__name__)

_ANSWER_S = 2.0
_SHOWN = ("mode", "frames", "rate", "drops", "latency", "restarts")

router = APIRouter(prefix="/v1/streams", tags=["streams"], default_response_class=Response)


@router.get("", responses={200: {"model": StreamList}})
def list_streams(visit: Reading) -> Response:
    """List the streams of all real-time graphs that run on the machine of the service."""
    base = visit.services.runs
    streams = [] if base is None else [row for run in list_runs(base) for row in _of(run, base)]
    return json_answer({"streams": streams})


def _of(run: RunInfo, base: Path) -> list[dict[str, Any]]:
    try:
        with ControlClient(run.run_id, base, timeout_s=_ANSWER_S) as client:
            streams: dict[str, dict[str, Any]] = client.stats()["streams"]
    except GraphError as error:  # it ended just now
        _log.info("run left out run=%s reason=%s", run.run_id, error)
        return []
    return [
        {
            "name": name,
            "run": run.run_id,
            "failed": sum(stats.get("failures", {}).values()),
            "over": bool(stats.get("ended")),
            **{key: stats[key] for key in _SHOWN if key in stats},
        }
        for name, stats in streams.items()
    ]
