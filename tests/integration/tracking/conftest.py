"""The sequences of 2D MOT 2015 with what the SORT authors' implementation makes of them."""

from dataclasses import dataclass

import pytest

from sightline.detections import Detections
from sightline.formats.mot import MotRows, read_mot

SEQUENCES = [
    "ADL-Rundle-6",
    "ETH-Bahnhof",
    "ETH-Pedcross2",
    "KITTI-13",
    "PETS09-S2L1",
    "TUD-Stadtmitte",
    "Venice-2",
]


@dataclass(frozen=True)
class Sequence:
    detected: MotRows
    reference: MotRows

    def frames(self):
        """List the detections of every frame, from the first to the last that has any."""
        rows = self.detected.by_frame()
        return [
            Detections(xyxy=rows[frame].xyxy, confidence=rows[frame].confidence)
            if frame in rows
            else Detections.empty()
            for frame in range(1, int(self.detected.frame.max()) + 1)
        ]


def read_sequence(folder):
    return Sequence(read_mot(folder / "det.txt"), read_mot(folder / "sort-reference.txt"))


@pytest.fixture(params=SEQUENCES)
def sequence(request, shared_data):
    return read_sequence(shared_data / "mot15" / request.param)


@pytest.fixture(scope="session")
def sequences(shared_data):
    return [read_sequence(shared_data / "mot15" / name) for name in SEQUENCES]
