"""Keras models as TFLite, ONNX and Edge TPU files."""
