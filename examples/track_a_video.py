"""The simplest use: frames with tracked objects, in a loop of your own."""

import sightline as sl

longest: dict[int, int] = {}
for frame in sl.track("scene:street?frames=150", "demo", classes=["person"]):
    for track_id in frame.detections.track_id.tolist():
        if track_id != sl.UNTRACKED:
            longest[track_id] = longest.get(track_id, 0) + 1

for track_id, frames in sorted(longest.items()):
    print(f"person {track_id} was seen in {frames} frames")
