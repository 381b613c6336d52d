"""For `celery --app sightline.broker.entry …`, such as Flower: an application that looks on.

Whatever joins a Redis broker must have the settings of the workers: with those of its own it would
hand messages out again that are worked on. The broker is `SIGHTLINE_BROKER_URL`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sightline.broker.application import make_celery
from sightline.broker.options import BrokerError, BrokerOptions
from sightline.settings import Settings

if TYPE_CHECKING:
    from celery import Celery

__all__ = ["app"]

app: Celery
"""Made when it is asked for."""


def __getattr__(name: str) -> Celery:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    url = Settings.from_environment(os.environ).broker_url
    if url is None:
        raise BrokerError("say where the broker is: SIGHTLINE_BROKER_URL")
    return make_celery(BrokerOptions(url=url))
