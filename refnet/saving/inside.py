"""Adapters, and kernels in integers, of layers inside other layers, in files: the outer layer's config does not tell of them."""

from typing import Any

from refnet import registration
from refnet.layers.lora import Adaptable
from refnet.layers.quantized import Quantizable
from refnet.saving.serialization import restored, serialized
from refnet.saving.weights import places

ENTRY = "adapters_and_integers"


def of(model: Any) -> dict[str, Any]:
    """{a layer's place in the file: its lora_rank, lora_alpha and quantization_config}, of those that have an adapter or integers."""
    found: dict[str, Any] = {}
    for path, layer in places(model):
        if isinstance(layer, Adaptable) and layer.lora_enabled:
            found[path] = {"lora_rank": layer.lora_rank, "lora_alpha": layer.lora_alpha}
        if isinstance(layer, Quantizable) and layer.quantization_mode is not None:
            told = serialized(layer.quantization_config) or layer.quantization_mode
            found[path] = {**found.get(path, {}), "quantization_config": told}
    return found


def give(model: Any, told: Any) -> None:
    """Gives the layers of a model that was read what `of` says, unless their configs did; their weights are read afterwards."""
    for path, layer in places(model):
        said = told.get(path) if isinstance(told, dict) else None
        if not isinstance(said, dict) or not layer.built:
            continue
        integers = said.get("quantization_config")
        if integers is not None and isinstance(layer, Quantizable) and layer.quantization_mode is None:
            with registration.beside_file(layer.name, layer.count_params()):
                layer.quantize(config=restored(integers), type_check=False)
        if said.get("lora_rank") is not None and isinstance(layer, Adaptable) and not layer.lora_enabled:
            layer.enable_lora(said["lora_rank"], said.get("lora_alpha"))
