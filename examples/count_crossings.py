"""A stage of your own that needs the frames in order: who crosses a line?"""

import sightline as sl


class CountCrossings(sl.Stage):
    """Counts tracks whose centre crosses a vertical line, in either direction."""

    scope = sl.Scope.STREAM  # it remembers earlier frames

    def __init__(self, *, x: float) -> None:
        self.x = x

    def open(self) -> None:
        self.last_side: dict[int, bool] = {}
        self.crossings = 0

    def process(self, frame: sl.Frame) -> sl.Frame:
        centres = (frame.detections.xyxy[:, 0] + frame.detections.xyxy[:, 2]) / 2
        for track_id, centre in zip(frame.detections.track_id.tolist(), centres, strict=True):
            if track_id != sl.UNTRACKED:
                side = bool(centre > self.x)
                self.crossings += self.last_side.get(track_id, side) != side
                self.last_side[track_id] = side
        return frame.replace(data={"crossings": self.crossings})


pipeline = sl.Pipeline([sl.Detect("demo"), sl.Track(), CountCrossings(x=320)])
with pipeline.frames("scene:street?frames=200") as run:
    for frame in run:
        if frame.seq % 50 == 49:
            print(f"after {frame.time_s:.1f} s: {frame.data['crossings']} crossings")
