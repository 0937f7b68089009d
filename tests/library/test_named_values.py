"""utils.Config: values as attributes and as entries."""

import copy
import json
import pickle

import pytest

from refnet.errors import ArgumentError
from refnet.utils import Config


def test_values_are_attributes_and_entries() -> None:
    config = Config(rate=0.1)
    config.seed, config["epochs"] = 3, 5
    assert (config["rate"], config.seed, config.epochs, config.get("x"), config.get("x", 1)) == (0.1, 3, 5, None, 1)
    assert list(config) == ["epochs", "rate", "seed"] and list(config.keys()) == ["rate", "seed", "epochs"]
    assert (
        len(config) == 3 and "seed" in config and "x" not in config and repr(config) == f"<Config {config.as_dict()}>"
    )
    assert list(config.values()) == [0.1, 3, 5] and dict(config.items()) == config.as_dict() == json.loads(
        config.to_json()
    )
    config.update({"seed": 4}, momentum=0.9)
    assert config.pop("momentum") == 0.9 and config.pop("momentum", None) is None and config.seed == 4
    del config["seed"]
    del config.epochs
    assert config.as_dict() == {"rate": 0.1}
    with pytest.raises(AttributeError, match=r"Config has no value 'rat'\. Did you mean 'rate'"):
        config.rat  # noqa: B018
    with pytest.raises(AttributeError, match="Config has no value 'seed'"):
        del config.seed
    with pytest.raises(KeyError):
        config["seed"]
    with pytest.raises(ArgumentError, match=r"'keys' is a name of its own; config\['keys'\] takes a value"):
        config.keys = 3  # type: ignore[method-assign, assignment]


def test_what_is_frozen_stays() -> None:
    config = Config(rate=0.1)
    config.freeze()
    copies = [config, copy.copy(config), copy.deepcopy(config), pickle.loads(pickle.dumps(config))]
    for one in copies:
        assert one.frozen and one.as_dict() == {"rate": 0.1}
        for act in (
            lambda c=one: setattr(c, "rate", 1),
            lambda c=one: c.__setitem__("rate", 1),
            lambda c=one: c.update(rate=1),
            lambda c=one: c.pop("rate"),
            lambda c=one: c.__delitem__("rate"),
            lambda c=one: delattr(c, "rate"),
        ):
            with pytest.raises(ArgumentError, match=r"Config: it is frozen, so .* stays as it is; unfreeze\(\)"):
                act()
        assert one.rate == 0.1
    config.unfreeze()
    config.rate = 0.2
    assert not config.frozen and config.rate == 0.2
