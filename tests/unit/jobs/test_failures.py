import errno
import logging

import cv2
import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from sightline.errors import (
    DownloadError,
    MediaError,
    MissingExtraError,
    ModelError,
    OutputError,
    PipelineError,
    StageError,
)
from sightline.fetch.errors import FetchCode, FetchError
from sightline.jobs.failures import FAILURE_CODES, failure_of
from sightline.jobs.limits import LimitError
from sightline.jobs.rules import WORKER_LOST
from sightline.jobs.sniff import SourceError


def caused(error, cause):
    error.__cause__ = cause
    return error


def refused_by_onnx_runtime():
    """Give the error with which ONNX Runtime says that there is no memory: not for 400 TB."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [10**7, 10**7])
    graph = helper.make_graph(
        [helper.make_node("Expand", ["x", "shape"], ["y"])],
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [shape],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    with pytest.raises(Exception, match=r"memory|alloc") as caught:
        session.run(None, {"x": np.ones(1, np.float32)})
    return caught.value


def refused_by_opencv():
    """Give the error with which OpenCV says that there is no memory."""
    with pytest.raises(cv2.error) as caught:
        cv2.copyMakeBorder(np.zeros((1, 1), np.uint8), 2**30, 2**30, 2**30, 2**30, 0)
    return caught.value


@pytest.mark.parametrize(
    ("error", "code", "again"),
    [
        (MediaError("x"), "source-unreadable", False),
        (DownloadError("x"), "model-unavailable", True),
        (ModelError("x"), "model-unusable", False),
        (PipelineError("x"), "pipeline-invalid", False),
        (StageError("x", stage="s", seq=1), "stage-failed", False),
        (OutputError("x"), "output-failed", False),
        (MissingExtraError("x"), "feature-missing", False),
        (SourceError("x", code="source-over-limit"), "source-over-limit", False),
        (FetchError("x", code=FetchCode.NOT_FOUND), "source-not-found", False),
        (FetchError("x", code=FetchCode.UNREACHABLE, again=True), "source-unreachable", True),
        (FetchError("x", code=FetchCode.NO_SPACE), "storage-full", False),
        (MemoryError(), "out-of-memory", True),
        (caused(StageError("x", stage="s", seq=1), MemoryError()), "out-of-memory", True),
        (LimitError("x", code="too-many-tracks"), "too-many-tracks", False),
        (LimitError("x", code="too-many-objects"), "too-many-objects", False),
        (OSError(errno.ENOSPC, "x"), "storage-full", True),
        (OSError(errno.EFBIG, "x"), "storage-full", True),
        (caused(OutputError("x"), OSError(errno.EDQUOT, "x")), "storage-full", True),
        (RuntimeError("x"), "internal-error", True),
    ],
)
def test_every_kind_of_error_has_a_code(error, code, again):
    failure, is_worth_another = failure_of(error)
    assert (failure.code, is_worth_another) == (code, again)


@pytest.mark.parametrize("refused", [refused_by_opencv, refused_by_onnx_runtime])
def test_a_library_that_is_refused_memory_has_run_out_of_memory(refused):
    failure, is_worth_another = failure_of(caused(StageError("x", stage="s", seq=1), refused()))
    assert (failure.code, is_worth_another) == ("out-of-memory", True)


def test_every_reason_of_a_failed_download_has_a_code():
    for code in FetchCode:
        assert failure_of(FetchError("x", code=code))[0].code in FAILURE_CODES


def test_the_code_of_a_dead_worker_is_in_the_table():
    assert WORKER_LOST.code in FAILURE_CODES


def test_a_message_names_the_video_as_the_client_does_and_no_other_file():
    error = MediaError("cannot open '/data/jobs/1/source': see /etc/sightline/x.yaml, line 3")
    failure, _ = failure_of(error, names={"/data/jobs/1/source": "holiday.mp4"})
    assert failure.message == "cannot open 'holiday.mp4': see (a file), line 3"


def test_a_message_keeps_its_addresses_and_fractions():
    error = FetchError("https://a.example/b/c.mp4 gave 3/4 of it", code=FetchCode.INTERRUPTED)
    assert failure_of(error)[0].message == "https://a.example/b/c.mp4 gave 3/4 of it"


def test_what_a_defect_says_stays_in_the_log(caplog):
    with caplog.at_level(logging.ERROR):
        failure, _ = failure_of(RuntimeError("password 1234"))
    assert "1234" not in failure.message
    assert "1234" in caplog.text
