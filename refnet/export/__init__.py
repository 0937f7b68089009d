"""Models for other programs to run: ONNX files."""

from refnet.export.model import export_model, export_onnx
from refnet.old_names import serve

serve(__name__)
