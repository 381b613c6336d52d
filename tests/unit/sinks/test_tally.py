"""Counting detections and tracks by class."""

from fractions import Fraction

import numpy as np

from sightline.detections import Detections
from sightline.frame import Frame
from sightline.sinks.tally import Tally
from sightline.stream import StreamInfo


def frame(seq, class_ids, track_ids):
    boxes = np.zeros((len(class_ids), 4), np.float32)
    detections = Detections(
        xyxy=boxes, class_id=class_ids, track_id=track_ids, class_names=("person", "car")
    )
    return Frame(image=np.zeros((2, 2), np.uint8), seq=seq, pts=seq, detections=detections)


def test_detections_are_counted_per_frame_and_tracks_once_with_their_first_class():
    tally = Tally()
    tally.write(frame(0, [0, 1, 0], [1, 2, -1]))
    tally.write(frame(1, [1, 1, 7], [1, 2, 9]))
    assert tally.as_dict() == {
        "detections": {"car": 3, "person": 2, "7": 1},
        "tracks": {"person": 1, "car": 1, "7": 1},
    }


def test_the_tallies_of_several_streams_are_told_apart_and_summed():
    tally = Tally()
    for name in ("north", "south"):
        info = StreamInfo(name=name, width=2, height=2, time_base=Fraction(1, 25))
        part = tally.for_stream(info)
        part.open(info)
        part.write(frame(0, [0, 1], [1, 2]))
        part.close()
    assert tally.as_dict() == {
        "detections": {"person": 2, "car": 2},
        "tracks": {"person": 2, "car": 2},
    }
    assert tally.by_stream() == {
        name: {"detections": {"person": 1, "car": 1}, "tracks": {"person": 1, "car": 1}}
        for name in ("north", "south")
    }
