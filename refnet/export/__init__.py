"""Models for other programs to run: ONNX files."""

from refnet.export.model import export_model, export_onnx
