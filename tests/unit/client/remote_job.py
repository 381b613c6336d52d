"""A job as a service describes it."""

__all__ = ["job_document"]


def job_document(**changes):
    return {
        "id": "j1",
        "status": "queued",
        "terminal": False,
        "version": 1,
        "source": {"name": "street.mp4"},
        "progress": {},
        "partial": False,
        "error": None,
        "warnings": [],
        **changes,
    }
