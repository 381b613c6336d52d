import logging

import pytest

from sightline.detect.onnx_runtime import (
    Provider,
    ThreadPlan,
    available_providers,
    choose_providers,
    confirm_provider,
    open_session,
    plan_threads,
)
from sightline.errors import ModelError

CPU = Provider.CPU
CUDA = Provider.CUDA


@pytest.mark.parametrize(
    ("cores", "parallel", "threads", "provider", "expected"),
    [
        (1, None, None, CPU, (1, 1)),
        (2, None, None, CPU, (2, 1)),
        (4, 2, None, CPU, (2, 2)),
        (4, None, 2, CPU, (2, 2)),
        (4, None, 8, CPU, (1, 8)),
        (4, 8, None, CPU, (8, 1)),
        (4, 1, 1, CPU, (1, 1)),
        (32, None, None, CPU, (8, 4)),
        (4, None, None, CUDA, (1, 4)),
        (4, 3, None, CUDA, (3, 1)),
    ],
)
def test_the_cores_are_divided_among_runs(cores, parallel, threads, provider, expected):
    plan = plan_threads(cores, parallel=parallel, threads_per_run=threads, provider=provider)

    assert (plan.parallel, plan.threads_per_run) == expected


@pytest.mark.parametrize(
    ("cores", "parallel", "threads", "provider", "ahead"),
    [
        (2, None, None, CPU, 0),
        (1, None, None, CPU, 0),
        (4, 8, None, CPU, 0),
        (2, 1, 1, CPU, 1),
        (2, 1, None, CPU, 1),
        (32, None, None, CPU, 1),
        (1, None, None, CUDA, 1),
    ],
)
def test_images_are_prepared_ahead_unless_every_core_has_a_run(
    cores, parallel, threads, provider, ahead
):
    plan = plan_threads(cores, parallel=parallel, threads_per_run=threads, provider=provider)

    assert plan.ahead == ahead


def test_the_cpu_is_always_available_and_last():
    assert available_providers()[-1] is CPU


def test_without_a_wish_all_providers_are_tried_in_order_of_preference():
    assert choose_providers(None, (CUDA, CPU)) == (CUDA, CPU)


def test_a_provider_that_is_not_installed_is_an_error_that_lists_those_that_are():
    with pytest.raises(ModelError, match=r"'tensorrt' is not in .* has: cuda, cpu"):
        choose_providers(Provider.TENSORRT, (CUDA, CPU))


def test_a_fall_back_from_the_provider_asked_for_is_an_error():
    with pytest.raises(ModelError, match="'cuda' is installed but cannot be used"):
        confirm_provider(["CPUExecutionProvider"], (CUDA,))


def test_a_fall_back_from_the_provider_chosen_is_logged(caplog):
    with caplog.at_level(logging.WARNING):
        chosen = confirm_provider(["CPUExecutionProvider"], (CUDA, CPU))

    assert chosen is CPU
    assert "provider=cpu preferred=cuda" in caplog.text


def test_the_provider_in_charge_is_the_first_one_that_the_session_reports(caplog):
    assert confirm_provider(["CUDAExecutionProvider", "CPUExecutionProvider"], (CUDA, CPU)) is CUDA
    assert not caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"not a model", r"cannot load the model .*broken\.onnx")],
)
def test_a_file_that_is_no_model_is_an_error_in_one_line(tmp_path, content, message):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)

    with pytest.raises(ModelError, match=message) as caught:
        open_session(path, providers=(CPU,), plan=ThreadPlan(parallel=1, threads_per_run=1))

    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_errors_that_name_them(tmp_path):
    plan = ThreadPlan(parallel=1, threads_per_run=1)

    with pytest.raises(ModelError, match=r"absent\.onnx does not exist"):
        open_session(tmp_path / "absent.onnx", providers=(CPU,), plan=plan)
    with pytest.raises(ModelError, match="is not a file"):
        open_session(tmp_path, providers=(CPU,), plan=plan)
