"""Every frame once, in order: with many handlers, several streams, drops and failures."""

import pytest
from tests.graph_stages import (
    Box,
    Count,
    Numbered,
    Pause,
    Read,
    Refuse,
    RefuseInOrder,
    Renew,
)
from tests.graph_witness import Notes, outcomes
from tests.lengths import short_or_long

from sightline.pipeline.per_object import PerObject
from sightline.pipeline.stream_spec import StreamSpec

MANY = short_or_long(4_000, 25_000)


def expected(count, *, drop=7, fail=11):
    """Which numbers `Refuse` lets through, drops and fails on."""
    failed = [seq for seq in range(count) if seq % fail == fail - 1]
    dropped = [seq for seq in range(count) if seq % drop == drop - 1 and seq not in failed]
    passed = [seq for seq in range(count) if seq not in failed and seq not in dropped]
    return passed, dropped, failed


def test_eight_handlers_of_random_delay_keep_every_stream_in_order_and_complete(graphs):
    notes = Notes()
    streams = {f"s{n}": 100 + 30 * n for n in range(4)}
    report = graphs.run(
        [Renew(), Read(), Pause(0.01), Refuse(), Renew(granted=False), Count()],
        [Numbered(name, count) for name, count in streams.items()],
        [notes],
        handlers=8,
    )

    for name, count in streams.items():
        passed, dropped, failed = expected(count)
        of_stream = report.streams[name]
        assert notes.seqs(name) == passed
        assert [shown for _, shown, _ in notes.streams[name].lines] == passed
        assert [data["read"] for data in notes.data(name)] == passed
        assert [data["count"] for data in notes.data(name)] == list(range(1, len(passed) + 1))
        assert of_stream.run.dropped == {"refuse": len(dropped)}
        assert [failure.seq for failure in of_stream.run.failed] == failed
        assert of_stream.admitted == outcomes(of_stream) == count
        assert of_stream.ended
        assert not of_stream.complete
    assert report.duplicates == 0
    assert report.handler_restarts == 0


def test_frames_refused_by_a_stage_in_order_are_counted_once(graphs):
    notes = Notes()
    report = graphs.run(
        [Read(), RefuseInOrder(), Count()], [Numbered("a", 150)], [notes], handlers=3
    )

    passed, dropped, failed = expected(150)
    assert notes.seqs("a") == passed
    assert report.streams["a"].run.dropped == {"refuseinorder": len(dropped)}
    assert [failure.seq for failure in report.streams["a"].run.failed] == failed


def test_very_many_frames_of_several_streams_arrive_once_and_in_order(graphs):
    notes = Notes()
    streams = [f"s{n}" for n in range(4)]
    report = graphs.run(
        [Refuse(drop=10, fail=100)],
        [Numbered(name, MANY, shape=(2, 4, 3)) for name in streams],
        [notes],
        handlers=8,
    )

    passed, dropped, failed = expected(MANY, drop=10, fail=100)
    for name in streams:
        assert notes.seqs(name) == passed
        assert report.streams[name].run.dropped == {"refuse": len(dropped)}
        assert report.streams[name].failures == {"refuse": len(failed)}
    print(f"{report.as_dict()['frames_per_second']} frames/s")  # noqa: T201


@pytest.mark.parametrize("stages", [[Count()], [Count(), Read()]], ids=["one", "two"])
def test_a_pipeline_without_work_for_handlers_loses_no_frame_while_sources_open(
    graphs, tmp_path, stages
):
    from tests.graph_stages import SlowToOpen
    from tests.graph_witness import until

    flag = tmp_path / "open"
    notes = Notes()
    run = graphs.start(
        stages, [Numbered("quick", 40), SlowToOpen(flag, name="slow", count=40)], [notes]
    )
    until(lambda: run.stats()["under_way"].get("quick", 0) > 0 or "quick" in run.stats()["streams"])
    flag.touch()
    assert run.wait(60)

    for name in ("quick", "slow"):
        assert notes.seqs(name) == list(range(40))
        assert [data["count"] for data in notes.data(name)] == list(range(1, 41))
        assert run.report.streams[name].run.frames == 40


def test_streams_of_the_same_name_are_told_apart(graphs):
    notes = Notes()
    report = graphs.run(
        [Read(), Count()], [Numbered("cam", 60), Numbered("cam", 80)], [notes], handlers=2
    )

    assert sorted(report.streams) == ["cam", "cam-2"]
    lengths = sorted(len(notes.seqs(name)) for name in report.streams)
    assert lengths == [60, 80]
    for name in report.streams:
        assert notes.seqs(name) == list(range(len(notes.seqs(name))))
        assert notes.data(name)[-1]["count"] == len(notes.seqs(name))


@pytest.mark.parametrize("service", [0.6, 1.2], ids=lambda part: f"{part} of the budget")
@pytest.mark.parametrize("is_per_object", [False, True], ids=["frames", "objects"])
def test_under_steady_overload_frames_arrive_though_each_takes_as_long_as_they_may_wait(
    graphs, service, is_per_object
):
    notes = Notes()
    pause = Pause(service * 0.2, exact=True)
    report = graphs.run(
        [Box(), PerObject(pause)] if is_per_object else [pause],
        [StreamSpec(Numbered("cam", 60), rate=25, mode="auto", staleness_s=0.2)],
        [notes],
        handlers=2,
    )
    cam = report.streams["cam"]
    assert cam.drops
    # Two handlers can do 40 or 20 of them; on a slow machine fewer, but not next to none.
    assert len(notes.seqs("cam")) >= 8
    assert notes.seqs("cam") == sorted(notes.seqs("cam"))
    assert outcomes(cam) == cam.admitted
