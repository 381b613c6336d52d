"""The pipelines that can be chosen, with the JSON Schema of their parameters."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from sightline.jobs.pipelines import Offer
from sightline.service.answers import json_answer, problems
from sightline.service.problems import ProblemError
from sightline.service.responses import PipelineList, PipelineView
from sightline.service.visit import Reading, Visit

__all__ = ["router"]

router = APIRouter(prefix="/v1/pipelines", tags=["pipelines"], default_response_class=Response)


@router.get("", responses={200: {"model": PipelineList}})
def list_pipelines(visit: Reading) -> Response:
    """List the pipelines; the first is the default."""
    return json_answer({"pipelines": [_present(visit, offer) for offer in visit.services.offers]})


@router.get("/{name}", responses={200: {"model": PipelineView}, **problems(404)})
def get_pipeline(visit: Reading, name: Annotated[str, Path()]) -> Response:
    """Look at one pipeline."""
    offer = visit.services.offers.get(name)
    if offer is None:
        raise ProblemError("unknown-pipeline", f"there is no pipeline {name!r}")
    return json_answer(_present(visit, offer))


def _present(visit: Visit, offer: Offer) -> dict[str, Any]:
    return {
        "name": offer.name,
        "summary": offer.summary,
        "default": offer is visit.services.offers.default,
        "schema": offer.schema,
        **offer.describe(),
    }
