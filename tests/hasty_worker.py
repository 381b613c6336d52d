"""`sightline worker` that lets go of messages after a second: tests cannot wait for minutes."""

from sightline.cli import worker
from sightline.cli.places import broker_of


def _hasty(settings, **options):
    return broker_of(settings, hold_s=1.0, **options)


if __name__ == "__main__":
    worker.broker_of = _hasty
    worker.command()
