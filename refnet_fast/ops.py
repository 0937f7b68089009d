"""`refnet.ops`, computing arrays on the current engine; `image`, `linalg`, `nn` and `numpy` inside it too."""

from refnet import ops as _definitions
from refnet_fast._eager import module_on_current_engine, on_current_engine

__path__: list[str] = []  # what is inside is made here, and not looked for in files

image, linalg, nn, numpy = (
    module_on_current_engine(f"{__name__}.{name}", getattr(_definitions, name))
    for name in ("image", "linalg", "nn", "numpy")
)

__getattr__ = on_current_engine(_definitions)


def __dir__():
    return dir(_definitions)
