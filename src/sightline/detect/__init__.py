"""Finding objects in images: ONNX models of the YOLO family and others, and motion."""
