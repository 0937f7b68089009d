"""Dtype policies: in which dtype layers compute, and in which they keep their weights.

    mixed_precision.set_global_policy("mixed_float16")

makes layers that are created from then on compute in float16 with weights in float32: they read their weights cast, gradients
and updates are float32. `compile` then scales the loss, so that small gradients survive.
"""

from typing import Any

from refnet import dtypes
from refnet.errors import ArgumentError, DtypeError, did_you_mean

MIXED = {"mixed_float16": ("float16", "float32"), "mixed_bfloat16": ("bfloat16", "float32")}

_global: "DTypePolicy | None" = None

__all__ = [
    *("DTypePolicy", "LossScaleOptimizer", "Policy", "QuantizedDTypePolicy", "dtype_policy", "get", "global_policy"),
    *("set_dtype_policy", "set_global_policy"),
]


class DTypePolicy:
    """What a layer computes in, and what its weights are kept in.

    Args:
        name: a dtype's name, for both; "mixed_float16" or "mixed_bfloat16", to compute in 16 bits with float32 weights; the
            global policy if None.
    Raises:
        DtypeError: another name.
    Source: Micikevicius et al. 2018; Keras 3 `DTypePolicy`.

    >>> policy = DTypePolicy("mixed_float16")
    >>> policy.compute_dtype, policy.variable_dtype
    ('float16', 'float32')
    """

    quantization_mode: str | None = None

    def __init__(self, name: str | None = None):
        name = dtype_policy().name if name is None else name
        if not isinstance(name, str) or name not in (*MIXED, *dtypes.ALL):
            known = (*MIXED, *dtypes.ALL)
            hint = did_you_mean(name, known) if isinstance(name, str) else ""
            raise DtypeError(
                f"a dtype policy is named {', '.join(MIXED)} or as a dtype ({', '.join(dtypes.ALL)}); got {name!r}.{hint}"
            )
        self.name: str = name
        self.compute_dtype, self.variable_dtype = MIXED.get(name, (name, name))

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` takes."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "DTypePolicy":
        """A policy from what get_config gave."""
        return cls(**config)


Policy = DTypePolicy


class QuantizedDTypePolicy(DTypePolicy):
    """What a layer computes in that keeps its kernel in integers: see `Dense.quantize`.

    Args:
        mode: "int8".
        source_name: the policy that the layer has otherwise; the global policy's if None.
    Raises:
        DtypeError: another mode; a policy that computes in float16, whose numbers end too early for sums of products of integers.
    Source: Keras 3 `QuantizedDTypePolicy`.

    >>> policy = QuantizedDTypePolicy("int8", "mixed_bfloat16")
    >>> policy.name, policy.compute_dtype, policy.variable_dtype
    ('int8_from_mixed_bfloat16', 'bfloat16', 'float32')
    """

    def __init__(self, mode: str, source_name: str | None = None):
        super().__init__(source_name)
        if mode != "int8":
            raise DtypeError(
                f"a QuantizedDTypePolicy's mode is 'int8'; got {mode!r}. int4, float8, GPTQ and AWQ are not here."
            )
        if self.compute_dtype not in ("float32", "float64", "bfloat16"):
            raise DtypeError(
                f"int8 is for layers that compute in float32, float64 or bfloat16; got the policy {self.name!r}. Make the layer with "
                "dtype='mixed_bfloat16', for example."
            )
        self.quantization_mode = mode
        self.source_name, self.name = self.name, f"{mode}_from_{self.name}"

    def __repr__(self) -> str:
        return f'<QuantizedDTypePolicy "{self.name}">'

    def get_config(self) -> dict[str, Any]:
        return {"mode": self.quantization_mode, "source_name": self.source_name}


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are created without `dtype`: that of `set_dtype_policy`, else floatx.

    >>> dtype_policy()
    <DTypePolicy "float32">
    """
    return DTypePolicy(dtypes.floatx()) if _global is None else _global


def set_dtype_policy(policy: Any) -> None:
    """Sets the policy of layers that are created from here on without `dtype`.

    Args:
        policy: a DTypePolicy or its name; None for the one that follows floatx.
    Raises:
        DtypeError: a name that is no policy's. The policy is unchanged then.

    >>> set_dtype_policy("mixed_bfloat16")
    >>> dtype_policy().compute_dtype
    'bfloat16'
    >>> set_dtype_policy(None)
    """
    global _global
    _global = None if policy is None else get(policy)


def get(identifier: Any = None) -> DTypePolicy:
    """The policy that a `dtype` argument means.

    Args:
        identifier: None (the global policy), a policy, a policy's or a dtype's name, a dtype, or a policy's config.
    Raises:
        ArgumentError: a config of something else.  DtypeError: an unknown name.
    """
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        if identifier.get("class_name") == "QuantizedDTypePolicy":
            return QuantizedDTypePolicy.from_config(identifier["config"])
        if identifier.get("class_name") not in ("DTypePolicy", "Policy", "FloatDTypePolicy"):
            raise ArgumentError(f"dtype: a config must be that of a DTypePolicy; got {identifier!r}.")
        return DTypePolicy.from_config(identifier["config"])
    mode, quantized, source = identifier.partition("_from_") if isinstance(identifier, str) else ("", "", "")
    if quantized:
        return QuantizedDTypePolicy(mode, source)
    return DTypePolicy(identifier if isinstance(identifier, str) else dtypes.standardize(identifier))


global_policy, set_global_policy = dtype_policy, set_dtype_policy


def __getattr__(name: str) -> Any:
    if name == "LossScaleOptimizer":  # optimizers import layers' modules, which import this one
        from refnet.optimizers import LossScaleOptimizer

        return LossScaleOptimizer
    raise AttributeError(f"module 'refnet.mixed_precision' has no attribute {name!r}")
