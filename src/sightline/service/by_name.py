"""Jobs that other programs submit by the name of a Celery task, instead of over HTTP.

    application.send_task("sightline.process", args=["https://example.org/yard.mp4"])

They are checked as a request is. They belong to nobody, as those of a service without keys: who can
write to the broker is an operator.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sightline.errors import SightlineError
from sightline.service.problems import ProblemError
from sightline.service.requests import JobRequest
from sightline.service.submission import SourceOfJob, idempotency_of, make_job

if TYPE_CHECKING:
    from sightline.jobs.pipelines import Offers
    from sightline.jobs.workplace import Workplace

__all__ = ["MESSAGE_LABEL", "BadSubmissionError", "Submissions"]

_log = logging.getLogger(__name__)

MESSAGE_LABEL = "celery_task_id"
"""Label of such a job: the id of the message, by which the sender finds it."""


class BadSubmissionError(SightlineError, ValueError):
    """What another program asks for cannot be a job."""


class Submissions:
    """Makes jobs of messages.

    Args:
        offers: What may be chosen.
    """

    def __init__(self, offers: Offers) -> None:
        self._offers = offers

    def __call__(self, place: Workplace, fields: dict[str, Any], message_id: str) -> str:
        """Accept a job, once for all copies of a message; return its id.

        Args:
            place: Where.
            fields: Those of `POST /v1/jobs`.
            message_id: Of the message.

        Raises:
            BadSubmissionError: The fields make no job.
        """
        labels = {**fields.get("labels", {}), MESSAGE_LABEL: message_id}
        try:
            asked = JobRequest.model_validate({**fields, "labels": labels})
            source = SourceOfJob(url=asked.source_url, upload=asked.upload)
            job = make_job(self._offers, asked, source, owner_id="", now_s=place.clock())
        except (ValidationError, ProblemError) as error:
            raise BadSubmissionError(f"cannot submit {fields!r}: {error}") from error
        added = place.store.add(job, idempotency=idempotency_of(message_id, asked))
        _log.info("job submitted by name job=%s message=%s", added.id, message_id)
        return added.id
