"""keras.tree: nested structures of every kind, and what is refused. Its peers test compares them with Keras."""

from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import numpy as np
import pytest

from refnet import tree
from refnet.errors import ArgumentError, MissingArgumentError, UsageError

Point = namedtuple("Point", "x y")
Other = namedtuple("Other", "x y")


def whole() -> Any:
    return [Point(1, [2]), {"b": (3,), "a": OrderedDict(z=4, y=deque([5], 2))}, defaultdict(list, k=None), ()]


def test_every_kind_is_taken_apart_and_put_together() -> None:
    leaves = tree.flatten(whole())
    assert leaves == [1, 2, 4, 5, 3, None]
    again = tree.pack_sequence_as(whole(), [leaf and leaf * 10 for leaf in leaves])
    assert again == tree.map_structure(lambda leaf: leaf and leaf * 10, whole())
    assert again[0] == Point(10, [20]) and isinstance(again[0], Point)
    assert list(again[1]) == ["b", "a"] and list(again[1]["a"].items()) == [("z", 40), ("y", deque([50]))]
    assert again[1]["a"]["y"].maxlen == 2 and again[2]["new"] == [] and isinstance(again[1]["a"], OrderedDict)
    assert tree.pack_sequence_as("leaf", ["other"]) == "other"


def test_paths_lead_to_leaves() -> None:
    for path, leaf in tree.flatten_with_path(whole()):
        part = whole()
        for place in path:
            part = part[place]
        assert part == leaf
    assert tree.flatten_with_path(3) == [((), 3)]


def test_several_structures() -> None:
    assert tree.map_structure(lambda a, b: a - b, Point(5, [6]), Point(1, [2])) == Point(4, [4])
    assert tree.map_structure(lambda a, b: a - b, {"a": 3}, OrderedDict(a=1)) == {"a": 2}
    assert tree.map_structure(lambda a, b: a + b, [None, 1], [None, 2], none_is_leaf=False) == [None, 3]
    assert tree.map_structure(repr, None) == "None" and tree.map_structure(repr, None, none_is_leaf=False) is None
    assert tree.map_structure_up_to({"a": 0, "b": [0]}, len, {"a": [1, 2], "b": ["xyz"]}) == {"a": 2, "b": [3]}


def test_traverse() -> None:
    seen: list[Any] = []
    structure = [(1, 2), {"a": [3]}]
    assert tree.traverse(seen.append, structure) == structure
    assert seen == [structure, (1, 2), 1, 2, {"a": [3]}, [3], 3]
    seen.clear()
    tree.traverse(seen.append, structure, top_down=False)
    assert seen == [1, 2, (1, 2), 3, [3], {"a": [3]}, structure]

    def hidden(part: Any) -> Any:
        return tree.MAP_TO_NONE if part in (2, [3]) else None

    assert tree.traverse(hidden, structure) == [(1, None), {"a": None}]
    assert tree.lists_to_tuples([1, {"a": [[2]]}, deque([3])]) == (1, {"a": ((2,),)}, deque([3]))


def test_shapes_are_leaves() -> None:
    assert tree.map_shape_structure(lambda shape: shape and shape[-1], [(None, 2), {"a": [3], "b": ()}]) == [
        2,
        {"a": 3, "b": ()},
    ]


@pytest.mark.parametrize(
    ("a", "b", "where"),
    [
        ([1], (1,), "differ: a list of 1 in the first, a tuple of 1 in the second"),
        ([[1, 2]], [[1]], r"differ at \[0\]: a list of 2 in the first, a list of 1 in the second"),
        ({"a": [None]}, {"a": [[]]}, r"differ at \['a'\]\[0\]: None in the first, a list of 0 in the second"),
        ({"a": 1}, OrderedDict(b=1), "a dict with the keys 'a' in the first, an OrderedDict with the keys 'b'"),
        (Point(1, 2), Other(1, 2), "a Point of 2 in the first, an Other of 2 in the second"),
        (deque([1]), [1], "a deque of 1 in the first, a list of 1 in the second"),
    ],
)
def test_structures_that_differ(a: Any, b: Any, where: str) -> None:
    for check in (tree.assert_same_structure, lambda a, b: tree.map_structure(print, a, b)):
        with pytest.raises(ArgumentError, match=where):
            check(a, b)


def test_alike() -> None:
    tree.assert_same_structure(whole(), tree.map_structure(lambda _: np.zeros(2), whole()))
    tree.assert_same_structure({"b": 1, "a": 2}, defaultdict(int, a=1, b=2))
    tree.assert_same_paths(Point(1, [2]), [3, (4,)])
    with pytest.raises(ArgumentError, match=r"only the second structure has \[1\]\[0\]"):
        tree.assert_same_paths([1], [1, [2]])


class Counted:
    """A key that counts how often keys are compared."""

    compared = 0

    def __init__(self, place: int):
        self.place = place

    def __hash__(self) -> int:
        return self.place

    def __lt__(self, other: Any) -> bool:
        return bool(self.place < other.place)

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return isinstance(other, Counted) and self.place == other.place


def test_paths_are_looked_up_not_searched_for() -> None:
    a, b = ({Counted(k): k for k in range(200)} for _ in range(2))
    Counted.compared = 0
    tree.assert_same_paths(a, b)
    assert Counted.compared < 200 * 20  # a search among all takes 200 * 200


def test_mistakes() -> None:
    with pytest.raises(UsageError, match="map_structure: func must be a function; got 3"):
        tree.map_structure(3, [1])
    with pytest.raises(MissingArgumentError, match="give at least one structure"):
        tree.map_structure(len)
    with pytest.raises(ArgumentError, match="None must stand at the same places"):
        tree.map_structure(print, [None], [1], none_is_leaf=False)
    with pytest.raises(ArgumentError, match=r"map_structure_up_to: the structures differ at \[1\]"):
        tree.map_structure_up_to([0, [0]], print, [1, 2])
    with pytest.raises(ArgumentError, match="the structure has 2 leaves; flat_sequence has 3"):
        tree.pack_sequence_as([1, [2]], [1, 2, 3])
    with pytest.raises(UsageError, match="flat_sequence must be a list of leaves; got 3"):
        tree.pack_sequence_as([1], 3)
