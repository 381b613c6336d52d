"""Sources that stall, fail, die, flood or talk nonsense leave the others alone."""

import os

import pytest
from tests.graph_stages import (
    Babbling,
    Boxes,
    Count,
    Dying,
    DyingToOpen,
    Fractional,
    Measure,
    Numbered,
    OpensWhen,
    Pause,
    Previous,
    Raising,
    RaisingOnce,
    Read,
    Renew,
    SlowToOpen,
    Stalling,
)
from tests.graph_witness import (
    PATIENCE_S,
    ListSinks,
    Notes,
    is_dead,
    outcomes,
    processes_of,
    segments_of,
    until,
)

from sightline.errors import GraphError, MediaError, OutputError
from sightline.graph.streams import StreamState
from sightline.pipeline.per_object import PerObject
from sightline.pipeline.stream_spec import StreamSpec


def only(items):
    """Return the items if there is but one."""
    return list(items) if len(items) == 1 else None


class OnlyFor(Notes):
    """Makes no sink but for one stream."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def for_stream(self, stream):
        if stream.name != self.name:
            raise OutputError(f"this is not for {stream.name}")
        return super().for_stream(stream)


STAGES = [Renew(), Read(), Count()]


def check_good(notes, report, name="good", count=120):
    assert notes.seqs(name) == list(range(count))
    assert [data["read"] for data in notes.data(name)] == list(range(count))
    assert report.streams[name].complete


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (Raising(30, name="bad"), "the cable was pulled"),
        (Dying(30, name="bad"), "died again and again after frame 29"),
        (Babbling(30, name="bad"), "source 'bad' yielded bytes, not a frame"),
        (Fractional(30, name="bad"), "malformed message"),
    ],
    ids=["raises", "dies", "babbles", "fractional"],
)
def test_a_source_that_breaks_leaves_the_others_complete(graphs, source, error):
    notes = Notes()
    report = graphs.run(STAGES, [source, Numbered("good", 120)], [notes])

    check_good(notes, report)
    bad = report.streams["bad"]
    assert error in str(bad.error)
    assert notes.seqs("bad") == list(range(30))
    assert bad.admitted == outcomes(bad) == 30
    assert not bad.complete
    assert not report.complete


def test_a_graph_fails_if_the_process_of_its_only_source_dies_of_opening_it(graphs):
    with (
        pytest.raises(MediaError, match="the process that reads 'source 1' died again and again"),
        graphs.start(STAGES, [DyingToOpen()]) as run,
    ):
        run.finish()


@pytest.mark.parametrize("name", ["bad", None])
def test_a_graph_fails_if_the_name_of_its_only_file_is_no_unicode_and_it_is_not_there(graphs, name):
    gone = StreamSpec(os.fsdecode(b"gone-\xe9.mp4"), name=name)
    with (
        pytest.raises(MediaError, match=r"gone-\\udce9.mp4"),
        graphs.start(STAGES, [gone]) as run,
    ):
        run.finish()


@pytest.fixture
def unfit(monkeypatch):
    """Have the hub stumble over what the stream `bad` announces."""
    choose = StreamState.choose_policy

    def stumble(state):
        if state.name == "bad":
            raise OverflowError("the number is too large")
        return choose(state)

    monkeypatch.setattr(StreamState, "choose_policy", stumble)


@pytest.mark.usefixtures("unfit")
def test_a_stream_whose_announcement_the_hub_stumbles_over_ends_alone(graphs, tmp_path):
    notes = Notes()
    good = Stalling(30, tmp_path / "go", name="good", count=60)
    with graphs.start(STAGES, [good], [notes]) as run:
        until(lambda: run.stats()["phase"] == "running")
        run.add(Numbered("bad"))
        until(lambda: run.stats()["unopened"])
        (tmp_path / "go").touch()
        assert run.wait(PATIENCE_S)
    check_good(notes, run.report, count=60)
    (error,) = run.report.unopened.values()
    assert "the number is too large" in str(error)


@pytest.mark.usefixtures("unfit")
def test_a_graph_fails_if_the_hub_stumbles_over_a_stream_that_it_was_started_with(graphs):
    with (
        pytest.raises(GraphError, match="OverflowError: the number is too large"),
        graphs.start(STAGES, [Numbered("bad")]) as run,
    ):
        run.wait(PATIENCE_S)


def test_a_source_that_floods_leaves_the_others_complete(graphs):
    notes = Notes()
    report = graphs.run(
        STAGES,
        [Numbered("flood", 2_000, shape=(2, 4, 3)), Numbered("good", 120)],
        [notes],
    )

    check_good(notes, report)
    check_good(notes, report, "flood", 2_000)


def test_a_live_source_that_floods_is_thinned_out_and_every_number_accounted_for(graphs):
    notes = Notes()
    report = graphs.run(
        [Pause(0.002), *STAGES],
        [Numbered("flood", 10_000, shape=(2, 4, 3), live=True), Numbered("good", 120)],
        [notes],
    )

    check_good(notes, report)
    flood = report.streams["flood"]
    assert flood.admitted == outcomes(flood) == 10_000
    assert notes.seqs("flood") == sorted(set(notes.seqs("flood")))
    assert flood.run.frames == len(notes.seqs("flood")) < 10_000
    assert [data["read"] for data in notes.data("flood")] == notes.seqs("flood")


def test_a_source_that_stalls_leaves_the_others_complete_and_can_be_removed(graphs, tmp_path):
    notes = Notes()
    run = graphs.start(
        STAGES,
        [Stalling(30, tmp_path / "never", name="bad"), Numbered("good", 120)],
        [notes],
    )
    until(lambda: run.stats()["streams"].get("good", {}).get("ended"))
    check_good(notes, run.report)
    until(lambda: len(notes.seqs("bad")) == 30)
    (pid,) = until(lambda: only(processes_of(run, "feeder").values()))

    run.remove("bad")

    assert run.wait(60)
    assert notes.streams["bad"].closed == 1
    assert is_dead(pid)


def test_a_removed_source_that_stalls_leaves_no_process_while_others_go_on(graphs, tmp_path):
    run = graphs.start([Read()], [Stalling(30, tmp_path / "a", name="a")], stay=True)
    until(lambda: run.stats()["streams"].get("a", {}).get("frames") == 30)
    (pid,) = processes_of(run, "feeder").values()

    run.remove("a")

    assert is_dead(pid)
    until(lambda: segments_of(run) == {})
    run.stop()


def test_a_source_that_is_long_in_opening_is_not_waited_for_for_ever(graphs, tmp_path):
    notes = Notes()
    run = graphs.start(
        STAGES, [Numbered("good", 120), SlowToOpen(tmp_path / "open", name="late")], [notes]
    )
    until(lambda: run.stats()["streams"].get("good", {}).get("ended"))
    check_good(notes, run.report)

    (tmp_path / "open").touch()

    assert run.wait(60)
    check_good(notes, run.report, "late", 100)


def test_a_source_that_is_not_there_is_reported_before_anything_is_written(graphs, tmp_path):
    notes = Notes()
    with (
        pytest.raises(MediaError, match=r"nowhere\.mp4"),
        graphs.start(STAGES, [Numbered("a"), tmp_path / "nowhere.mp4"], [notes]) as run,
    ):
        run.wait(60)

    assert all(not sink.lines for sink in notes.streams.values())


def test_a_source_that_is_added_and_is_not_there_is_reported_and_others_go_on(graphs, tmp_path):
    notes = Notes()
    flag = tmp_path / "go on"
    run = graphs.start(STAGES, [Stalling(60, flag, name="good", count=120)], [notes], stay=True)
    until(lambda: run.stats()["streams"].get("good", {}).get("frames") == 60)

    run.add(StreamSpec(tmp_path / "nowhere.mp4", name="lost"))
    until(lambda: run.stats()["unopened"])
    with pytest.raises(GraphError, match="stream 'lost' is over"):
        run.remove("lost")
    flag.touch()
    until(lambda: run.stats()["streams"]["good"]["ended"])
    run.stop()

    check_good(notes, run.report)
    assert "nowhere.mp4" in str(run.report.unopened["lost"])
    assert not run.report.complete


def test_a_source_that_is_added_in_vain_while_stages_open_leaves_the_others_complete(
    graphs, tmp_path
):
    notes, flag = Notes(), tmp_path / "open"
    run = graphs.start([OpensWhen(flag), *STAGES], [Numbered("good", 120)], [notes], stay=True)
    run.add(StreamSpec(tmp_path / "nowhere.mp4", name="lost"))
    assert "nowhere.mp4" in until(lambda: run.stats()["unopened"])["lost"]
    flag.touch()
    until(lambda: run.stats()["streams"].get("good", {}).get("ended"))
    run.stop()

    check_good(notes, run.report)
    assert not run.report.complete


def test_a_stream_that_is_added_while_stages_open_and_has_no_sink_leaves_the_others_complete(
    graphs, tmp_path
):
    notes, flag = OnlyFor("good"), tmp_path / "open"
    run = graphs.start([OpensWhen(flag), *STAGES], [Numbered("good", 120)], [notes], stay=True)
    run.add(StreamSpec(Numbered("lost"), name="lost"))
    until(lambda: "lost" in run.stats()["streams"])
    flag.touch()
    until(lambda: run.stats()["streams"].get("good", {}).get("ended"))
    run.stop()

    check_good(notes, run.report)
    assert "this is not for lost" in str(run.report.streams["lost"].error)


def test_a_source_that_could_not_be_opened_may_be_added_again(graphs, tmp_path):
    notes = Notes()
    run = graphs.start(STAGES, [], [notes], stay=True)
    run.add(StreamSpec(tmp_path / "nowhere.mp4", name="x"))
    until(lambda: run.stats()["unopened"])

    run.add(StreamSpec(Numbered("x", 50), name="x"))
    until(lambda: run.stats()["streams"].get("x", {}).get("ended"))

    assert run.stats()["unopened"] == {}
    run.stop()
    check_good(notes, run.report, "x", 50)


def test_the_name_of_a_stream_that_is_over_is_not_given_to_another(graphs):
    notes = Notes()
    run = graphs.start(STAGES, [Numbered("x", 30)], [notes], stay=True)
    until(lambda: run.stats()["streams"].get("x", {}).get("ended"))
    until(lambda: "x" not in run.stats()["under_way"])

    with pytest.raises(GraphError, match="there is a stream 'x' already"):
        run.add(StreamSpec(Numbered("y", 5), name="x"))
    run.add(Numbered("x", 5))
    until(lambda: run.stats()["streams"].get("x-2", {}).get("ended"))
    run.stop()

    check_good(notes, run.report, "x", 30)
    check_good(notes, run.report, "x-2", 5)


def test_streams_can_be_added_and_removed_while_others_run(graphs, tmp_path):
    notes = Notes()
    flag = tmp_path / "go on"
    run = graphs.start(STAGES, [Stalling(60, flag, name="good", count=120)], [notes], stay=True)
    for n in range(5):
        run.add(StreamSpec(Numbered("x", 50), name=f"x{n}"))
    until(lambda: sum(stream["ended"] for stream in run.stats()["streams"].values()) == 5)
    flag.touch()
    until(lambda: run.stats()["streams"]["good"]["ended"])
    until(lambda: segments_of(run) == {})
    until(lambda: not processes_of(run, "feeder"))
    run.stop()

    check_good(notes, run.report)
    for n in range(5):
        check_good(notes, run.report, f"x{n}", 50)


def test_a_live_source_that_fails_comes_back_with_a_new_epoch(graphs, tmp_path):
    notes = Notes()
    source = RaisingOnce(40, tmp_path / "flag", name="cam", count=60, live=True)
    spec = StreamSpec(source, mode="every-frame")
    run = graphs.start(STAGES, [spec], [notes])
    assert run.wait(60)

    cam = run.report.streams["cam"]
    assert cam.restarts == 1
    assert notes.seqs("cam") == list(range(100))
    assert [data["read"] for data in notes.data("cam")] == [*range(40), *range(60)]
    assert [data["count"] for data in notes.data("cam")] == [*range(1, 41), *range(1, 61)]


def test_timestamps_grow_over_epochs(graphs, tmp_path):
    sinks = ListSinks()
    source = RaisingOnce(40, tmp_path / "flag", name="cam", count=60, live=True)
    report = graphs.run(STAGES, [StreamSpec(source, mode="every-frame")], [sinks])
    assert report.streams["cam"].restarts == 1
    pts = [frame.pts for frame in sinks.streams["cam"].frames]
    assert pts[:40] == list(range(40))
    assert [later - pts[40] for later in pts[40:]] == list(range(60))
    assert pts[40] > pts[39]


def test_a_new_epoch_waits_for_the_frames_of_the_one_before_in_every_step(graphs, tmp_path):
    """Objects of the last frames are at handlers when the source is opened again."""
    notes = Notes()
    source = RaisingOnce(40, tmp_path / "flag", name="cam", count=60, live=True)
    stages = [
        Boxes(),
        Count(),
        PerObject(Measure(pause_s=0.03)),
        Previous(),
        PerObject(Read()),
        Pause(0.01),
    ]
    report = graphs.run(stages, [StreamSpec(source, mode="every-frame")], [notes], handlers=3)

    assert report.streams["cam"].restarts == 1
    assert notes.seqs("cam") == list(range(100))
    data = notes.data("cam")
    assert [of["count"] for of in data] == [*range(1, 41), *range(1, 61)]
    assert [of["previous"] for of in data] == [None, *range(39), None, *range(59)]


def test_a_live_source_that_fails_at_once_again_and_again_is_not_opened_in_a_frenzy(graphs):
    source = Raising(0, name="cam", live=True)
    run = graphs.start(STAGES, [source, Numbered("good", 120)], stay=True)
    until(lambda: run.stats()["streams"].get("cam", {}).get("restarts", 0) >= 2)
    until(lambda: run.stats()["streams"]["good"]["ended"])
    until(lambda: len(processes_of(run, "feeder")) <= 2)
    assert run.stats()["streams"]["cam"]["restarts"] < 10
    run.stop()
