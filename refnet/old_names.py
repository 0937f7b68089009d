"""Names of Keras 2 that are kept elsewhere here, are called otherwise, or have no meaning here.

A program of that time finds them: `from keras.layers.convolutional import Conv2D`, `keras.objectives`, `initializers.normal`. They are
not listed: `dir` shows today's names alone.
"""

import functools
import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from refnet.errors import MissingNameError
from refnet.missing_names import MISSING

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    Loader = object  # importing it takes longer than all else that `import refnet` does

Method = TypeVar("Method", bound=Callable[..., Any])

# Modules of Keras 2, one of Keras 3, and the modules of refnet that have what they held. `layers.core` and a few others exist here too, with less.
ENGINE = ("layers", "models", "utils")
MODULES: dict[str, Sequence[str]] = {
    **dict.fromkeys(
        (f"layers.{name}" for name in ("core", "recurrent", "normalization", "convolutional")), ("layers",)
    ),
    **dict.fromkeys((f"layers.{name}" for name in ("embeddings", "merge", "noise", "local")), ("layers",)),
    **dict.fromkeys(("layers.advanced_activations", "layers.cudnn_recurrent", "layers.wrappers"), ("layers",)),
    **dict.fromkeys(("engine", "engine.topology", "engine.base_layer", "engine.input_layer"), ENGINE),
    **dict.fromkeys(("engine.training", "engine.network", "engine.sequential"), ENGINE),
    **dict.fromkeys((f"utils.{name}_utils" for name in ("np", "vis", "data", "generic", "layer", "io")), ("utils",)),
    **dict.fromkeys(("utils.multi_gpu_utils", "utils.training_utils"), ("utils",)),
    **dict.fromkeys(("layers.experimental", "layers.experimental.preprocessing"), ("layers",)),
    **dict.fromkeys(("optimizers.experimental", "optimizers.legacy"), ("optimizers",)),
    "backend.tensorflow_backend": ("backend",),
    "dtype_policies": ("mixed_precision",),
    "objectives": ("losses",),
    "wrappers.scikit_learn": ("keras2_estimators",),
}

LOSSES = {
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
    **dict.fromkeys(("bce", "BCE"), "binary_crossentropy"),
    **dict.fromkeys(("kld", "KLD"), "kl_divergence"),
    **dict.fromkeys(("mae", "MAE"), "mean_absolute_error"),
    **dict.fromkeys(("mape", "MAPE"), "mean_absolute_percentage_error"),
    **dict.fromkeys(("mse", "MSE"), "mean_squared_error"),
    **dict.fromkeys(("msle", "MSLE"), "mean_squared_logarithmic_error"),
}
# Names that are others today, by module.
RENAMED: dict[str, dict[str, str]] = {
    "engine": {"Container": "Model", "Network": "Model"},
    "initializers": {"normal": "RandomNormal", "uniform": "RandomUniform", "one": "Ones", "zero": "Zeros"},
    "layers": {
        **dict.fromkeys(("Deconv2D", "Deconvolution2D"), "Conv2DTranspose"),
        **dict.fromkeys(("Deconv3D", "Deconvolution3D"), "Conv3DTranspose"),
        "CuDNNGRU": "GRU",
        "CuDNNLSTM": "LSTM",
        "ThresholdedReLU": "activation.ThresholdedReLU",
    },
    "losses": {**LOSSES, **dict.fromkeys(("cosine", "cosine_proximity"), "cosine_similarity")},
    "metrics": {**LOSSES, **dict.fromkeys(("cosine", "cosine_proximity"), "losses.cosine_similarity")},
    "optimizers": {name.lower(): name for name in ("SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam")},
    "regularizers": {"WeightRegularizer": "L1L2", "l1l2": "L1L2"},
}

# What has no meaning here, by module: what to do instead. It may be imported; using it raises.
SESSION = "There is no TensorFlow session here: leave the line out. refnet.use_engine says what runs a program."
UNSHARED = (
    "Take {0}, or cut the input with ops.extract_patches and give each place a kernel of its own with ops.einsum."
)
GONE: dict[str, dict[str, str]] = {
    "backend": {
        **dict.fromkeys(("get_session", "set_session"), SESSION),
        "local_conv1d": UNSHARED.format("conv1d"),
        "local_conv2d": UNSHARED.format("conv2d"),
        "tf": "There is no TensorFlow behind refnet: take the function of that name in refnet.ops.",
        "image_dim_ordering": "Ask image_data_format(): 'channels_last' is what was 'tf', 'channels_first' what was 'th'.",
        "set_image_dim_ordering": "Write set_image_data_format('channels_last') for 'tf', set_image_data_format('channels_first') for 'th'.",
    },
    "layers": {
        "LocallyConnected1D": UNSHARED.format("Conv1D"),
        "LocallyConnected2D": UNSHARED.format("Conv2D"),
        "merge": "Take add, multiply, subtract, average, maximum, concatenate or dot of refnet.layers, one for each mode.",
        "Merge": "Take add, multiply, subtract, average, maximum, concatenate or dot of refnet.layers, one for each mode.",
        "AtrousConvolution1D": "Write Conv1D(..., dilation_rate=).",
        "AtrousConvolution2D": "Write Conv2D(..., dilation_rate=).",
        "TimeDistributedDense": "Write TimeDistributed(Dense(...)), or Dense alone, which works on the last axis.",
    },
    "optimizers": {"TFOptimizer": "Take the optimizer of that name in refnet.optimizers."},
    "utils": {
        "multi_gpu_model": "One device runs a model here: take the model itself.",
        "HDF5Matrix": "Give fit an array, or a PyDataset that reads a batch at a time.",
    },
}


class Gone:
    """Stands for a name that refnet has not: a program may import it, but calling it or reading from it raises MissingNameError."""

    def __init__(self, name: str, advice: str):
        self._message = f"{name} of Keras 2 has no meaning in refnet. {advice}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise MissingNameError(self._message)

    def __getattr__(self, name: str) -> Any:
        raise MissingNameError(self._message)


def found(module: ModuleType, place: str, name: str) -> Any:
    """What a module (`place` in refnet) offers under a name of Keras 2.

    Raises:
        AttributeError: nothing.  MissingNameError: a name that is left out here.
    """
    if not name.startswith("__"):
        if name in RENAMED.get(place, ()):
            value: Any = module
            for part in RENAMED[place][name].split("."):
                value = getattr(value, part)
            return value
        if f"{place}.{name}".removeprefix(".") in MODULES:
            return importlib.import_module(f"{module.__name__}.{name}")
        if name in GONE.get(place, ()):
            return Gone(f"{place}.{name}", GONE[place][name])
        if name in MISSING.get(place, ()):
            full = f"{place}.{name}".removeprefix(".")
            raise MissingNameError(f"refnet has no {full}. {MISSING[place][name]}", name=name, obj=module)
        for other in MODULES.get(place, ()):
            if hasattr(importlib.import_module(f"refnet.{other}"), name):
                return getattr(importlib.import_module(f"refnet.{other}"), name)
    raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}", name=name, obj=module)


def serve(name: str) -> None:
    """For a module's own text, `serve(__name__)`: it finds the old names too, those of modules inside it included.

    Type checkers do not see it, so that they go on to find wrong names.
    """
    module = sys.modules[name]
    place, before = name.partition(".")[2], getattr(module, "__getattr__", None)

    def get(name: str) -> Any:
        if before is not None:
            try:
                return before(name)
            except AttributeError:
                pass
        return found(module, place, name)

    module.__getattr__ = get  # type: ignore[method-assign]
    if not hasattr(module, "__path__") and any(other.startswith(f"{place}.") for other in MODULES):
        module.__path__ = []  # modules inside it may be asked for; none is in files


class OldModule(ModuleType):
    """A module that is made here. One of them, `layers.merge`, was a function in Keras 1."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        place, _, name = self.__name__.partition(".")[2].rpartition(".")
        if name not in GONE.get(place, ()):
            raise TypeError(f"{self.__name__} is a module and cannot be called")
        Gone(f"{place}.{name}", GONE[place][name])()


class OldModules(Loader):
    """Makes the modules of Keras 2 that a package has not. Asked last, it is in nobody's way."""

    def __init__(self, package: str):
        self.package = package

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        package, _, place = fullname.partition(".")
        return ModuleSpec(fullname, self) if package == self.package and place in MODULES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return OldModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__doc__ = "Where Keras 2 kept what is in " + ", ".join(
            f"refnet.{other}" for other in MODULES[module.__name__.partition(".")[2]]
        )
        serve(module.__name__)


def name_first(*order: str) -> Callable[[Method], Method]:
    """A decorator: an `add_weight` takes the name in the first place too, and the rest in this order, as in Keras 2."""

    def decorator(add_weight: Method) -> Method:
        @functools.wraps(add_weight)
        def called(self: Any, *args: Any, **more: Any) -> Any:
            if not args or not isinstance(args[0], str) or len(args) > len(order):
                return add_weight(self, *args, **more)
            named = dict(zip(order, args))
            for word in named.keys() & more.keys():
                raise TypeError(
                    f"{self.name}.add_weight: {args[0]!r} comes first, which is the name; {word}={more[word]!r} is given too. In "
                    "Keras 3 the shape comes first: add_weight(shape, initializer, name=...)."
                )
            if named.get("trainable", True) is None:  # TensorFlow's default
                named["trainable"] = True
            return add_weight(self, **named, **more)

        return cast(Method, called)

    return decorator
