"""An S3 server in a process of its own, and the environment in which tests find it."""

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import uuid

from tests.graph_witness import until

__all__ = ["S3Server"]

_PATIENCE_S = 120


class S3Server:
    """Serves S3 on a free port of loopback until it is closed.

    Attributes:
        url: Its endpoint.
        environment: What programs need to find it.
    """

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": "sightline-tests",
            "AWS_SECRET_ACCESS_KEY": "not-to-be-shown",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        until(self._answers, _PATIENCE_S)

    def bucket(self):
        """Make a bucket, and give its name."""
        name = f"tests-{uuid.uuid4().hex[:16]}"
        request = urllib.request.Request(f"{self.url}/{name}", method="PUT")
        urllib.request.urlopen(request, timeout=30).close()
        return name

    def keys(self, bucket):
        """List the objects of a bucket."""
        with urllib.request.urlopen(f"{self.url}/{bucket}?list-type=2", timeout=30) as answer:
            text = answer.read().decode()
        return sorted(part.partition("</Key>")[0] for part in text.split("<Key>")[1:])

    def close(self):
        self._process.terminate()
        self._process.wait()

    def _answers(self):
        assert self._process.poll() is None, "the server has ended"
        try:
            urllib.request.urlopen(f"{self.url}/moto-api/data.json", timeout=5).close()
        except (urllib.error.URLError, OSError):
            return False
        return True
