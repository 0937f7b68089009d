"""Values under names: what a program is started with."""

import json
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from refnet.errors import ArgumentError, did_you_mean

OWN = ("_config", "_frozen")


class Config:
    """Values under names, read and set as attributes or as entries of a dict, which can be frozen.

    Args:
        kwargs: the first values.
    Source: Keras 3 `utils.Config`.

    >>> config = Config(learning_rate=0.1)
    >>> config.seed = 123
    >>> config["seed"], config.learning_rate, config.get("epochs", 5)
    (123, 0.1, 5)
    >>> config.freeze()
    >>> config.seed = 4
    Traceback (most recent call last):
    refnet.errors.ArgumentError: Config: it is frozen, so 'seed' stays as it is; unfreeze() lets it be changed.
    """

    _config: dict[str, Any]
    _frozen: bool

    def __init__(self, **kwargs: Any):
        object.__setattr__(self, "_config", kwargs)
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether values can no longer be changed."""
        return self._frozen

    def freeze(self) -> None:
        """From here on a change is an error."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Values may be changed again."""
        object.__setattr__(self, "_frozen", False)

    def _check(self, what: str) -> None:
        if self._frozen:
            raise ArgumentError(f"Config: it is frozen, so {what} as it is; unfreeze() lets it be changed.")

    def as_dict(self) -> dict[str, Any]:
        """A dict of the values."""
        return dict(self._config)

    def to_json(self) -> str:
        """The values as JSON."""
        return json.dumps(self._config)

    def keys(self) -> KeysView[str]:
        """The names, in the order in which they came."""
        return self._config.keys()

    def values(self) -> ValuesView[Any]:
        """The values."""
        return self._config.values()

    def items(self) -> ItemsView[str, Any]:
        """Pairs (name, value)."""
        return self._config.items()

    def get(self, keyname: str, value: Any = None) -> Any:
        """The value of a name; `value` if there is none."""
        return self._config.get(keyname, value)

    def pop(self, *args: Any) -> Any:
        """Takes a name out and gives its value; the second argument if there is none."""
        self._check("it stays")
        return self._config.pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Sets several values, as those of a dict."""
        self._check("it stays")
        self._config.update(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in OWN or hasattr(type(self), name):
            raise ArgumentError(f"Config: {name!r} is a name of its own; config[{name!r}] takes a value under it.")
        self[name] = value

    def __getattr__(self, name: str) -> Any:
        known = self.__dict__.get("_config", {})  # a copy that is being made has none yet
        if name in known:
            return known[name]
        raise AttributeError(f"Config has no value {name!r}.{did_you_mean(name, list(known))}")

    def __delattr__(self, name: str) -> None:
        if name not in self._config:
            raise AttributeError(f"Config has no value {name!r}.{did_you_mean(name, list(self._config))}")
        del self[name]

    def __setitem__(self, key: str, item: Any) -> None:
        self._check(f"{key!r} stays")
        self._config[key] = item

    def __getitem__(self, key: str) -> Any:
        return self._config[key]

    def __delitem__(self, key: str) -> None:
        self._check(f"{key!r} stays")
        del self._config[key]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        return f"<Config {self._config}>"

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._config))

    def __len__(self) -> int:
        return len(self._config)

    def __contains__(self, item: object) -> bool:
        return item in self._config
