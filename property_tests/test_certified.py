"""Every op, on every engine, stays within the certificate that its definition gives."""

import os

import numpy as np
import pytest
from drawing import Drawn
from hypothesis import given
from hypothesis import strategies as st

from refnet.definition import Op
from refnet.engine import get_engine
from refnet.testing import check, hold
from refnet.testing.draw import Seeded
from refnet.testing.evaluate import program_of
from refnet.testing.strategies import case, primitives, strategies, usages, use
from refnet.testing.usages import function_named, hold_nodes
from refnet_fast.memory import Memory

EXOTIC = os.environ.get("REFNET_PROFILE") == "deep"


@pytest.fixture(scope="module", autouse=True)
def results_lie_where_others_lay():
    """Programs begin in memory that holds NaN, not zeros: what a kernel leaves as it was shows."""
    allocate = Memory.allocate

    def spoiled(self, size):
        address = allocate(self, size)
        self.room[:] = 255
        return address

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Memory, "allocate", spoiled)
        yield


def test_every_primitive_has_a_strategy():
    assert sorted(strategies) == primitives()


@pytest.mark.parametrize("op", primitives())
@given(data=st.data())
def test_within_certificate(engine, op, data):
    drawn = case(op, Drawn(data, exotic=EXOTIC))
    check(drawn.op, engine, drawn.arrays, drawn.attributes)


@pytest.mark.parametrize("name", sorted(usages))
@given(data=st.data())
def test_public_functions_node_by_node(engine, name, data):
    """Each primitive that a public function stands on is certified on the engine's own inputs."""
    usage = use(name, Drawn(data))
    program, feeds = program_of(function_named(name), usage.arguments, usage.keywords)
    hold_nodes(program, feeds, get_engine(engine))


def test_sampled_tasks_of_a_large_product(engine):
    """A matrix product of 8.6 billion multiply-adds, held at 20 elements; smaller ones where nothing is tuned."""
    sizes = {"cpu": (2048, 2048, 2048), "cuda-sim": (7, 40, 5)}
    rows, inner, columns = sizes.get(engine, (300, 700, 250))
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((rows, inner)).astype("float32"), rng.standard_normal((inner, columns)).astype("float32")
    tasks = list(zip([0] * 20, rng.integers(0, rows, 20).tolist(), rng.integers(0, columns, 20).tolist()))
    ratio = check("matmul", engine, [a, b], {"transpose1": False, "transpose2": False}, tasks)
    assert 0 < ratio <= 1


@pytest.mark.parametrize("name", ["conv2d", "conv2d_inputs_gradient", "conv2d_kernel_gradient"])
def test_sampled_tasks_of_a_large_convolution(native_engine, name):
    """3x3 on 56x56x64 to 64 channels, 116 million multiply-adds an image, held at 8 elements: 64 images, 1 where nothing is tuned.

    An element of the kernel's gradient is a sum over all pixels of all images, so that 4 of 2 images are held.
    """
    rng = np.random.default_rng(0)
    sums = name == "conv2d_kernel_gradient"
    images = 1 if native_engine != "cpu" else 2 if sums else 64
    image, kernel = (images, 56, 56, 64), (3, 3, 64, 64)
    shapes = {"conv2d": (image, kernel, image), "conv2d_inputs_gradient": (image, kernel, image)}
    a, b, result = shapes.get(name, (image, image, kernel))
    arrays = [rng.standard_normal(shape).astype("float32") for shape in (a, b)]
    attributes = {"groups": 1, "strides": (1, 1), "dilation": (1, 1), "padding": (1, 1), "extents": (56, 56)}
    if name == "conv2d_kernel_gradient":
        attributes["extents"] = (3, 3)
    tasks = [tuple(int(i) for i in rng.integers(0, result)) for _ in range(4 if sums else 8)]
    ratio = check(name, native_engine, arrays, attributes, tasks)
    assert 0 < ratio <= 1


@pytest.mark.parametrize("name", ["conv2d", "conv2d_inputs_gradient", "conv2d_kernel_gradient"])
@given(data=st.data())
def test_sampled_tasks_of_convolutions_of_many_widths(native_engine, name, data):
    """Rows of pixels and panels of filters of every length: a tuned kernel cuts them into tiles of several kinds."""
    draw = Drawn(data)
    rng = np.random.default_rng(draw.integer(0, 2**16))
    sizes, strides, dilation = draw.several(2, 4), draw.several(2, 2), draw.several(2, 2)
    padding = tuple(draw.integer(0, (size - 1) * step) for size, step in zip(sizes, dilation))
    image = (2, draw.integer(7, 9), draw.integer(7, 30), draw.integer(1, 9))
    spans = [(size - 1) * step + 1 for size, step in zip(sizes, dilation)]
    reach = zip(image[1:3], padding, spans, strides)
    windows = tuple((n + 2 * before - span) // step + 1 for n, before, span, step in reach)
    depthwise = draw.flag()
    if depthwise:
        image = (*image[:-1], draw.integer(2, 40))
    kernel = (*sizes, 1, image[-1]) if depthwise else (*sizes, image[-1], draw.integer(1, 140))
    groups, result = image[-1] if depthwise else 1, (2, *windows, kernel[-1])
    a, b, y, extents = {
        "conv2d": (image, kernel, result, windows),
        "conv2d_inputs_gradient": (result, kernel, image, image[1:3]),
        "conv2d_kernel_gradient": (image, result, kernel, sizes),
    }[name]
    dtype = draw.choice(("float32", "float64"))
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in (a, b)]
    attributes = {"groups": groups, "strides": strides, "dilation": dilation, "padding": padding, "extents": extents}
    check(name, native_engine, arrays, attributes, [tuple(int(i) for i in rng.integers(0, y)) for _ in range(2)])


def spoiled(kind, rng, shape):
    """Numbers of one kind: of like size, of sizes from 1e-6 to 1e6, few that are not 0, some that are not finite or too large."""
    x = rng.standard_normal(shape)
    if kind == "sizes":
        x *= 10.0 ** rng.integers(-6, 7, shape)
    elif kind == "few":
        x *= rng.random(shape) < 0.02
    elif kind == "odd":
        x.flat[rng.integers(0, x.size, 6)] = np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-40
    return x.astype("float32")


@pytest.mark.parametrize("kind", ["like", "sizes", "few", "odd"])
@pytest.mark.parametrize("taps", [(3, 3), (5, 5), (4, 7)], ids=str)
@pytest.mark.parametrize("name", ["conv2d", "conv2d_inputs_gradient", "conv2d_kernel_gradient"])
def test_sampled_tasks_of_convolutions_in_tiles(native_engine, name, taps, kind):
    """Whole vectors of channels and of filters, and an odd number of rows and columns."""
    rng = np.random.default_rng(len(kind))
    before, batch, rows, columns, channels, filters = (taps[0] // 2, taps[1] // 3 - 1), 6, 15, 13, 32, 48
    image, kernel, result = (
        (batch, rows, columns, channels),
        (*taps, channels, filters),
        (batch, rows, columns, filters),
    )
    a, b, y, extents = {
        "conv2d": (image, kernel, result, (rows, columns)),
        "conv2d_inputs_gradient": (result, kernel, image, (rows, columns)),
        "conv2d_kernel_gradient": (image, result, kernel, taps),
    }[name]
    attributes = {"groups": 1, "strides": (1, 1), "dilation": (1, 1), "padding": before, "extents": extents}
    tasks = [tuple(int(i) for i in rng.integers(0, y)) for _ in range(4 if "kernel" in name else 16)]
    check(name, native_engine, [spoiled(kind, rng, a), spoiled(kind, rng, b)], attributes, tasks)


@pytest.mark.parametrize("name", ["conv2d", "conv2d_inputs_gradient", "conv2d_kernel_gradient"])
@given(data=st.data())
def test_sampled_tasks_of_tiles_of_many_shapes(native_engine, name, data):
    """Taps of every number that tiles are made for, padding up to all taps but one, and images smaller than their kernel."""
    draw = Drawn(data)
    rng = np.random.default_rng(draw.integer(0, 2**16))
    taps = draw.choice([(2, 2), (3, 5), (4, 4), (5, 5), (6, 2), (7, 7)])
    padding, images = tuple(draw.integer(0, n - 1) for n in taps), 1 if native_engine != "cpu" else 8
    image = (images, *(draw.integer(n // 2 + 2, 20) for n in taps), draw.choice((32, 48)))
    extents = tuple(max(1, n + 2 * before - size + 1) for n, before, size in zip(image[1:3], padding, taps))
    kernel, result = (*taps, image[3], draw.choice((32, 80))), (images, *extents)
    result += (kernel[3],)
    a, b, y, extents = {
        "conv2d": (image, kernel, result, extents),
        "conv2d_inputs_gradient": (result, kernel, image, image[1:3]),
        "conv2d_kernel_gradient": (image, result, kernel, taps),
    }[name]
    kind, dtype = draw.choice(("like", "sizes", "few", "odd")), draw.choice(("float32", "float64"))
    arrays = [spoiled(kind, rng, shape).astype(dtype) for shape in (a, b)]
    attributes = {"groups": 1, "strides": (1, 1), "dilation": (1, 1), "padding": padding, "extents": extents}
    check(name, native_engine, arrays, attributes, [tuple(int(i) for i in rng.integers(0, y)) for _ in range(2)])


@given(data=st.data())
def test_first_frequencies_of_many_lengths(native_engine, data):
    """Lengths with factors of all kinds, whose transforms may go in ways of their own; real signals among them."""
    draw = Drawn(data)
    rng = np.random.default_rng(draw.integer(0, 2**16))
    n, kind, dtype = (
        draw.integer(5, 200),
        draw.choice(("like", "sizes", "few", "odd")),
        draw.choice(("float32", "float64")),
    )
    re, im = (spoiled(kind, rng, (2, n)).astype(dtype) for _ in range(2))
    if draw.flag():
        im = np.zeros_like(im)
    attributes = {"sign": draw.choice((-1, 1)), "count": draw.integer(1, min(n, 6))}
    check("dft", native_engine, [re, im], attributes)


@pytest.mark.parametrize("name", ["conv3d", "conv3d_inputs_gradient", "conv3d_kernel_gradient"])
@given(data=st.data())
def test_sampled_tasks_of_volumes_of_many_widths(native_engine, name, data):
    """Panels of channels and filters of every length, strides that leave layers without a tap among them."""
    draw = Drawn(data)
    rng = np.random.default_rng(draw.integer(0, 2**16))
    sizes, strides = draw.several(3, 2), draw.several(3, 2)
    volume = (1, *draw.several(3, 5, least=2), draw.integer(1, 70))
    windows = tuple((n - size) // step + 1 for n, size, step in zip(volume[1:], sizes, strides))
    kernel = (*sizes, volume[-1], draw.integer(1, 70))
    result = (1, *windows, kernel[-1])
    a, b, y, extents = {
        "conv3d": (volume, kernel, result, windows),
        "conv3d_inputs_gradient": (result, kernel, volume, volume[1:4]),
        "conv3d_kernel_gradient": (volume, result, kernel, sizes),
    }[name]
    arrays = [rng.standard_normal(shape).astype("float32") for shape in (a, b)]
    attributes = {"groups": 1, "strides": strides, "dilation": (1, 1, 1), "padding": (0, 0, 0), "extents": extents}
    check(name, native_engine, arrays, attributes, [tuple(int(i) for i in rng.integers(0, y)) for _ in range(4)])


@pytest.mark.parametrize(
    "name",
    ["", "_query_gradient", "_key_gradient", "_bias_gradient", "_query_and_bias_gradient", "_query_and_key_gradient"],
)
@given(data=st.data())
def test_sampled_tasks_of_attention_over_many_places(native_engine, name, data):
    """More queries and keys than a tuned kernel works on at a time, with every kind of mask, and infinities behind them.

    Bias and mask are shared by the batch, so that one compiled kernel serves all.
    """
    draw = Drawn(data)
    rng = np.random.default_rng(draw.integer(0, 2**16))
    batch, group, heads = 2, draw.integer(1, 2), draw.integer(1, 2)
    both = (
        "_and_key" in name
    )  # one task has all queries and all keys of a head: few of one where there are many of the other
    queries = draw.integer(1, 70)
    keys = draw.integer(1, min(300, 3000 // queries) if both else 300)
    features, depth = draw.integer(1, 20), draw.integer(1, 20)
    if name == "_bias_gradient":  # which is made in blocks of keys, many queries at a time
        queries, keys = keys, queries
    normal = lambda *shape: rng.standard_normal(shape).astype("float32")
    q, k = normal(batch, queries, group * heads, features), normal(batch, keys, heads, features)
    v, logits = normal(batch, keys, heads, depth), (batch, group * heads, queries, keys)
    shapes = ((), (1, 1, 1, keys), (queries, keys), (1, 1, queries, 1), (1, *logits[1:]))
    bias, mask = normal(*draw.choice(shapes)), rng.random(draw.choice(shapes)) < draw.choice((0.1, 0.7, 1.0))
    attributes = {"scale": 0.3, "is_causal": draw.flag()}
    op, arrays = Op.named["dot_product_attention" + name], [q, k, v, bias, mask]
    if draw.flag():  # a key that is masked may hold anything
        mask = np.broadcast_to(mask, (1, *logits[1:])).copy()
        mask[..., keys // 2] = False
        k[:, keys // 2], v[:, keys // 2] = np.inf, np.nan
        arrays[4] = mask
    if name:
        _, height = Op.named["dot_product_attention"](*arrays, **attributes)
        arrays = [normal(*q.shape[:3], depth), *arrays, height, normal(*logits[:3])]
    result = {
        "_key_gradient": k.shape[:3],
        "_bias_gradient": logits,
        "_query_and_key_gradient": (batch, heads),
    }.get(name, logits[:3])
    tasks = {tuple(int(i) for i in rng.integers(0, result)) for _ in range(1 if both else 2)}
    check(op.name, native_engine, arrays, attributes, sorted(tasks))


@pytest.mark.parametrize("name", ["batch_normalization_training", "batch_normalization_training_gradient"])
def test_moments_of_many_rows(native_engine, name):
    """2500 rows of 8 channels, half of them far from 0: mean and variance are joined from those of several blocks."""
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((2500, 8)) * ([1, 5] * 4) + [0, 300] * 4).astype("float32")
    offset, scale = rng.standard_normal((2, 8)).astype("float32")
    arrays = [x, offset, scale]
    if name.endswith("gradient"):
        dy = rng.standard_normal(x.shape).astype("float32")
        arrays = [dy, x, x.mean(axis=0), x.var(axis=0), scale]
    check(name, native_engine, arrays, {"axis": 1, "epsilon": 1e-3}, [(0,), (7,)])


def test_sums_that_cancel(engine):
    """Fixed ULP limits fail here: the exact sum is tiny beside its terms."""
    x = np.concatenate([np.full(500, 1e4), [1e-3], np.full(500, -1e4)]).astype("float32")
    check("sum", engine, [x], {"start": 0, "count": 1, "keepdims": False})


def test_the_definition_itself_is_certified():
    for name in primitives():
        drawn = case(name, Seeded((name, "reference"), exotic=True))
        check(drawn.op, "reference", drawn.arrays, drawn.attributes)


def test_a_certificate_refuses_what_is_three_roundings_off():
    x = np.array([1.0, 2.0], "float32")
    wrong = (x + x) * np.float32(1 + 2**-22)
    with pytest.raises(AssertionError, match=r"add on reference: y\[0\] is 2.00000\d+; exactly 2.0, allowed"):
        hold(Op.named["add"], get_engine("reference"), [x, x], {}, [wrong])
