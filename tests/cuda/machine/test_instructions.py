"""The machine for PTX, an instruction at a time: values worked out by hand, or by Python's own integers and fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from ptx_texts import KINDS, computed, kernel, run, stored_as

from refnet_fast.cuda.machine import MachineError, rounding


def bits(values):
    return np.asarray(values).view(f"u{np.asarray(values).dtype.itemsize}").tolist()


def held(instruction, result, *columns):
    """(kinds of the operands as the instruction's own last word, wanted) compared with what comes."""
    kind = instruction.rpartition(".")[2]
    found = computed(instruction, [kind] * (len(columns) + 1), *columns)
    assert bits(found) == bits(stored_as(result, kind))


MOST, LEAST = 2**63 - 1, -(2**63)


@pytest.mark.parametrize(
    "instruction, columns, result",
    [
        ("add.s32", [[2**31 - 1, -5], [1, 3]], [-(2**31), -2]),
        ("sub.u32", [[1, 7], [2, 3]], [2**32 - 1, 4]),
        ("mul.lo.s64", [[2**62, -3], [4, 5]], [0, -15]),
        ("mul.hi.s64", [[MOST, -1, LEAST], [MOST, 1, LEAST]], [2**62 - 1, -1, 2**62]),
        ("mul.hi.u64", [[2**64 - 1, 2**33], [2**64 - 1, 2**32]], [2**64 - 2, 2]),
        ("mul.hi.u32", [[2**32 - 1, 2**17], [2**32 - 1, 2**16]], [2**32 - 2, 2]),
        ("mad.lo.s32", [[7, -2], [6, 5], [-1, 1]], [41, -9]),
        ("div.s32", [[-7, 7, 7, -(2**31)], [2, -2, 2, -1]], [-3, -3, 3, -(2**31)]),
        ("rem.s32", [[-7, 7, 7], [2, -2, 4]], [-1, 1, 3]),
        ("div.u64", [[2**64 - 1, 9], [10, 0]], [(2**64 - 1) // 10, 2**64 - 1]),
        ("neg.s16", [[-(2**15), 5]], [-(2**15), -5]),
        ("abs.s32", [[-5, 5]], [5, 5]),
        ("min.s64", [[-1, 4], [1, 3]], [-1, 3]),
        ("max.u32", [[2**32 - 1, 4], [1, 5]], [2**32 - 1, 5]),
        ("and.b32", [[12], [10]], [8]),
        ("xor.b64", [[2**63 + 1], [1]], [2**63]),
        ("not.b32", [[0]], [2**32 - 1]),
        ("cnot.b32", [[0, 3]], [1, 0]),
    ],
)
def test_integers(instruction, columns, result):
    held(instruction, result, *columns)


@pytest.mark.parametrize(
    "instruction, kinds, columns, result",
    [
        ("mul.wide.s32", ["s64", "s32", "s32"], [[-(2**31), 7], [2**31 - 1, -2]], [-(2**31) * (2**31 - 1), -14]),
        ("mul.wide.u16", ["u32", "u16", "u16"], [[65535], [65535]], [65535**2]),
        ("mad.wide.u32", ["u64", "u32", "u32", "u64"], [[2**32 - 1], [2**32 - 1], [5]], [(2**32 - 1) ** 2 + 5]),
        ("shl.b32", ["b32", "b32", "u32"], [[1, 1, 3], [31, 32, 100]], [2**31, 0, 0]),
        ("shr.u64", ["u64", "u64", "u32"], [[2**63, 5], [63, 64]], [1, 0]),
        ("shr.s64", ["s64", "s64", "u32"], [[-8, -8, 8], [1, 70, 70]], [-4, -1, 0]),
        ("shr.s16", ["s16", "s16", "u32"], [[-8, 8], [20, 2]], [-1, 2]),
        ("popc.b64", ["u32", "b64"], [[2**64 - 1, 5]], [64, 2]),
        ("clz.b32", ["u32", "b32"], [[0, 1, 2**31]], [32, 31, 0]),
        ("bfind.s32", ["u32", "s32"], [[0, -1, -2, 8]], [2**32 - 1, 2**32 - 1, 0, 3]),
        ("brev.b32", ["b32", "b32"], [[1, 6]], [2**31, 0x60000000]),
        ("bfe.u32", ["u32", "u32", "u32", "u32"], [[0xABCD1234, 0xF0], [8, 40], [8, 4]], [0x12, 0]),
        ("bfe.s32", ["s32", "s32", "u32", "u32"], [[0xF0, 0x70, 2**31], [4, 4, 28], [4, 4, 8]], [-1, 7, -8]),
        ("bfi.b32", ["b32"] * 3 + ["u32", "u32"], [[0xFF, 5], [0, 0xFFFFFFFF], [8, 0], [4, 3]], [0xF00, 0xFFFFFFFD]),
        ("prmt.b32", ["b32"] * 4, [[0x33221100] * 2, [0x77665584] * 2, [0x7531, 0x000C]], [0x77553311, 0x000000FF]),
        ("shf.l.wrap.b32", ["b32"] * 4, [[0x80000001] * 2, [2] * 2, [1, 33]], [5, 5]),
        ("shf.r.clamp.b32", ["b32"] * 4, [[0x80000001] * 2, [3] * 2, [1, 40]], [0xC0000000, 3]),
    ],
)
def test_bits(instruction, kinds, columns, result):
    found = computed(instruction, kinds, *columns)
    assert bits(found) == bits(stored_as(result, kinds[0]))


@pytest.mark.parametrize(
    "table, function", [(0x96, lambda a, b, c: a ^ b ^ c), (0xCA, lambda a, b, c: (a & b) | (~a & c))]
)
def test_any_function_of_three_bits(table, function):
    a, b, c = 0xF0F0A5A5, 0xCCCC3C3C, 0xAAAA0FF0
    text = f"lop3.b32 %x0, {a}, {b}, {c}, {table}"
    assert one_word(text) == function(a, b, c) % 2**32


def one_word(instruction, declared=""):
    """The word that a lone thread's %x0 holds after an instruction."""
    out = np.zeros(4, np.uint32)
    body = f".reg .b32 %x<4>;\n.reg .u64 %a;\n{declared}\nld.param.u64 %a, [p0];\n{instruction};\nst.global.u32 [%a], %x0;\nret;"
    run(kernel(body), (1,), (1,), out)
    return int(out[0])


def test_long_numbers_part_by_part():
    """96 bits by the carry, as NVIDIA's functions have it, against Python's integers."""
    a, b = 0xFFFFFFFF_FFFFFFFF_00000007, 0x00000001_FFFFFFFF_FFFFFFFF
    for name, whole in (("add", a + b), ("sub", a - b)):
        parts = [
            f"{name}{'c' if n else ''}.cc.u32 %x{n + 1}, {a >> 32 * n & 2**32 - 1}, {b >> 32 * n & 2**32 - 1}"
            for n in range(3)
        ]
        for n in range(3):
            assert one_word(";\n".join([*parts, f"mov.b32 %x0, %x{n + 1}"])) == whole >> 32 * n & 2**32 - 1
    x, y, z = 0xFFFFFFF1, 0xFFFFFFF3, 0xFFFFFFFFFFFFFFF5
    both = [f"mad.lo.cc.u32 %x1, {x}, {y}, {z & 2**32 - 1}", f"madc.hi.u32 %x2, {x}, {y}, {z >> 32}"]
    found = [one_word(";\n".join([*both, f"mov.b32 %x0, %x{n}"])) for n in (1, 2)]
    assert found[1] << 32 | found[0] == (x * y + z) % 2**64


def test_products_of_bytes():
    assert computed("dp4a.u32.u32", ["u32"] * 4, [0x01020304], [0xFF000002], [5]).tolist() == [255 + 8 + 5]
    assert computed("dp4a.s32.s32", ["s32"] * 4, [0xFF000002], [0x02000003], [-1]).tolist() == [-2 + 6 - 1]


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    "comparison, result",
    [("eq", [0, 1, 0]), ("ne", [1, 0, 0]), ("lt", [1, 0, 0]), ("geu", [0, 1, 1]), ("neu", [1, 0, 1])]
    + [("ltu", [1, 0, 1]), ("num", [1, 1, 0]), ("nan", [0, 0, 1]), ("ge", [0, 1, 0]), ("equ", [0, 1, 1])],
)
def test_comparisons_of_floats(comparison, result):
    ones = computed(f"set.{comparison}.u32.f32", ["u32", "f32", "f32"], [1.0, 2.0, NAN], [2.0, 2.0, 1.0])
    assert ones.tolist() == [2**32 - 1 if r else 0 for r in result]


@pytest.mark.parametrize(
    "comparison, result", [("lt.s32", 1), ("lt.u32", 0), ("lo.u32", 0), ("hs.u32", 1), ("ne.s32", 1)]
)
def test_comparisons_and_selection(comparison, result):
    both = f"setp.{comparison} %p|%q, -1, 1;\nselp.b32 %x1, 1, 0, %p;\nselp.b32 %x2, 2, 0, %q;\nadd.u32 %x0, %x1, %x2"
    assert one_word(both, ".reg .pred %p, %q;") == (1 if result else 2)
    joined = f"setp.eq.s32 %q, 1, 1;\nsetp.{comparison}".replace(
        "setp." + comparison, f"setp.{comparison[:2]}.and{comparison[2:]}"
    )
    assert one_word(f"{joined} %p, -1, 1, !%q;\nselp.b32 %x0, 1, 0, %p", ".reg .pred %p, %q;") == 0


# ---- floats


def test_fused_products_are_rounded_once():
    """Against fractions; most of these would differ if they were rounded twice, or if the product were rounded."""
    rng = np.random.default_rng(1)
    for dtype, kind, width in (("float32", "f32", 24), ("float64", "f64", 53)):
        a, b = (rng.integers(1, 2**width, 3000).astype(dtype) for _ in range(2))
        c = -(a * b)  # what is left is the product's error alone
        tie = np.ldexp(np.ones(3000), width).astype(dtype)
        a, b = np.concatenate([a, tie + 2]), np.concatenate([b, np.ones(3000, dtype) / 4 * 3])
        c = np.concatenate([c, (rng.integers(1, 9, 3000) * 2.0**-70).astype(dtype)])
        for mode in ("rn", "rm", "rp", "rz"):
            found = computed(f"fma.{mode}.{kind}", [kind] * 4, a[::40], b[::40], c[::40])
            for x, y, z, r in zip(a[::40], b[::40], c[::40], found):
                assert r == once(Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z)), dtype, mode)


def once(exact, dtype, mode="rn"):
    """A fraction rounded once to a dtype, by comparing neighbours."""
    if exact == 0:
        return 0.0
    near = np.dtype(dtype).type(float(exact))
    about = [np.nextafter(near, near.dtype.type(side)) for side in (-INF, INF)]
    below = max(x for x in (*about, near) if Fraction(float(x)) <= exact)
    above = min(x for x in (*about, near) if Fraction(float(x)) >= exact)
    down, up = exact - Fraction(float(below)), Fraction(float(above)) - exact
    if mode == "rn":
        even = below.view(f"u{below.dtype.itemsize}") % 2 == 0
        return below if down < up or (down == up and even) else above
    return {"rm": below, "rp": above, "rz": below if exact > 0 else above}[mode]


def test_a_fused_product_at_the_ends_of_the_range():
    a, b = [2.0**-600, 2.0**1000, 1e308, INF, 0.0, 5e-324], [2.0**-480, 2.0**-1000, 10.0, 0.0, 3.0, 0.5]
    c = [5e-324, 1.0, -INF, 1.0, -0.0, 5e-324]
    found = computed("fma.rn.f64", ["f64"] * 4, a, b, c)
    assert np.isnan(found[3]) and found[[0, 1, 2, 4]].tolist() == [5e-324, 2.0, -INF, 0.0]
    assert found[5] == once(Fraction(5e-324) * Fraction(0.5) + Fraction(5e-324), "float64")
    tiny = [2.0**-75], [2.0**-75 * (1 + 2.0**-20)], [2.0**-149]
    assert computed("fma.rn.f32", ["f32"] * 4, *tiny)[0] == 2.0**-148  # more than half of the last place


@pytest.mark.parametrize(
    "instruction, columns, result",
    [
        ("add.f32", [[1.0, NAN], [2.0**-25, 1.0]], [1.0, NAN]),
        ("add.rp.f32", [[1.0], [2.0**-80]], [1 + 2.0**-23]),
        ("sub.rz.f64", [[1.0], [2.0**-80]], [1 - 2.0**-53]),
        ("mul.rm.f32", [[1 + 2.0**-23], [1 + 2.0**-23]], [1 + 2.0**-22]),
        ("mul.rp.f64", [[1 + 2.0**-52], [1 + 2.0**-52]], [1 + 2.0**-51 + 2.0**-52]),
        ("add.ftz.f32", [[2.0**-127, -(2.0**-127)], [0.0, 2.0**-126]], [0.0, 2.0**-126]),
        ("mul.sat.f32", [[3.0, -3.0, NAN, 0.5], [1.0] * 4], [1.0, 0.0, 0.0, 0.5]),
        ("div.rn.f32", [[1.0, 1.0], [3.0, 0.0]], [np.float32(1) / np.float32(3), INF]),
        ("min.f32", [[NAN, -0.0, 0.0, 2.0], [1.0, 0.0, -0.0, NAN]], [1.0, -0.0, -0.0, 2.0]),
        ("max.f64", [[NAN, -0.0, 3.0], [1.0, 0.0, 4.0]], [1.0, 0.0, 4.0]),
        ("max.NaN.f32", [[NAN, 1.0], [1.0, 2.0]], [np.float32(NAN), 2.0]),
        ("neg.f32", [[0.0, 1.0]], [-0.0, -1.0]),
        ("abs.f64", [[-0.0, -INF]], [0.0, INF]),
        ("sqrt.rn.f64", [[2.0, 0.25]], [math.sqrt(2.0), 0.5]),
        ("rcp.rn.f32", [[3.0, -0.0]], [np.float32(1) / np.float32(3), -INF]),
        ("ex2.approx.ftz.f32", [[3.0, -200.0, 0.5]], [8.0, 0.0, np.float32(math.sqrt(2))]),
        ("lg2.approx.f32", [[8.0, 0.0]], [3.0, -INF]),
        ("rsqrt.approx.f32", [[0.25]], [2.0]),
        ("rcp.approx.ftz.f64", [[3.0, 2.0**-1030]], [float.fromhex("0x1.55555p-2"), INF]),
        ("copysign.f32", [[-1.0, 1.0], [2.0, -2.0]], [-2.0, 2.0]),
        ("add.f16", [[1.0, 65504.0], [2.0**-11, 65504.0]], [1.0, INF]),
        ("fma.rn.f16", [[1 + 2.0**-10], [1 + 2.0**-10], [2.0**-24]], [1 + 2.0**-9]),
    ],
)
def test_floats(instruction, columns, result):
    kind = instruction.rpartition(".")[2]
    found = computed(instruction, [kind] * (len(columns) + 1), *columns)
    np.testing.assert_array_equal(found, np.array(result, KINDS[kind]))
    assert np.signbit(found).tolist() == np.signbit(np.array(result)).tolist()


@pytest.mark.parametrize(
    "instruction, kinds, column, result",
    [
        ("cvt.rzi.s32.f32", ["s32", "f32"], [2.9, -2.9, 1e20, -1e20, NAN], [2, -2, 2**31 - 1, -(2**31), 0]),
        ("cvt.rzi.s64.f64", ["s64", "f64"], [1e300, -1e300, NAN, 2.0**62], [MOST, LEAST, LEAST, 2**62]),
        ("cvt.rzi.s32.f64", ["s32", "f64"], [NAN, 7.5], [-(2**31), 7]),
        ("cvt.rni.s32.f32", ["s32", "f32"], [0.5, 1.5, 2.5, -0.5], [0, 2, 2, 0]),
        ("cvt.rmi.u32.f32", ["u32", "f32"], [2.9, -1.0, 1e20], [2, 0, 2**32 - 1]),
        ("cvt.rzi.u64.f64", ["u64", "f64"], [2.0**63, -5.0, 1e30, NAN], [2**63, 0, 2**64 - 1, 2**63]),
        ("cvt.rzi.u8.f32", ["u8", "f32"], [300.0, -1.0, 7.9], [255, 0, 7]),
        ("cvt.rn.f32.s64", ["f32", "s64"], [2**24 + 1, -3, MOST], [2.0**24, -3.0, 2.0**63]),
        ("cvt.rn.f32.u64", ["f32", "u64"], [2**64 - 1, 2**40 + 2**16 + 1], [2.0**64, 2.0**40 + 2.0**17]),
        ("cvt.rz.f32.s32", ["f32", "s32"], [2**24 + 1, 2**24 + 3], [2.0**24, 2.0**24 + 2]),
        ("cvt.rn.f16.s32", ["f16", "s32"], [2049, 70000], [2048.0, INF]),
        ("cvt.rn.f32.f64", ["f32", "f64"], [1 + 2.0**-24, 1e300], [1.0, INF]),
        ("cvt.rp.f32.f64", ["f32", "f64"], [1 + 2.0**-40, -1 - 2.0**-40], [1 + 2.0**-23, -1.0]),
        ("cvt.rn.f16.f64", ["f16", "f64"], [1 + 2.0**-11 + 2.0**-40], [1 + 2.0**-10]),
        ("cvt.f64.f32", ["f64", "f32"], [1.5, NAN], [1.5, NAN]),
        ("cvt.f32.f16", ["f32", "f16"], [2.0**-24, -2.0], [2.0**-24, -2.0]),
        ("cvt.rzi.f64.f64", ["f64", "f64"], [2.9, -0.5], [2.0, -0.0]),
        ("cvt.rni.f32.f32", ["f32", "f32"], [0.5, 3.5], [0.0, 4.0]),
        ("cvt.sat.f32.f32", ["f32", "f32"], [2.0, -1.0, NAN], [1.0, 0.0, 0.0]),
        ("cvt.s64.s32", ["s64", "s32"], [-1, 5], [-1, 5]),
        ("cvt.u64.u32", ["u64", "u32"], [-1], [2**32 - 1]),
        ("cvt.u32.u64", ["u32", "u64"], [2**40 + 3], [3]),
        ("cvt.s32.s8", ["s32", "s8"], [-128, 5], [-128, 5]),
        ("cvt.u16.u8", ["u16", "u8"], [255], [255]),
        ("cvt.sat.u8.s32", ["u8", "s32"], [300, -4, 9], [255, 0, 9]),
        ("cvt.rn.bf16.f32", ["bf16", "f32"], [1 + 2.0**-8, 1 + 3 * 2.0**-8, NAN], [0x3F80, 0x3F82, 0x7FFF]),
        ("cvt.f32.bf16", ["f32", "bf16"], [0x3FC0], [1.5]),
        ("cvt.rna.tf32.f32", ["tf32", "f32"], [1 + 2.0**-11, 1 + 2.0**-12], [0x3F802000, 0x3F800000]),
    ],
)
def test_conversions(instruction, kinds, column, result):
    found = computed(instruction, kinds, column)
    np.testing.assert_array_equal(found, stored_as(result, kinds[0]))


def test_two_floats_become_a_word_with_the_first_above():
    pair = computed("cvt.rn.f16x2.f32", ["f16x2", "f32", "f32"], [1.0], [2.0])
    assert pair.tolist() == [0x3C004000]
    assert computed("cvt.rn.bf16x2.f32", ["bf16x2", "f32", "f32"], [1.0], [2.0]).tolist() == [0x3F804000]


def test_words_are_packed_lowest_first():
    pack = "mov.b64 %d, {%x1, %x2};\nmov.b64 {_, %x0}, %d"
    assert one_word(f"mov.u32 %x1, 5;\nmov.u32 %x2, 9;\n{pack}", ".reg .b64 %d;") == 9
    halves = "mov.b32 {%h0, %h1}, %x1;\nmov.b32 %x0, {%h1, %h0}"
    assert one_word(f"mov.u32 %x1, 0x12345678;\n{halves}", ".reg .b16 %h<2>;") == 0x56781234


def test_an_unknown_instruction_is_refused():
    for text in ("frob.u32 %x0, 1", "add.frob.s32 %x0, 1, 2", "ex2.f32 %x0, %x1", "mov.u32 %x0, %frob"):
        with pytest.raises(MachineError, match="frob|ex2"):
            one_word(text)


def test_rounding_by_fractions_is_the_same():
    for mode in ("rn", "rm", "rp", "rz"):
        assert rounding.by_fraction(3.0, 1 / 3, 2.0**-80, mode) == once(
            Fraction(3.0) * Fraction(1 / 3) + Fraction(2.0**-80), "float64", mode
        )
