"""For those who run the service: is it alive, is it ready, what does it measure."""

import logging
import shutil

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from sightline.errors import SightlineError
from sightline.service.answers import json_answer
from sightline.service.problems import ProblemError
from sightline.service.responses import Health
from sightline.service.services import Services
from sightline.service.visit import Measuring

__all__ = ["router"]

_log = logging.getLogger(__name__)

router = APIRouter(tags=["operation"], default_response_class=Response)


@router.get("/livez", responses={200: {"model": Health}})
async def tell_alive() -> Response:
    """Tell that the process answers."""
    return json_answer({"status": "ok"})


@router.get("/readyz", responses={200: {"model": Health}})
def tell_ready(request: Request) -> Response:
    """Tell whether database, workers and disk are there; 503 if not."""
    services: Services = request.app.state.services
    missing = _missing(services)
    if missing:
        raise ProblemError("unavailable", "; ".join(missing), headers={"retry-after": "5"})
    return json_answer({"status": "ok"})


@router.get(
    "/metrics",
    responses={
        200: {
            "description": "In the format of Prometheus",
            "content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}},
        },
    },
)
def show_metrics(visit: Measuring) -> Response:
    """Show what the service measures."""
    return Response(
        visit.request.app.state.metrics.text(),
        headers={"content-type": CONTENT_TYPE_LATEST, "cache-control": "no-store"},
    )


def _missing(services: Services) -> list[str]:
    missing = []
    try:
        services.store.count()
    except (SightlineError, OSError) as error:
        # What it says may name user, host and path; who asks here needs no key.
        _log.warning("not ready: the database does not answer: %s", error)
        missing.append("the database does not answer")
    if services.executor is not None and not services.executor.is_ready:
        missing.append("no worker runs")
    if shutil.disk_usage(services.storage.root).free < services.free_bytes:
        missing.append("the disk is nearly full")
    return missing
