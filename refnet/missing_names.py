"""Names of Keras that refnet leaves out, and what a program does instead. Asking for one raises MissingNameError, so `hasattr` is False."""

ONE_DEVICE = "One device trains a model here: leave the lines out. refnet.use_engine, or REFNET_ENGINE, says which."
QUANTIZED = "Save the model as .keras and quantize it in Keras, or export it as ONNX. mixed_float16 and mixed_bfloat16 are there."
LORA = (
    "Write a layer that holds the trained one, with trainable = False, and two narrow Dense layers behind each other, the second from "
    "zeros: y = self.trained(x) + self.up(self.down(x))."
)
FOREIGN = "Layers of other frameworks cannot be a part of a program of refnet: write what it computes with refnet.ops."
SPECTROGRAM = "Compute spectrograms before the model, with refnet.ops.stft."
BOXES = "Bring boxes to arrays of one shape with NumPy before the model; refnet.ops computes with them."
NETS = "refnet.applications has VGG16, VGG19, ResNet50, InceptionV3, Xception and MobileNet."
# Of standard layers, so that load_model reads them.
FROM_A_FILE = " Others come in a file: in Keras applications.{0}(...).save('net.keras'), here load_model('net.keras')."

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
    "applications": {
        **{f"ConvNeXt{size}": NETS for size in ("Base", "Large", "Small", "Tiny", "XLarge")},
        "InceptionResNetV2": NETS,
        **{
            name: NETS + FROM_A_FILE.format(name)
            for name in (
                *("DenseNet121", "DenseNet169", "DenseNet201", *(f"EfficientNetB{i}" for i in range(8))),
                *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
                *("MobileNetV2", "MobileNetV3Large", "MobileNetV3Small", "NASNetLarge", "NASNetMobile", "ResNet101"),
                *("ResNet101V2", "ResNet152", "ResNet152V2", "ResNet50V2"),
            )
        },
    },
    "callbacks": {"OrbaxCheckpoint": "Take ModelCheckpoint, or BackupAndRestore to go on after a stop."},
    "dtype_policies": dict.fromkeys(
        ("QuantizedDTypePolicy", "QuantizedFloat8DTypePolicy", "GPTQDTypePolicy"), QUANTIZED
    ),
    "export": {"ExportArchive": "Write model.export(path, format='onnx')."},
    "initializers": {"STFT": SPECTROGRAM},
    "layers": {
        **dict.fromkeys(("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"), FOREIGN),
        **dict.fromkeys(("MelSpectrogram", "STFTSpectrogram"), SPECTROGRAM),
        "MaxNumBoundingBoxes": BOXES,
    },
    "losses": {"Reduction": "Write reduction='none', 'sum' or 'sum_over_batch_size'."},
    "saving": {"KerasFileEditor": "Load the model and change its layers, or change the file with Keras."},
    "utils": {
        "audio_dataset_from_directory": "Write a PyDataset that reads the files, with scipy.io.wavfile for example.",
        "bounding_boxes": BOXES,
    },
}
