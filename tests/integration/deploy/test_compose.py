"""`compose.yaml`, as Docker Compose itself reads it; no container runs here."""

import re
import stat

import pytest
from tests.deployment import DEPLOY, ROOT, documents, program, run

PROFILES = {"rabbitmq", "s3", "flower"}
OURS = {"api", "worker", "first-key"}
THEIRS = {"redis", "postgres", "prometheus", "grafana"}


def seconds(text):
    minutes, rest = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", text).groups()
    return 60 * int(minutes or 0) + int(rest or 0)


def argument(command, name):
    return command[command.index(name) + 1]


def test_what_is_started_by_default_is_the_service_with_all_it_needs(environment, missing):
    done = run(
        program("docker-compose", missing),
        *("--env-file", environment, "config", "--services"),
        cwd=ROOT,
    )
    assert set(done.stdout.split()) == OURS | THEIRS, done.stderr


def test_the_rest_is_behind_profiles(compose):
    assert {p for s in compose["services"].values() for p in s.get("profiles", [])} == PROFILES


def test_nothing_starts_without_passwords(missing, tmp_path):
    empty = tmp_path / "env"
    empty.touch()
    done = run(
        program("docker-compose", missing), "--env-file", empty, "config", "--quiet", cwd=ROOT
    )
    assert done.returncode != 0
    assert "run deploy/make-env" in done.stderr


def test_passwords_are_random_and_for_their_owner_alone(environment, tmp_path):
    lines = environment.read_text().splitlines()
    passwords = [line.partition("=")[2] for line in lines if re.match(r"\w+_PASSWORD=", line)]
    assert len(passwords) == len(set(passwords)) == 6
    assert all(re.fullmatch(r"[A-Za-z0-9]{32}", password) for password in passwords)
    assert stat.S_IMODE(environment.stat().st_mode) == 0o600
    other = tmp_path / "env"
    assert run(DEPLOY / "make-env", other).returncode == 0
    assert not set(passwords) & {line.partition("=")[2] for line in other.read_text().splitlines()}


def test_passwords_that_are_there_are_kept(environment):
    before = environment.read_text()
    again = run(DEPLOY / "make-env", environment)
    assert again.returncode == 1
    assert "stays as it is" in again.stderr
    assert environment.read_text() == before


def test_everything_that_compose_reads_is_explained_in_the_example():
    named = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    explained = set(
        re.findall(r"^(?:# )?(\w+)=", (DEPLOY / "env.example").read_text(), re.MULTILINE)
    )
    assert named <= explained


def test_nothing_is_published_beyond_this_machine(compose):
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_nobody_is_privileged_and_our_containers_write_to_volumes_only(compose):
    for name, service in compose["services"].items():
        assert not service.get("privileged")
        assert service.get("network_mode") is None
        assert "docker.sock" not in str(service.get("volumes"))
        if service["image"].startswith("sightline"):
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
            assert "no-new-privileges:true" in service["security_opt"], name


def test_passwords_are_on_no_command_line(compose, environment):
    passwords = re.findall(r"_PASSWORD=(.+)", environment.read_text())
    for name, service in compose["services"].items():
        words = str(service.get("command")) + str(service.get("entrypoint"))
        assert not [secret for secret in passwords if secret in words], name


def test_docker_waits_longer_than_a_worker_may_drain(compose):
    worker = compose["services"]["worker"]
    drain_s = float(argument(worker["command"], "--drain-s"))
    assert seconds(worker["stop_grace_period"]) >= drain_s + 30


def test_workers_can_be_many(compose):
    worker = compose["services"]["worker"]
    assert "container_name" not in worker
    assert "hostname" not in worker
    assert "ports" not in worker


def test_the_first_key_is_there_before_the_interface_listens_beyond_loopback(compose):
    services = compose["services"]
    assert argument(services["api"]["command"], "--host") == "0.0.0.0"
    made = services["api"]["depends_on"]["first-key"]
    assert made["condition"] == "service_completed_successfully"
    assert "ensure-key" in services["first-key"]["entrypoint"]


def test_redis_keeps_messages_over_a_restart_and_evicts_none(compose):
    words = " ".join(compose["services"]["redis"]["command"])
    assert "--appendonly yes" in words
    assert "--maxmemory-policy noeviction" in words


@pytest.mark.parametrize("name", ["api", "worker"])
def test_service_and_workers_share_one_folder_database_and_broker(compose, name):
    service = compose["services"][name]
    assert [v["target"] for v in service["volumes"] if v["source"] == "data"] == [
        "/var/lib/sightline"
    ]
    ours = {k: v for k, v in service["environment"].items() if k.startswith("SIGHTLINE_")}
    other = compose["services"]["api"]["environment"]
    assert ours == {k: v for k, v in other.items() if k.startswith("SIGHTLINE_")}
    assert ours["SIGHTLINE_DATABASE_URL"].startswith("postgresql://sightline:")
    assert ours["SIGHTLINE_BROKER_URL"].startswith("redis://:")


def test_files_that_containers_see_are_there(compose):
    bound = [v for s in compose["services"].values() for v in s["volumes"] if v["type"] == "bind"]
    assert len(bound) == 3
    for volume in bound:
        assert list((ROOT / volume["source"]).iterdir()), volume["source"]
        assert volume["read_only"]


def test_images_have_versions(compose):
    for service in compose["services"].values():
        if "build" not in service:
            assert re.search(r":v?[\w.]*\d", service["image"]), service["image"]


def test_prometheus_may_read_the_key_that_was_made_for_it(compose):
    (scrape,) = documents((DEPLOY / "prometheus" / "prometheus.yml").read_text())[0][
        "scrape_configs"
    ]
    file = compose["services"]["first-key"]["command"][0]
    assert scrape["authorization"]["credentials_file"] == file
    mounted = {v["source"]: v["target"] for v in compose["services"]["prometheus"]["volumes"]}
    assert file.startswith(mounted["keys"] + "/")
    assert compose["services"]["prometheus"]["group_add"] == ["10001"]
