"""Names of Keras that refnet leaves out, and what a program does instead. Asking for one raises MissingNameError, so `hasattr` is False."""

ONE_DEVICE = "One device trains a model here: leave the lines out. refnet.use_engine, or REFNET_ENGINE, says which."
QUANTIZED = (
    "Dense, EinsumDense and Embedding can keep their kernels as int8; a model has these layers inside quantized. For int4, float8, GPTQ or "
    "AWQ save the model as .keras and quantize it in Keras."
)
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
        **dict.fromkeys(("remat", "RematScope"), "All results that a gradient needs are kept: leave it out."),
        **dict.fromkeys(("distillation", "pruning"), "Write a compute_loss or a train_step of the model's own."),
        "Function": "Write Model(inputs, outputs), or backend.function([inputs], [outputs]).",
        "StatelessScope": "Write layer.stateless_call, optimizer.stateless_apply or metric.stateless_update_state.",
        "visualization": "Pictures are drawn by refnet.visualize, or with matplotlib.",
        "version": "Read refnet.__version__.",
    },
    "callbacks": {"OrbaxCheckpoint": "Take ModelCheckpoint, or BackupAndRestore to go on after a stop."},
    "dtype_policies": {
        **dict.fromkeys(
            ("QuantizedFloat8DTypePolicy", "GPTQDTypePolicy", "AWQDTypePolicy", "Int4DTypePolicy"), QUANTIZED
        ),
        "DTypePolicyMap": "Give each layer its dtype.",
    },
    "export": {"ExportArchive": "Write model.export(path, format='onnx')."},
    "layers": {
        **dict.fromkeys(("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"), FOREIGN),
        "MaxNumBoundingBoxes": BOXES,
    },
    "losses": {"Reduction": "Write reduction='none', 'sum' or 'sum_over_batch_size'."},
    "quantizers": dict.fromkeys(
        (
            *(
                "AWQConfig",
                "Float8QuantizationConfig",
                "GPTQConfig",
                "Int4QuantizationConfig",
                "pack_int4",
                "unpack_int4",
            ),
            *("abs_max_quantize_grouped_with_zero_point", "compute_float8_amax_history", "compute_float8_scale"),
            *("fake_quant_with_min_max_vars", "quantize_and_dequantize"),
        ),
        QUANTIZED,
    ),
    "utils": {"bounding_boxes": BOXES},
}
