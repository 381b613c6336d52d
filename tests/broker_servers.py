"""Real brokers for tests, each in a folder and on a port of its own; they may be killed."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import amqp
import redis
from tests.graph_witness import until

__all__ = ["RabbitServer", "RedisServer", "free_port", "is_there"]

_PATIENCE_S = 120
_TICK_MS = 1000
"""How often RabbitMQ looks for messages that were not acknowledged."""


def free_port():
    """Find a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class _Server:
    """A process that is started, killed, and started again on the same port and folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._process = None

    def start(self):
        """Start it, and wait until it answers."""
        self.launch()
        self.wait_until_ready()

    def launch(self):
        with (self.folder / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.folder,
                env={**os.environ, **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self):
        until(self._answers_or_is_dead, _PATIENCE_S)
        assert self._process.poll() is None, (self.folder / "output.txt").read_text()

    def kill(self):
        """Kill it with everything that it started, and wait for its end."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def freeze(self):
        """Have it stand still, connections and all, until `thaw`."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self):
        os.killpg(self._process.pid, signal.SIGCONT)

    def _answers_or_is_dead(self):
        return self._process.poll() is not None or self._answers()

    def _environment(self):
        return {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()


class RedisServer(_Server):
    """Redis, from Debian's `redis-server`; forgets everything when it is killed."""

    package = "redis-server"
    program = "redis-server"

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def empty(self):
        """Forget everything."""
        with redis.Redis(port=self.port) as client:
            client.flushall()

    def _command(self):
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        return [self.program, *(part for k, v in options.items() for part in (f"--{k}", str(v)))]

    def _answers(self):
        with suppress(redis.RedisError), redis.Redis(port=self.port) as client:
            return client.ping()
        return False


class RabbitServer(_Server):
    """RabbitMQ, from Debian's `rabbitmq-server`; durable queues outlive its death.

    Args:
        folder: Where it keeps everything.
        takes_back_s: How long it waits for a message to be acknowledged; after that it closes the
            channel.
    """

    package = "rabbitmq-server"
    program = "/usr/lib/rabbitmq/bin/rabbitmq-server"

    def __init__(self, folder, *, takes_back_s=1800.0):
        super().__init__(folder)
        self._takes_back_s = takes_back_s
        self._node = f"sightline-{secrets.token_hex(4)}@localhost"
        self._distribution_port, self._names_port = free_port(), free_port()
        self._host = "/"

    @property
    def url(self):
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{self._host}"

    def empty(self):
        """Forget everything there is in queues."""
        with amqp.Connection(f"127.0.0.1:{self.port}") as connection:
            channel = connection.channel()
            for queue in ("ingest", "detect", "finalize", "interactive", "celery"):
                channel.queue_declare(queue, durable=True, auto_delete=False)
                channel.queue_purge(queue)

    def kill(self):
        super().kill()
        # Erlang's names are served by a daemon that outlives whoever has started it.
        until(self._names_are_gone, _PATIENCE_S)

    def _names_are_gone(self):
        end = ["epmd", "-port", str(self._names_port), "-kill"]
        said = subprocess.run(end, capture_output=True, text=True, check=False).stdout
        return "Killed" in said or "Cannot connect" in said or not said

    def _command(self):
        return [self.program]

    def _environment(self):
        folder = str(self.folder)
        return {
            "HOME": folder,
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": folder,
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none.conf",
            "RABBITMQ_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 "
            f"-rabbit consumer_timeout {self._takes_back_s * 1000:.0f} "
            f"-rabbit channel_tick_interval {_TICK_MS}",
        }

    def _answers(self):
        with suppress(OSError, amqp.AMQPError), amqp.Connection(f"127.0.0.1:{self.port}"):
            return True
        return False


def is_there(server):
    """Say whether a kind of server is installed."""
    return shutil.which(server.program) is not None
