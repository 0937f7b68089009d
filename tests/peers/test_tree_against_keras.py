"""keras.tree takes apart and puts together what ours does, in the same order."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest

from refnet import tree

pytestmark = pytest.mark.peers

Point = namedtuple("Point", "x y")
STRUCTURES = [
    3,
    None,
    (),
    [[1, [2]], (3,)],
    {"b": 1, "a": {"c": None, "d": 2}},  # Keras on PyTorch does not sort dicts inside of dicts; on JAX it does
    OrderedDict(z=1, a=[2]),
    [Point(1, {"k": 2}), deque([3])],
    defaultdict(list, b=(1,), a=2),
]


@pytest.mark.parametrize("structure", STRUCTURES, ids=repr)
def test_as_keras(structure):
    import keras

    theirs, seen = keras.tree, ([], [])
    leaves = tree.flatten(structure)
    assert leaves == theirs.flatten(structure)
    assert tree.is_nested(structure) == theirs.is_nested(structure)
    assert tree.flatten_with_path(structure) == theirs.flatten_with_path(structure)
    assert tree.map_structure(repr, structure) == theirs.map_structure(repr, structure)
    assert tree.lists_to_tuples(structure) == theirs.lists_to_tuples(structure)
    new = list(range(len(leaves)))
    assert tree.pack_sequence_as(structure, new) == theirs.pack_sequence_as(structure, new)
    for top_down in (True, False):
        for package, found in zip((tree, theirs), seen):
            package.traverse(found.append, structure, top_down=top_down)
        assert seen[0] == seen[1]


@pytest.mark.parametrize("a", STRUCTURES, ids=repr)
def test_the_same_are_refused(a):
    import keras

    for b in [*STRUCTURES, [1], (1,), {"z": 1, "a": [2]}, [[1, [2]], [3]]]:
        for name in ("assert_same_structure", "assert_same_paths"):
            refused = []
            for package in (tree, keras.tree):
                try:
                    getattr(package, name)(a, b)
                except ValueError:
                    refused.append(package)
            assert len(refused) in (0, 2), (name, a, b)
