"""What clients may ask for: the bodies of requests. Unknown fields are refused."""

from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

__all__ = [
    "DEFAULT_OUTPUTS",
    "LABEL_NAME",
    "MOST_LABELS",
    "SHORTHANDS",
    "TEXT",
    "JobOptions",
    "JobRequest",
    "LabelFilter",
    "OutputFormat",
    "PushForm",
]

OutputFormat = Literal["tracks", "jsonl", "csv", "mot", "coco", "parquet", "video"]
"""Those of `pipeline.outputs.ALL_FORMATS`."""

DEFAULT_OUTPUTS: tuple[OutputFormat, ...] = ("tracks", "jsonl", "csv", "mot", "coco")
"""Without what needs another extra, or takes much time."""

SHORTHANDS = ("detector", "tracker", "classes", "confidence", "nms")
"""Parameters that may stand beside `params`, instead of it."""

MOST_LABELS = 20
"""That a job may have, and that jobs may be looked for by."""
LABEL_NAME = r"^[A-Za-z0-9_.-]{1,63}$"
_WEB_ADDRESS = r"""^https?://[!"$-.0->@-Z^-~]{1,300}([/?#][!-\[\]-~]*)?$"""
"""Printable ASCII; the host is a name or an IPv4 address."""
TEXT = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""Text for people: without control characters, which terminals would obey."""


def _as_json_schema_counts(value: Any) -> Any:
    """Take 3.0 for the whole number that it is in JSON Schema."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _or_say(message: str) -> WrapValidator:
    """Refuse with a sentence for people, instead of one that shows the pattern."""

    def check(value: Any, is_valid: ValidatorFunctionWrapHandler) -> str:
        try:
            return cast("str", is_valid(value))
        except ValidationError:
            raise ValueError(message) from None

    return WrapValidator(check)


WebAddress = Annotated[
    str,
    StringConstraints(pattern=_WEB_ADDRESS, max_length=2000),
    _or_say(
        "must be an http:// or https:// address of at most 2000 characters, "
        "such as https://example.org/street.mp4"
    ),
]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=TEXT),
    _or_say("must have 1 to 200 characters, none of them a control character"),
]
LabelName = Annotated[
    str,
    StringConstraints(pattern=LABEL_NAME),
    _or_say("the name of a label must have 1 to 63 letters, digits, dots, dashes or underscores"),
]
LabelValue = Annotated[
    str,
    StringConstraints(max_length=200, pattern=TEXT),
    _or_say("must have at most 200 characters, none of them a control character"),
]
LabelFilter = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,63}:[^\x00]*$"),
    _or_say("must be NAME:VALUE, the name and the value of a label, such as site:north"),
]
UploadId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-z][0-9a-z-]{0,63}$"),
    _or_say("must be the id of an upload, as `POST /v1/uploads` gives it"),
]
WholeNumber = Annotated[int, BeforeValidator(_as_json_schema_counts)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class JobOptions(_Strict):
    """How to do a job; the `job` part of a form that brings the video along."""

    source_name: Name | None = Field(default=None, description="What to call the video.")
    pipeline: str = Field(default="detect-track", description="Of `GET /v1/pipelines`.")
    params: dict[str, Any] = Field(default={}, description="Of the pipeline, by its schema.")
    detector: Any = Field(default=None, description="Short for this parameter.")
    tracker: Any = Field(default=None, description="Short for this parameter.")
    classes: Any = Field(default=None, description="Short for this parameter.")
    confidence: Any = Field(default=None, description="Short for this parameter.")
    nms: Any = Field(default=None, description="Short for this parameter.")
    start_s: float = Field(default=0.0, ge=0, le=1e7, description="Leave out what comes earlier.")
    end_s: float | None = Field(
        default=None, gt=0, le=1e7, description="Leave out what comes later."
    )
    outputs: Annotated[list[OutputFormat], Field(max_length=7)] = Field(
        default=list(DEFAULT_OUTPUTS), description="Which results to make."
    )
    max_failures: WholeNumber = Field(
        default=0, ge=0, le=1_000_000_000, description="Frames that may fail before the job does."
    )
    labels: Annotated[dict[LabelName, LabelValue], Field(max_length=MOST_LABELS)] = Field(
        default={}, description="Your own names and values, to find the job again."
    )
    webhook_url: WebAddress | None = Field(default=None, description="Told of the end.")
    priority: Literal["normal", "interactive"] = Field(
        default="normal", description="interactive: before all that are normal."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError("end_s must be greater than start_s")
        if self.params and self.shorthands:
            raise ValueError(
                f"{', '.join(self.shorthands)} may stand beside params or in it, not both"
            )
        return self

    @property
    def shorthands(self) -> dict[str, Any]:
        """The parameters that stand beside `params`."""
        given = {name: getattr(self, name) for name in SHORTHANDS}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def given_params(self) -> dict[str, Any]:
        """The parameters, wherever they stand."""
        return {**self.params, **self.shorthands}


class JobRequest(JobOptions):
    """A job on a video that is at an address, or was uploaded before."""

    source_url: WebAddress | None = Field(default=None, description="Where to fetch the video.")
    upload: UploadId | None = Field(default=None, description="Id of a finished upload.")

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.source_url is None) == (self.upload is None):
            raise ValueError("give either source_url or upload")
        return self


class PushForm(_Strict):
    """The short form."""

    source_name: Name
    source_url: WebAddress
