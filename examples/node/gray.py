"""A stage of your own for handlers anywhere: every frame in gray; see gray.yaml."""

import cv2

import sightline as sl


class Gray(sl.Stage):
    """Takes the colours out."""

    def process(self, frame: sl.Frame) -> sl.Frame:
        height, width = frame.image.shape[:2]
        gray = frame.empty_image((height, width))  # in shared memory: nobody copies it again
        cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY, dst=gray)
        return frame.replace(image=gray)
