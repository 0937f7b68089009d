"""Where the boxes of a graph without cycles go: in layers, each box below all it comes from (Sugiyama, Tagawa, Toda 1981)."""

from collections.abc import Sequence
from typing import NamedTuple

GAP, STEP, EDGE = 0.35, 0.45, 0.25  # inches: between boxes, between layers, at the border
SWEEPS = 6
Point = tuple[float, float]


class Layout(NamedTuple):
    """Centres of the boxes, paths of the arrows (from border to border), the size of the whole; y grows downwards."""

    centres: list[Point]
    paths: list[list[Point]]
    width: float
    height: float


def layered(sizes: Sequence[Point], sources: Sequence[Sequence[int]], sideways: bool = False) -> Layout:
    """A layout of boxes.

    Args:
        sizes: (width, height) of each box.
        sources: for each box the numbers of those that arrows come from, lower than its own.
        sideways: whether layers go from left to right.

    >>> layered([(1, 1), (1, 1)], [(), (0,)]).centres
    [(0.75, 0.75), (0.75, 2.2)]
    """
    if sideways:
        turned = layered([(h, w) for w, h in sizes], sources)
        swap = [(y, x) for x, y in turned.centres]
        return Layout(swap, [[(y, x) for x, y in path] for path in turned.paths], turned.height, turned.width)
    ranks: list[int] = []
    for before in sources:
        ranks.append(1 + max((ranks[i] for i in before), default=-1))
    # An arrow across several layers goes through a point in each: a box of no size.
    nodes, rank, chains = list(sizes), list(ranks), []
    above: list[list[int]] = [[] for _ in sizes]
    for i, before in enumerate(sources):
        for source in before:
            chain = [source]
            for level in range(ranks[source] + 1, ranks[i]):
                nodes.append((0.0, 0.0))
                rank.append(level)
                above.append([chain[-1]])
                chain.append(len(nodes) - 1)
            above[i].append(chain[-1])
            chains.append([*chain, i])
    rows = ordered(rank, above)
    return placed(nodes, rows, chains, len(sizes))


def ordered(rank: Sequence[int], above: Sequence[Sequence[int]]) -> list[list[int]]:
    """The nodes of each layer in an order with few crossings: by the mean place of their neighbours, downwards and upwards."""
    rows: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    below: list[list[int]] = [[] for _ in rank]
    for node, level in enumerate(rank):
        rows[level].append(node)
        for upper in above[node]:
            below[upper].append(node)
    for sweep in range(SWEEPS):
        neighbours, order = (above, rows) if sweep % 2 == 0 else (below, rows[::-1])
        place = {node: i / max(len(row) - 1, 1) for row in rows for i, node in enumerate(row)}
        for row in order:
            means = {n: sum(place[m] for m in neighbours[n]) / len(neighbours[n]) for n in row if neighbours[n]}
            row.sort(key=lambda n: means.get(n, place[n]))
            place.update({node: i / max(len(row) - 1, 1) for i, node in enumerate(row)})
    return rows


def placed(
    nodes: Sequence[Point], rows: Sequence[Sequence[int]], chains: Sequence[Sequence[int]], boxes: int
) -> Layout:
    """Rows centred one below the other."""
    widths = [sum(nodes[n][0] for n in row) + GAP * (len(row) - 1) for row in rows]
    width, top = max(widths, default=0.0) + 2 * EDGE, EDGE
    centres: dict[int, Point] = {}
    rows_of: dict[int, Point] = {}
    for row, own in zip(rows, widths):
        left, height = (width - own) / 2, max(nodes[n][1] for n in row)
        for n in row:
            centres[n] = (left + nodes[n][0] / 2, top + height / 2)
            rows_of[n] = (top, top + height)
            left += nodes[n][0] + GAP
        top += height + STEP
    paths = []
    for chain in chains:
        start, end = chain[0], chain[-1]
        (x0, y0), (x1, y1) = centres[start], centres[end]
        inner = [(centres[n][0], y) for n in chain[1:-1] for y in rows_of[n]]  # straight past the boxes of a layer
        paths.append([(x0, y0 + nodes[start][1] / 2), *inner, (x1, y1 - nodes[end][1] / 2)])
    return Layout([centres[n] for n in range(boxes)], paths, width, top - STEP + EDGE)
