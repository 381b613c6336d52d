"""Drawing detections, tracks and trails onto images."""
