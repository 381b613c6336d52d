"""The OpenAPI document: what FastAPI knows of the routes, and what it cannot know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from sightline.service.answers import problems
from sightline.service.requests import LABEL_NAME, SHORTHANDS, TEXT, JobOptions, JobRequest
from sightline.service.responses import Problem
from sightline.version import __version__

if TYPE_CHECKING:
    from fastapi import FastAPI

    from sightline.jobs.pipelines import Offer, Offers

__all__ = ["describe"]

_TAGS = [
    {"name": "jobs", "description": "Submit videos, and watch what becomes of them."},
    {"name": "results", "description": "Tracks, detections, counts, files."},
    {"name": "uploads", "description": "Resumable uploads (tus 1.0)."},
    {"name": "pipelines", "description": "What can be done with a video."},
    {"name": "streams", "description": "Real-time graphs that run on this machine."},
    {"name": "short form", "description": "Submit and look, nothing more."},
    {"name": "session", "description": "Who makes requests."},
    {"name": "operation", "description": "For those who run the service."},
]
_NULL = {"type": "null"}
_ANYWHERE = (401, 403, 421, 422, 429, 500, 503)
_SUMMARY = "Detect and track the objects of videos, as jobs"


def describe(application: FastAPI, offers: Offers) -> dict[str, Any]:
    """Make the document.

    Args:
        application: Has all routes.
        offers: The pipelines, whose parameters become part of the document.
    """
    document = get_openapi(
        title="Sightline",
        version=__version__,
        summary=_SUMMARY,
        routes=application.routes,
        tags=_TAGS,
    )
    components = document.setdefault("components", {})
    _, models = models_json_schema(
        [(JobOptions, "validation"), (JobRequest, "validation"), (Problem, "serialization")],
        ref_template="#/components/schemas/{model}",
    )
    schemas = components.setdefault("schemas", {})
    schemas.update(models["$defs"])
    for name in ("JobOptions", "JobRequest"):
        _complete(schemas[name], offers)
    schemas["JobRequest"]["oneOf"] = [_only("source_url", "upload"), _only("upload", "source_url")]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path in document["paths"].values():
        for operation in path.values():
            _add_problems(operation)
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    return document


def _add_problems(operation: dict[str, Any]) -> None:
    """Describe what any route may answer, instead of what FastAPI would."""
    responses = operation["responses"]
    responses.pop("422", None)
    body = (400, 408, 413) if "requestBody" in operation else ()
    for status, described in problems(*_ANYWHERE, *body).items():
        responses.setdefault(str(status), described)


def _only(given: str, absent: str) -> dict[str, Any]:
    return {
        "required": [given],
        "properties": {given: {"type": "string"}, absent: {"type": "null"}},
    }


def _complete(schema: dict[str, Any], offers: Offers) -> None:
    """Say of a job's options what depends on the pipelines."""
    properties = schema["properties"]
    properties["labels"]["propertyNames"] = {"pattern": LABEL_NAME}
    properties["labels"].pop("patternProperties", None)
    properties["labels"]["additionalProperties"] = {
        "type": "string",
        "maxLength": 200,
        "pattern": TEXT,
    }
    properties["pipeline"] = {
        "enum": [offer.name for offer in offers],
        "default": offers.default.name,
    }
    in_one_place = [
        {"properties": {"params": {"maxProperties": 0}}},
        {"properties": dict.fromkeys(SHORTHANDS, _NULL)},
    ]
    schema["allOf"] = [
        {"anyOf": in_one_place},
        *(_parameters(offer, is_default=offer is offers.default) for offer in offers),
    ]


def _parameters(offer: Offer, *, is_default: bool) -> dict[str, Any]:
    """Say which parameters there are if a pipeline is chosen."""
    chosen: dict[str, Any] = {"properties": {"pipeline": {"const": offer.name}}}
    if not is_default:
        chosen["required"] = ["pipeline"]
    known = offer.schema["properties"]
    own = {key: value for key, value in offer.schema.items() if key != "$schema"}
    beside = {name: _or_null(known[name]) if name in known else _NULL for name in SHORTHANDS}
    rules = [_beside(rule) for rule in offer.schema.get("allOf", ())]
    return {"if": chosen, "then": {"properties": {"params": own, **beside}, "allOf": rules}}


def _or_null(rule: Any) -> dict[str, Any]:
    return {"anyOf": [rule, _NULL]}


def _beside(rule: dict[str, Any]) -> dict[str, Any]:
    """Say of the shorthands what a pipeline's schema says of parameters: null stands for none."""
    return {
        key: {"properties": {name: _NULL for name in part["properties"] if name in SHORTHANDS}}
        if key != "if"
        else part
        for key, part in rule.items()
    }
