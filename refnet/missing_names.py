"""Names of Keras that refnet leaves out, and what a program does instead. Asking for one raises MissingNameError, so `hasattr` is False."""

ONE_DEVICE = "One device trains a model here: leave the lines out. refnet.use_engine, or REFNET_ENGINE, says which."
QUANTIZED = "Save the model as .keras and quantize it in Keras, or export it as ONNX. mixed_float16 and mixed_bfloat16 are there."
LORA = (
    "Dense, EinsumDense, Embedding, Conv1D, Conv2D and Conv3D have it. Of a model, enable it for such layers inside. Around another layer "
    "write one that holds it, with trainable = False, and two narrow Dense layers behind each other, the second from zeros: "
    "y = self.trained(x) + self.up(self.down(x))."
)
FOREIGN = "Layers of other frameworks cannot be a part of a program of refnet: write what it computes with refnet.ops."
BOXES = "Bring boxes to arrays of one shape with NumPy before the model; refnet.ops computes with them."

MISSING: dict[str, dict[str, str]] = {
    "": {
        **dict.fromkeys(("distribution", "device"), ONE_DEVICE),
        **dict.fromkeys(("quantizers", "Quantizer"), QUANTIZED),
        **dict.fromkeys(("remat", "RematScope"), "All results that a gradient needs are kept: leave it out."),
        **dict.fromkeys(("distillation", "pruning"), "Write a compute_loss or a train_step of the model's own."),
        "Function": "Write Model(inputs, outputs), or backend.function([inputs], [outputs]).",
        "StatelessScope": "Write layer.stateless_call, optimizer.stateless_apply or metric.stateless_update_state.",
        "visualization": "Pictures are drawn by refnet.visualize, or with matplotlib.",
        "version": "Read refnet.__version__.",
    },
    "callbacks": {"OrbaxCheckpoint": "Take ModelCheckpoint, or BackupAndRestore to go on after a stop."},
    "dtype_policies": dict.fromkeys(
        ("QuantizedDTypePolicy", "QuantizedFloat8DTypePolicy", "GPTQDTypePolicy"), QUANTIZED
    ),
    "export": {"ExportArchive": "Write model.export(path, format='onnx')."},
    "layers": {
        **dict.fromkeys(("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"), FOREIGN),
        "MaxNumBoundingBoxes": BOXES,
    },
    "losses": {"Reduction": "Write reduction='none', 'sum' or 'sum_over_batch_size'."},
    "utils": {"bounding_boxes": BOXES},
}
