from tests.job_fixtures import service, street

__all__ = ["service", "street"]
