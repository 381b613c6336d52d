"""Every `sightline …` in the files of a deployment is a command that there is, with its options."""

import shlex

import pytest
from click import Group, UsageError
from click.testing import CliRunner
from tests.deployment import DEPLOY, ROOT, pods, shell_words

from sightline.cli.app import app
from sightline.jobs import states

PAGES = [ROOT / "docs" / "how-to" / "deploy.md", DEPLOY / "helm" / "sightline" / "README.md"]


def parse(arguments):
    """Parse a command line with the real command, and do nothing."""
    command, words = app, list(arguments)
    context = app.make_context("sightline", [], resilient_parsing=True)
    while isinstance(command, Group):
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name!r}"
        command = found
    command.make_context(command.name, words)


def of_compose(compose):
    for service in compose["services"].values():
        entrypoint = service.get("entrypoint") or []
        if service["image"] == "sightline" and not entrypoint:
            yield service["command"]
        elif "ensure-key" in entrypoint:
            yield ["keys", "create", *service["command"][1:]]


def of_pods(objects):
    for template in pods(objects).values():
        yield template["spec"]["containers"][0]["args"]


def of_pages():
    for page in PAGES:
        for words in shell_words(page.read_text(encoding="utf-8")):
            if words[0] == "sightline":
                yield words[1:]
            elif words[:3] == ["docker", "compose", "run"] and "api" in words:
                yield words[words.index("api") + 1 :]
            elif "--" in words and "sightline" in words:
                begin = words.index("sightline", words.index("--")) + 1
                end = words.index("|") if "|" in words else len(words)
                yield words[begin:end]


@pytest.mark.parametrize("where", ["compose", "manifests", "chart", "pages"])
def test_commands_and_their_options_exist(where, request):
    found = {
        "compose": lambda: of_compose(request.getfixturevalue("compose")),
        "manifests": lambda: of_pods(request.getfixturevalue("plain")),
        "chart": lambda: of_pods(request.getfixturevalue("rendered")()),
        "pages": of_pages,
    }[where]
    lines = list(found())
    assert len(lines) >= 3
    for line in lines:
        try:
            parse(line)
        except UsageError as error:
            pytest.fail(f"sightline {shlex.join(line)}: {error.format_message()}")


def test_workers_together_serve_every_queue(compose, plain, rendered):
    for objects in (plain, rendered()):
        served = [
            args[args.index("--queues") + 1].split(",")
            for args in of_pods(objects)
            if args[0] == "worker"
        ]
        assert sorted(name for names in served for name in names) == sorted(states.Queue)
    assert "--queues" not in compose["services"]["worker"]["command"]


@pytest.mark.parametrize("broker", ["redis://:secret@redis:6379/0", "amqp://a:b@rabbitmq:5672/"])
def test_workers_accept_their_settings_with_either_broker(broker, compose, plain, rendered):
    for args in (*of_compose(compose), *of_pods(plain), *of_pods(rendered())):
        if args[0] == "worker":
            environ = {"SIGHTLINE_BROKER_URL": broker}
            result = CliRunner().invoke(app, [*args, "--check"], env=environ)
            assert result.exit_code == 0, f"{args}: {result.output}"
