"""The machine for PTX, threads together: branches, barriers, warps, memory, products of matrices, and what is refused."""

import numpy as np
import pytest
from ptx_texts import kernel, regions, run, words

from refnet_fast.cuda.machine import MachineError
from refnet_fast.cuda.machine.running import launch

HEAD = """
.reg .u64 %a, %b, %c;
.reg .u32 %t, %x, %y, %z, %n;
.reg .pred %p, %q;
mov.u32 %t, %tid.x;
ld.param.u64 %a, [p0];
mad.wide.u32 %b, %t, 4, %a;
"""
SHARED = [".shared .align 16 .b8 row[256];"]


def threads(body, count, blocks=1, shared=(), size=None, **options):
    """The words that threads store at [%b], theirs among 4 for each; a body begins with HEAD."""
    out = np.zeros((size or count * blocks) + 16, np.uint32)
    text = kernel(HEAD + body, shared=shared)
    given = [(out.ctypes.data, 4 * (size or count * blocks))]
    launch(text, (blocks,), (count,), words(out), given, **options)
    return out[: size or count * blocks]


def refused(words_of_it, body, count, **options):
    with pytest.raises(MachineError, match=words_of_it):
        threads(body, count, **options)


def test_branches_and_loops_of_different_lengths():
    body = """
    mov.u32 %x, 0;
    mov.u32 %n, 0;
    $again:
    setp.ge.u32 %p, %n, %t;
    @%p bra $behind;
    and.b32 %y, %n, 1;
    setp.eq.u32 %q, %y, 0;
    @!%q bra $odd;
    add.u32 %x, %x, %n;
    bra.uni $next;
    $odd:
    add.u32 %x, %x, 100;
    $next:
    add.u32 %n, %n, 1;
    bra $again;
    $behind:
    st.global.u32 [%b], %x;
    ret;
    """
    wanted = [sum(n if n % 2 == 0 else 100 for n in range(t)) for t in range(70)]
    assert threads(body, 70).tolist() == wanted


def test_places_of_threads_along_three_axes():
    text = kernel(
        HEAD
        + """
        .reg .u32 %s<9>;
        mov.u32 %s0, %tid.y; mov.u32 %s1, %tid.z; mov.u32 %s2, %ctaid.x; mov.u32 %s3, %ctaid.y;
        mov.u32 %s4, %ctaid.z; mov.u32 %s5, %ntid.x; mov.u32 %s6, %nctaid.y; mov.u32 %s7, %laneid;
        mad.lo.u32 %x, %s4, 2, %s3; mad.lo.u32 %x, %x, 3, %s2;  // block
        mad.lo.u32 %x, %x, 3, %s1; mad.lo.u32 %x, %x, 4, %s0; mad.lo.u32 %x, %x, 5, %t;  // and thread
        mad.lo.u32 %y, %s5, 100, %s6; mad.lo.u32 %y, %s7, 1000, %y;
        mad.wide.u32 %b, %x, 4, %a;
        st.global.u32 [%b], %y;
        ret;
        """
    )
    out = np.zeros(3 * 2 * 2 * 60 + 16, np.uint32)
    launch(text, (3, 2, 2), (5, 4, 3), words(out), regions(out))
    wanted = [1000 * (t % 32) + 100 * 5 + 2 for t in range(60)] * 12
    assert out[: 12 * 60].tolist() == wanted


# ---- barriers

TO_NEIGHBOUR = """
mul.lo.u32 %x, %t, 4;
mov.u32 %y, row;
add.u32 %x, %x, %y;
st.shared.u32 [%x], %t;
{barrier}
xor.b32 %x, %x, {mask};
ld.shared.u32 %z, [%x];
st.global.u32 [%b], %z;
ret;
"""


def test_a_barrier_puts_stores_before_loads():
    for mask in (4, 128):
        found = threads(TO_NEIGHBOUR.format(barrier="bar.sync 0;", mask=mask), 64, blocks=3, shared=SHARED)
        one = [t ^ (mask // 4) for t in range(64)]
        assert found[:64].tolist() == one


@pytest.mark.parametrize("mask", [4, 128])  # a neighbour of the same warp, and one of another
def test_a_missing_barrier_is_a_race(mask):
    refused("a race: thread", TO_NEIGHBOUR.format(barrier="", mask=mask), 64, shared=SHARED)
    assert threads(TO_NEIGHBOUR.format(barrier="", mask=mask), 64, shared=SHARED, races=False)[0] == mask // 4


def test_a_meeting_of_a_warp_orders_its_lanes_alone():
    meeting = "bar.warp.sync 0xffffffff;"
    assert threads(TO_NEIGHBOUR.format(barrier=meeting, mask=4), 64, shared=SHARED)[5] == 4
    refused("a race", TO_NEIGHBOUR.format(barrier=meeting, mask=128), 64, shared=SHARED)


def test_who_reads_must_have_read_before_it_is_written_again():
    body = TO_NEIGHBOUR.format(barrier="bar.sync 0;", mask=128).replace("ret;", "{}st.shared.u32 [%x], 5;\nret;")
    threads(body.format(""), 64, shared=SHARED)  # what it has read itself
    between = body.replace("st.shared.u32 [%x], 5", "xor.b32 %x, %x, 128;\nst.shared.u32 [%x], 5")
    refused("writes a byte of shared memory that thread .* read", between.format(""), 64, shared=SHARED)
    threads(between.format("bar.sync 0;\n"), 64, shared=SHARED)


def test_two_threads_that_write_one_place():
    refused("a race: .* writes a byte of global memory", "st.global.u32 [%a], %t;\nret;", 4)
    refused("a race", "mov.u32 %x, %ctaid.x;\nst.global.u32 [%a], %x;\nret;", 1, blocks=3)
    assert threads("st.global.u32 [%a], 7;\nret;", 4)[0] == 7  # the same


def test_blocks_have_no_order():
    body = """
    mov.u32 %x, %ctaid.x;
    mad.wide.u32 %b, %x, 4, %a;
    st.global.u32 [%b], %x;
    bar.sync 0;
    xor.b32 %x, %x, 1;
    mad.wide.u32 %c, %x, 4, %a;
    ld.global.u32 %y, [%c];
    ret;
    """
    refused("reads a byte of global memory that thread .* of block", body, 1, blocks=2)


def test_a_barrier_that_not_all_reach():
    half = "setp.lt.u32 %p, %t, 32;\n@%p bra $wait;\n{}\nret;\n$wait:\nbar.sync 0;\nst.global.u32 [%b], 1;\nret;"
    assert threads(half.format(""), 64).sum() == 32  # who has ended is not waited for
    split = "setp.lt.u32 %p, %t, 5;\n@%p bra $other;\nbar.sync 0;\nret;\n$other:\nbar.sync 0;\nret;"
    refused("two barriers", split, 32)
    numbers = split.replace("5;", "32;").replace("$other:\nbar.sync 0", "$other:\nbar.sync 1")
    refused("different numbers|never come", numbers, 64)


def test_votes_of_a_block():
    body = "setp.eq.u32 %p, %t, 40;\nbar.red.or.pred %q, 0, %p;\nselp.b32 %x, 1, 0, %q;\nst.global.u32 [%b], %x;\nret;"
    assert threads(body, 64, blocks=2, size=64).tolist() == [1] * 64
    assert threads(body.replace("red.or", "red.and"), 64).tolist() == [0] * 64


# ---- warps


@pytest.mark.parametrize(
    "mode, operand, clamp, partner",
    [
        ("bfly", 5, 31, lambda t: t ^ 5),
        ("down", 3, 31, lambda t: t + 3 if t + 3 < 32 else t),
        ("up", 3, 0, lambda t: t - 3 if t >= 3 else t),
        ("idx", 9, 31, lambda t: 9),
        ("idx", 2, 0x181F, lambda t: t // 8 * 8 + 2),  # segments of eight
        ("down", 3, 0x181F, lambda t: t + 3 if t % 8 + 3 < 8 else t),
    ],
)
def test_shuffles(mode, operand, clamp, partner):
    body = f"mul.lo.u32 %x, %t, 10;\nshfl.sync.{mode}.b32 %y|%p, %x, {operand}, {clamp}, -1;\nst.global.u32 [%b], %y;\nret;"
    assert threads(body, 64).tolist() == [10 * (32 * (t // 32) + partner(t % 32)) for t in range(64)]


def test_a_lane_that_its_mask_does_not_name_and_one_that_never_comes():
    ask = "shfl.sync.bfly.b32 %y, %t, 1, 31, {};\nst.global.u32 [%b], %y;\nret;"
    refused("does not name", ask.format("0xff"), 32)
    some = "setp.ge.u32 %p, %t, 8;\n@%p bra $wait;\n" + ask.format(-1) + "\n$wait:\nbar.sync 0;\nret;"
    refused("never come", some, 32)
    alone = "setp.ge.u32 %p, %t, 8;\n@%p bra $end;\n" + ask.format("0xff") + "\n$end:\nret;"
    assert threads(alone, 32)[:8].tolist() == [1, 0, 3, 2, 5, 4, 7, 6]


def test_votes_and_sums_of_a_warp():
    vote = "and.b32 %x, %t, 1;\nsetp.eq.u32 %p, %x, 1;\nvote.sync.{} {}, %p, -1;\n{}st.global.u32 [%b], %y;\nret;"
    assert threads(vote.format("ballot.b32", "%y", ""), 32)[3] == 0xAAAAAAAA
    chosen = "selp.b32 %y, 1, 0, %q;\n"
    assert [threads(vote.format(f"{k}.pred", "%q", chosen), 32)[0] for k in ("any", "all", "uni")] == [1, 0, 0]
    assert (
        threads("redux.sync.add.s32 %y, %t, -1;\nst.global.u32 [%b], %y;\nret;", 64).tolist()
        == [496] * 32 + [1520] * 32
    )


# ---- memory


def test_what_lies_outside_of_the_arrays():
    refused("lie in no array .* thread \\(9, 0, 0\\)", "st.global.u32 [%b], %t;\nret;", 16, size=9)
    refused("begins 4 bytes behind it", "ld.global.u32 %x, [%a+-4];\nret;", 1)
    refused("no multiple of 8", "ld.global.u64 %c, [%a+4];\nret;", 1, size=8)
    refused("shared memory lie in no array", "mov.u32 %x, row;\nld.shared.u32 %y, [%x+256];\nret;", 1, shared=SHARED)
    refused("no multiple of 16", "mov.u32 %x, row;\nst.shared.v4.u32 [%x+8], {%x,%x,%x,%x};\nret;", 1, shared=SHARED)


def test_generic_addresses_and_memory_of_a_thread():
    body = """
    .local .align 8 .b8 own[16];
    .reg .u64 %d, %e;
    mov.u64 %d, own;
    cvta.local.u64 %d, %d;
    st.u32 [%d+4], %t;
    mov.u64 %e, row;
    cvta.shared.u64 %e, %e;
    mad.wide.u32 %e, %t, 4, %e;
    ld.u32 %x, [%d+4];
    st.u32 [%e], %x;
    cvta.to.shared.u64 %e, %e;
    ld.shared.u32 %y, [%e];
    st.u32 [%b], %y;
    ret;
    """
    assert threads(body, 40, shared=SHARED).tolist() == list(range(40))


def test_nothing_is_zero_that_nobody_has_written():
    body = "mov.u32 %x, row;\nld.shared.u32 %y, [%x];\nst.global.u32 [%b], %y;\nret;"
    assert np.isnan(threads(body, 1, shared=SHARED).view(np.float32)[0])


def test_first_values_of_the_module():
    table = [".global .align 4 .b8 table[8] = {1, 0, 0, 0, 255, 255, 255, 255};"]
    body = "mov.u64 %c, table;\nmad.wide.u32 %c, %t, 4, %c;\nld.global.u32 %x, [%c];\nst.global.u32 [%b], %x;\nret;"
    assert threads(body, 2, shared=table).tolist() == [1, 2**32 - 1]


def test_atomic_changes_have_an_order():
    body = (
        "atom.global.add.u32 %x, [%a], 1;\nred.global.max.u32 [%a+4], %t;\natom.global.cas.b32 %y, [%a+8], 0, 5;\nret;"
    )
    assert threads(body, 40, size=3).tolist() == [40, 39, 5]
    refused("a race", "atom.global.add.u32 %x, [%a], 1;\nld.global.u32 %y, [%a];\nret;", 2)


def test_functions_are_called_in_their_place():
    function = """
    .func (.param .b32 back) twice(.param .b32 given)
    {
    .reg .u32 %v, %t;
    .reg .pred %p;
    ld.param.u32 %v, [given];
    setp.gt.u32 %p, %v, 2;
    @%p bra $large;
    mov.u32 %t, 100;
    st.param.b32 [back+0], %t;
    ret;
    $large:
    add.u32 %t, %v, %v;
    st.param.b32 [back+0], %t;
    ret;
    }
    """
    call = """{ .param .b32 param0; st.param.b32 [param0+0], %t; .param .b32 retval0;
    call.uni (retval0), twice, (param0); ld.param.b32 %x, [retval0+0]; }\n"""
    again = call.replace("[param0+0], %t", "[param0+0], %x")
    found = threads(call + again + "st.global.u32 [%b], %x;\nret;", 5, shared=[function])
    assert found.tolist() == [200, 200, 200, 12, 16]


# ---- copies in the background

COPY = """
mov.u32 %x, row;
mad.lo.u32 %x, %t, 4, %x;
st.shared.u32 [%x], 77;
cp.async.ca.shared.global [%x], [%b], 4{amount};
cp.async.commit_group;
{wait}
ld.shared.u32 %y, [%x];
st.global.u32 [%b], %y;
ret;
"""


def copied(wait, amount="", **options):
    out = np.arange(10, 42, dtype=np.uint32)
    run(kernel(HEAD + COPY.format(wait=wait, amount=amount), shared=SHARED), (1,), (8,), out, **options)
    return out[:8].tolist()


def test_a_copy_is_there_when_it_was_waited_for():
    assert copied("cp.async.wait_group 0;") == copied("cp.async.wait_all;") == list(range(10, 18))
    assert copied("cp.async.wait_group 0;", ", 0") == [0] * 8
    for wait in ("", "cp.async.wait_group 1;"):
        assert copied(wait, races=False) == [77] * 8
        with pytest.raises(MachineError, match="a race"):
            copied(wait)


def test_a_copy_for_others_takes_a_barrier_behind_the_wait():
    for wait, fine in (("cp.async.wait_all;\nbar.sync 0;", True), ("bar.sync 0;\ncp.async.wait_all;", False)):
        body = COPY.format(wait=wait + "\nxor.b32 %x, %x, 4;", amount="")
        out = np.arange(10, 42, dtype=np.uint32)
        if fine:
            run(kernel(HEAD + body, shared=SHARED), (1,), (8,), out)
            assert out[:4].tolist() == [11, 10, 13, 12]
        else:
            with pytest.raises(MachineError, match="a race"):
                run(kernel(HEAD + body, shared=SHARED), (1,), (8,), out)


# ---- matrices


def product(kind, a, b, c):
    """c + a @ b by one warp; the factors as words, two numbers of 16 bits or one of TF32 each: rows of the first, columns of the second."""
    shape = "m16n8k8" if kind == "tf32" else "m16n8k16"
    arrays = [np.concatenate([x.reshape(-1).view(np.uint32), np.zeros(16, np.uint32)]) for x in (a, b, c)]
    lines = [".reg .u64 %a, %b, %c, %d;", ".reg .u32 %t, %g, %i, %m, %x<9>;", ".reg .f32 %f<4>;", "mov.u32 %t, %tid.x;"]
    lines += ["shr.u32 %g, %t, 2;", "and.b32 %i, %t, 3;", *(f"ld.param.u64 %{n}, [p{k}];" for k, n in enumerate("abc"))]

    def place(base, row, times, column):
        """%d becomes the address of word (g + row, times * i + column) of a matrix of eight words a row."""
        words_before = [f"add.u32 %m, %g, {row};", f"mad.lo.u32 %x8, %i, {times}, {column};"]
        return [*words_before, "mad.lo.u32 %m, %m, 8, %x8;", f"mad.wide.u32 %d, %m, 4, {base};"]

    # By the figures of the PTX ISA, with g = lane / 4 and i = lane % 4.
    for n in range(4):
        lines += [*place("%a", 8 * (n % 2), 1, 4 * (n // 2)), f"ld.global.u32 %x{n}, [%d];"]
        lines += [*place("%c", 8 * (n // 2), 2, n % 2), f"ld.global.f32 %f{n}, [%d];"]
    for n in range(2):
        lines += [*place("%b", 0, 1, 4 * n), f"ld.global.u32 %x{4 + n}, [%d];"]
    sums, factors = "{%f0, %f1, %f2, %f3}", "{%x0, %x1, %x2, %x3}, {%x4, %x5}"
    lines.append(f"mma.sync.aligned.{shape}.row.col.f32.{kind}.{kind}.f32 {sums}, {factors}, {sums};")
    for n in range(4):
        lines += [*place("%c", 8 * (n // 2), 2, n % 2), f"st.global.f32 [%d], %f{n};"]
    run(kernel("\n".join([*lines, "ret;"]), 3), (1,), (32,), *arrays)
    return arrays[2][:128].view(np.float32).reshape(16, 8)


@pytest.mark.parametrize("kind", ["f16", "bf16", "tf32"])
def test_products_of_matrices(kind):
    """Of small whole numbers, whose products and sums every rounding leaves as they are."""
    rng = np.random.default_rng(3)
    depth = 8 if kind == "tf32" else 16
    a, b = rng.integers(-8, 9, (16, depth)), rng.integers(-8, 9, (depth, 8))
    c = rng.integers(-50, 50, (16, 8)).astype("float32")
    left, right = a.astype("float32"), np.ascontiguousarray(b.T).astype("float32")
    if kind == "f16":
        left, right = left.astype("float16").view("uint32"), right.astype("float16").view("uint32")
    elif kind == "bf16":
        left, right = ((x.view("uint32") >> 16).astype("uint16").view("uint32") for x in (left, right))
    else:
        left, right = left.view("uint32"), right.view("uint32")
    np.testing.assert_array_equal(product(kind, left, right, c), a @ b + c)


@pytest.mark.parametrize("turned", ["", ".trans"])
def test_matrices_from_shared_memory(turned):
    """Lane 8m + r gives row r of matrix m; of matrix m a lane gets two neighbours of row lane / 4 (turned: of that column)."""
    body = f"""
    .reg .u32 %w<4>;
    mul.lo.u32 %x, %t, 16; mov.u32 %y, big; add.u32 %x, %x, %y;  // eight 16-bit numbers a row
    mul.lo.u32 %n, %t, 8;
    mov.u32 %z, 0;
    $again:
    add.u32 %y, %n, %z; mad.lo.u32 %y, %y, 1, 0;
    {{ .reg .u32 %s; .reg .u16 %h; mad.lo.u32 %s, %z, 2, %x; cvt.u16.u32 %h, %y; st.shared.u16 [%s], %h; }}
    add.u32 %z, %z, 1;
    setp.lt.u32 %p, %z, 8;
    @%p bra $again;
    bar.sync 0;
    ldmatrix.sync.aligned.m8n8.x4{turned}.shared.b16 {{%w0, %w1, %w2, %w3}}, [%x];
    mad.wide.u32 %b, %t, 16, %a;
    st.global.v4.u32 [%b], {{%w0, %w1, %w2, %w3}};
    ret;
    """
    found = threads(body, 32, size=128, shared=[".shared .align 16 .b8 big[512];"]).reshape(32, 4)
    for lane in range(32):
        for m in range(4):
            row, column = lane // 4, 2 * (lane % 4)
            places = [(column, row), (column + 1, row)] if turned else [(row, column), (row, column + 1)]
            low, high = (64 * m + 8 * i + j for i, j in places)
            assert found[lane, m] == low | high << 16
    refused(
        "all 32 lanes|never come|lane",
        f"mov.u32 %x, row;\nldmatrix.sync.aligned.m8n8.x4{turned}.shared.b16 {{%x,%y,%z,%n}}, [%x];\nret;",
        8,
        shared=SHARED,
    )
