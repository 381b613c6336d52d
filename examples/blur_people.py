"""A stateless stage of your own: it may run in several threads, each frame on its own."""

import cv2

import sightline as sl


class BlurPeople(sl.Stage):
    """Makes people unrecognisable."""

    concurrency = 2  # process() is thread-safe, and OpenCV releases the GIL

    def process(self, frame: sl.Frame) -> sl.Frame:
        image = frame.image.copy()  # images are read-only
        people = frame.detections[frame.detections.class_id == 0]
        for left, top, right, bottom in people.xyxy.clip(0).astype(int):
            region = image[top:bottom, left:right]
            if region.size:
                image[top:bottom, left:right] = cv2.blur(region, (15, 15))
        return frame.replace(image=image)


pipeline = sl.Pipeline([sl.Detect("demo"), BlurPeople()])
report = pipeline.run("scene:street?frames=100", sinks=[sl.VideoFile("blurred.mp4")])
print(f"{report.frames} frames, {report.frames_per_second:.0f} frames/s")
