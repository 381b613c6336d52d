"""Make the picture in the README: one annotated frame of a generated scene."""

import sys

import cv2

import sightline as sl

SCENE = "scene:street?width=960&height=540&objects=16&seed=31&frames=140"
pipeline = sl.Pipeline([sl.Detect("demo"), sl.Track(), sl.Draw(trails=40)])
with pipeline.frames(SCENE) as run:
    for frame in run:
        last = frame
cv2.imwrite(sys.argv[1], last.image, [cv2.IMWRITE_JPEG_QUALITY, 88])
