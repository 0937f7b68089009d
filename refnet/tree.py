"""Nested structures of any depth, as Keras's `keras.tree` names what is done with them.

Lists, tuples, named tuples, deques and dicts hold parts; everything else is a leaf, None and arrays too. A dict's parts are taken in
the order of its sorted keys, an OrderedDict's as they stand.
"""

from collections.abc import Callable, Iterable
from typing import Any

from refnet.errors import ArgumentError, MissingArgumentError, UsageError, shown
from refnet.structure import flatten as flatten
from refnet.structure import like, mapped, packed, places

__all__ = [
    *("MAP_TO_NONE", "assert_same_paths", "assert_same_structure", "flatten", "flatten_with_path", "is_nested"),
    *("lists_to_tuples", "map_shape_structure", "map_structure", "map_structure_up_to", "pack_sequence_as", "traverse"),
]


class MAP_TO_NONE:
    """What a function given to `traverse` returns to put None in a part's place; None itself leaves the part alone."""


def is_nested(structure: Any) -> bool:
    """Whether this holds parts, that is, whether it is no leaf.

    Args:
        structure: anything.
    Returns:
        True of a list, tuple, named tuple, deque or dict, empty ones too.
    Source: Keras 3 `tree.is_nested`.

    >>> is_nested({"size": 2}), is_nested("ab")
    (True, False)
    """
    return places(structure) is not None


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves in the order of `flatten`, each with the indices and keys that lead to it.

    Args:
        structure: nested or a leaf, whose path is ().
    Returns:
        A list of (path, leaf). In a named tuple the path has a field's index.
    Source: Keras 3 `tree.flatten_with_path`.

    >>> flatten_with_path({"b": [5, 6], "a": 4})
    [(('a',), 4), (('b', 0), 5), (('b', 1), 6)]
    """
    inside = places(structure)
    if inside is None:
        return [((), structure)]
    return [((place, *path), leaf) for place in inside for path, leaf in flatten_with_path(structure[place])]


def assert_same_structure(a: Any, b: Any, check_types: bool | None = None) -> None:
    """Refuses two structures that are not nested alike, whatever their leaves.

    Args:
        a, b: nested structures. A dict is like an OrderedDict or defaultdict with the same keys; a list, a tuple, a deque and
            each class of named tuples are different kinds.
        check_types: without effect, as in Keras 3.15; `assert_same_paths` compares without the kinds.
    Raises:
        ArgumentError: they differ; says where.
    Source: Keras 3 `tree.assert_same_structure`.

    >>> assert_same_structure({"a": [1, 2]}, {"a": [[3], 4]})
    Traceback (most recent call last):
    refnet.errors.ArgumentError: assert_same_structure: the structures differ at ['a'][0]: an int in the first, a list of 1 in the second.
    """
    _same("assert_same_structure", a, b, ())


def assert_same_paths(a: Any, b: Any) -> None:
    """Refuses two structures whose leaves are not at the same indices and keys.

    Args:
        a, b: nested structures; a list and a tuple of the same length are alike.
    Raises:
        ArgumentError: a path that only one of them has.
    Source: Keras 3 `tree.assert_same_paths`.

    >>> assert_same_paths([0, (1, 2)], (3, [4, 5]))
    """
    of_a, of_b = ([path for path, _ in flatten_with_path(x)] for x in (a, b))
    for which, own, other in (("first", of_a, of_b), ("second", of_b, of_a)):
        known = set(other)
        alone = [path for path in own if path not in known]
        if alone:
            raise ArgumentError(
                f"assert_same_paths: only the {which} structure has {', '.join(map(_written, alone[:3]))}"
                f"{' and more' if len(alone) > 3 else ''}. Both must have leaves at the same places."
            )


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """The structure with func(leaf) in place of each leaf; of several structures, func(leaf of each).

    Args:
        func: takes as many leaves as there are structures.
        structures: nested alike, as `assert_same_structure` says.
        none_is_leaf: whether func is called with None; if False, None stays None.
    Returns:
        A structure like the first.
    Raises:
        UsageError: func cannot be called.  MissingArgumentError: no structure.  ArgumentError: structures that differ, or None
        in one of them only where `none_is_leaf` is False.
    Source: Keras 3 `tree.map_structure`.

    >>> map_structure(lambda x, y: x + y, {"a": [1, 2]}, {"a": [10, 20]})
    {'a': [11, 22]}
    """
    _callable("map_structure", func, structures)
    for other in structures[1:]:
        _same("map_structure", structures[0], other, ())

    def of_leaves(*leaves: Any) -> Any:
        nothing = [leaf is None for leaf in leaves]
        if none_is_leaf or not any(nothing):
            return func(*leaves)
        if not all(nothing):
            raise ArgumentError(
                "map_structure: with none_is_leaf=False, None must stand at the same places in all structures."
            )
        return None

    return mapped(of_leaves, *structures)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """As `map_structure`, but no deeper than another structure goes: func gets whole parts where that one has leaves.

    Args:
        shallow_structure: says how deep; its leaves are not used.
        func: takes as many parts as there are structures.
        structures: nested like the shallow one, or deeper.
    Returns:
        A structure like the shallow one.
    Raises:
        UsageError: func cannot be called.  MissingArgumentError: no structure.  ArgumentError: a structure that is shallower.
    Source: Keras 3 `tree.map_structure_up_to`.

    >>> map_structure_up_to([None, [None]], len, [(1, 2), ["abc"]])
    [2, [3]]
    """
    _callable("map_structure_up_to", func, structures)
    for other in structures:
        _same("map_structure_up_to", shallow_structure, other, (), deeper=True)
    return mapped(lambda _, *parts: func(*parts), shallow_structure, *structures)


def pack_sequence_as(structure: Any, flat_sequence: Iterable[Any]) -> Any:
    """The inverse of `flatten`: the structure with these leaves.

    Args:
        structure: nested or a leaf.
        flat_sequence: as many leaves as the structure has, in the order of `flatten`.
    Returns:
        A structure like the given one.
    Raises:
        UsageError: flat_sequence cannot be gone through.  ArgumentError: another number of leaves.
    Source: Keras 3 `tree.pack_sequence_as`.

    >>> pack_sequence_as({"b": 0, "a": (0, 0)}, [1, 2, 3])
    {'b': 3, 'a': (1, 2)}
    """
    try:
        leaves = list(flat_sequence)
    except TypeError:
        raise UsageError(
            f"pack_sequence_as: flat_sequence must be a list of leaves; got {shown(flat_sequence)}."
        ) from None
    wanted = len(flatten(structure))
    if len(leaves) != wanted:
        raise ArgumentError(f"pack_sequence_as: the structure has {wanted} leaves; flat_sequence has {len(leaves)}.")
    return packed(structure, leaves)


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Calls a function with the structure, with each of its parts and each leaf, and puts what it returns in their place.

    Args:
        func: gets one part. None means: leave it. Anything else replaces it (`MAP_TO_NONE` puts None there).
        structure: nested or a leaf.
        top_down: whether a part comes before those inside of it, which are then left out if it was replaced; if False, after
            them, with their replacements in it.
    Returns:
        The structure with the replacements.
    Raises:
        UsageError: func cannot be called.
    Source: Keras 3 `tree.traverse`.

    >>> traverse(lambda x: len(x) if isinstance(x, tuple) else None, [(5, 6), {"a": (7, 8, 9)}])
    [2, {'a': 3}]
    """
    _callable("traverse", func, (structure,))
    found = func(structure) if top_down else None
    if found is None:
        inside = places(structure)
        if inside is not None:
            structure = like(structure, [traverse(func, structure[place], top_down) for place in inside])
        found = None if top_down else func(structure)
    if found is None:
        return structure
    return None if found is MAP_TO_NONE else found


def lists_to_tuples(structure: Any) -> Any:
    """The structure with a tuple in place of each list.

    Args:
        structure: nested or a leaf.
    Returns:
        A structure without lists.
    Source: Keras 3 `tree.lists_to_tuples`.

    >>> lists_to_tuples({"a": [1, [2]]})
    {'a': (1, (2,))}
    """
    return traverse(lambda part: tuple(part) if isinstance(part, list) else None, structure, top_down=False)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """`map_structure` of shapes: a list or tuple of whole numbers and Nones counts as a leaf.

    Args:
        func: gets a shape.
        structure: nested shapes, or one.
    Returns:
        The structure with func(shape) in place of each shape.
    Raises:
        UsageError: func cannot be called.
    Source: Keras 3 `tree.map_shape_structure`.

    >>> map_shape_structure(len, {"image": (None, 8, 8, 3), "label": (None,)})
    {'image': 4, 'label': 1}
    """
    _callable("map_shape_structure", func, (structure,))
    if isinstance(structure, (list, tuple)) and all(x is None or isinstance(x, int) for x in structure):
        return func(structure)
    inside = places(structure)
    if inside is None:
        return func(structure)
    return like(structure, [map_shape_structure(func, structure[place]) for place in inside])


# ---- errors


def _callable(name: str, func: Any, structures: tuple[Any, ...]) -> None:
    if not callable(func):
        raise UsageError(f"{name}: func must be a function; got {shown(func)}.")
    if not structures:
        raise MissingArgumentError(f"{name}: give at least one structure after the function.")


def _same(name: str, a: Any, b: Any, path: tuple[Any, ...], deeper: bool = False) -> None:
    """Refuses a second structure unlike the first; with `deeper`, one that ends before it."""
    inside = places(a)
    if inside is None and (deeper or places(b) is None):
        return
    if inside is None or _kind(a) is not _kind(b) or set(inside) != set(places(b) or ()):
        where = f" at {_written(path)}" if path else ""
        raise ArgumentError(f"{name}: the structures differ{where}: {_told(a)} in the first, {_told(b)} in the second.")
    for place in inside:
        _same(name, a[place], b[place], (*path, place), deeper)


def _kind(structure: Any) -> type:
    """Dicts of all kinds are alike; so are a list and what is derived from list, and tuples but for named ones."""
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)
    return next((kind for kind in (list, tuple, dict) if isinstance(structure, kind)), type(structure))


def _told(part: Any) -> str:
    if part is None:
        return "None"
    name = type(part).__name__
    size = "" if places(part) is None else f" of {len(part)}"
    if isinstance(part, dict) and part:
        size = f" with the keys {', '.join(map(repr, part))}"
    return ("an " if name[0].lower() in "aeio" else "a ") + name + size


def _written(path: tuple[Any, ...]) -> str:
    return "".join(f"[{place!r}]" for place in path) or "the top"
