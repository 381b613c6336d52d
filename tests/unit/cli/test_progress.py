"""Plain progress lines for logs."""

from fractions import Fraction

from sightline.cli.progress import LineDisplay
from sightline.pipeline.report import RunReport
from sightline.stream import StreamInfo


def report(frames, wall_s):
    stream = StreamInfo(name="s", width=4, height=4, time_base=Fraction(1, 25))
    return RunReport(stream=stream, frames=frames, wall_s=wall_s)


def test_lines_say_frame_rate_and_remaining_time(capsys):
    display = LineDisplay(every_s=0)
    display.start("street", 100)
    display.update(report(50, 10.0))
    display.finish()
    assert capsys.readouterr().err.splitlines() == [
        "street: started",
        "street: frame 50 of 100, 5.0 frames/s, 10 s left",
    ]


def test_without_a_known_length_no_remaining_time_is_made_up(capsys):
    display = LineDisplay(every_s=0)
    display.start("camera", None)
    display.update(report(50, 10.0))
    assert capsys.readouterr().err.splitlines()[1] == "camera: frame 50, 5.0 frames/s"


def test_lines_come_no_faster_than_asked_for(capsys):
    display = LineDisplay(every_s=3600)
    display.start("street", 100)
    for frames in range(1, 50):
        display.update(report(frames, 1.0))
    assert len(capsys.readouterr().err.splitlines()) == 1
