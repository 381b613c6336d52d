"""To supervision and back: its zones and annotators, our frames and tracks."""

import numpy as np
import supervision as sv

import sightline as sl

zone = sv.PolygonZone(polygon=np.array([[0, 180], [640, 180], [640, 360], [0, 360]]))
for frame in sl.track("scene:street?frames=60", "demo"):
    inside = frame.detections[zone.trigger(frame.detections.to_supervision())]
    if frame.seq % 20 == 0:
        print(frame.seq, "in the lower half:", inside.track_id.tolist())
