"""The shipped weights: the ONNX file, its sidecar and the model card."""
