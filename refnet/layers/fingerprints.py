"""Hashes of strings, the ones that TensorFlow and Keras use: FarmHash's Fingerprint64 and SipHash-2-4.

Both are functions of the bytes alone, so a string has the same hash in every process and on every machine.
Source: Google's FarmHash (farmhashna::Hash64); Aumasson, Bernstein, "SipHash: a fast short-input PRF" (2012).
"""

MASK = 2**64 - 1
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def rotated(x: int, count: int) -> int:
    """64 bits, turned right."""
    return ((x >> count) | (x << (64 - count))) & MASK


def mixed(x: int) -> int:
    return x ^ (x >> 47)


def word(data: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(data[at : at + size], "little")


def of_two(u: int, v: int, multiplier: int) -> int:
    a = (u ^ v) * multiplier & MASK
    b = (v ^ mixed(a)) * multiplier & MASK
    return mixed(b) * multiplier & MASK


def fingerprint64(data: bytes) -> int:
    """FarmHash's Fingerprint64.

    >>> fingerprint64(b"A") % 3, fingerprint64(b"B") % 3
    (1, 0)
    """
    n = len(data)
    if n > 64:
        return of_long(data)
    if n > 32:
        return of_33_to_64(data)
    multiplier = (K2 + 2 * n) & MASK
    if n > 16:
        a, b = word(data, 0) * K1 & MASK, word(data, 8)
        c, d = word(data, n - 8) * multiplier & MASK, word(data, n - 16) * K2 & MASK
        first = rotated((a + b) & MASK, 43) + rotated(c, 30) + d
        return of_two(first & MASK, (a + rotated((b + K2) & MASK, 18) + c) & MASK, multiplier)
    if n >= 8:
        a, b = (word(data, 0) + K2) & MASK, word(data, n - 8)
        c = (rotated(b, 37) * multiplier + a) & MASK
        d = (rotated(a, 25) + b) * multiplier & MASK
        return of_two(c, d, multiplier)
    if n >= 4:
        return of_two((n + (word(data, 0, 4) << 3)) & MASK, word(data, n - 4, 4), multiplier)
    if n > 0:
        y, z = data[0] + (data[n >> 1] << 8), n + (data[n - 1] << 2)
        return mixed((y * K2 ^ z * K0) & MASK) * K2 & MASK
    return K2


def of_33_to_64(data: bytes) -> int:
    n = len(data)
    multiplier = (K2 + 2 * n) & MASK
    a, b = word(data, 0) * K2 & MASK, word(data, 8)
    c, d = word(data, n - 8) * multiplier & MASK, word(data, n - 16) * K2 & MASK
    y = (rotated((a + b) & MASK, 43) + rotated(c, 30) + d) & MASK
    z = of_two(y, (a + rotated((b + K2) & MASK, 18) + c) & MASK, multiplier)
    e, f = word(data, 16) * multiplier & MASK, word(data, 24)
    g = (y + word(data, n - 32)) * multiplier & MASK
    h = (z + word(data, n - 24)) * multiplier & MASK
    first = rotated((e + f) & MASK, 43) + rotated(g, 30) + h
    return of_two(first & MASK, (e + rotated((f + a) & MASK, 18) + g) & MASK, multiplier)


def weak(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """32 bytes into two words."""
    w, x, y, z = (word(data, at + 8 * i) for i in range(4))
    a = (a + w) & MASK
    b = rotated((b + a + z) & MASK, 21)
    c = a
    a = (a + x + y) & MASK
    b = (b + rotated(a, 44)) & MASK
    return (a + z) & MASK, (b + c) & MASK


def of_long(data: bytes) -> int:
    """More than 64 bytes: 64 at a time, then the last 64."""
    n = len(data)
    x, y = 81, (81 * K1 + 113) & MASK
    z = mixed((y * K2 + 113) & MASK) * K2 & MASK
    v, w = (0, 0), (0, 0)
    x = (x * K2 + word(data, 0)) & MASK
    rounds = (n - 1) // 64
    for i in range(rounds):
        x, y, z, v, w = stirred(data, 64 * i, x, y, z, v, w, K1, 1)
    multiplier = (K1 + ((z & 0xFF) << 1)) & MASK
    w = ((w[0] + ((n - 1) & 63)) & MASK, w[1])
    v = ((v[0] + w[0]) & MASK, v[1])
    w = ((w[0] + v[0]) & MASK, w[1])
    x, y, z, v, w = stirred(data, n - 64, x, y, z, v, w, multiplier, 9)
    left = (of_two(v[0], w[0], multiplier) + mixed(y) * K0 + z) & MASK
    return of_two(left, (of_two(v[1], w[1], multiplier) + x) & MASK, multiplier)


Pair = tuple[int, int]


def stirred(
    data: bytes, at: int, x: int, y: int, z: int, v: Pair, w: Pair, multiplier: int, times: int
) -> tuple[int, int, int, Pair, Pair]:
    """64 bytes stirred into the state."""
    x = rotated((x + y + v[0] + word(data, at + 8)) & MASK, 37) * multiplier & MASK
    y = rotated((y + v[1] + word(data, at + 48)) & MASK, 42) * multiplier & MASK
    x ^= w[1] * times & MASK
    y = (y + v[0] * times + word(data, at + 40)) & MASK
    z = rotated((z + w[0]) & MASK, 33) * multiplier & MASK
    v = weak(data, at, v[1] * multiplier & MASK, (x + w[0]) & MASK)
    w = weak(data, at + 32, (z + w[1]) & MASK, (y + word(data, at + 16)) & MASK)
    return z, y, x, v, w


def joined(first: int, second: int) -> int:
    """TensorFlow's FingerprintCat64: the fingerprint of a pair of fingerprints."""
    k = 0xC6A4A7935BD1E995
    result = first ^ k ^ (mixed(second * k & MASK) * k & MASK)
    result = mixed(result * k & MASK) * k & MASK
    return mixed(result)


def siphash64(data: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 with a key of two words.

    >>> hex(siphash64(bytes(range(15)), (0x0706050403020100, 0x0F0E0D0C0B0A0908)))
    '0xa129ca6149be45e5'
    """
    k0, k1 = key[0] & MASK, key[1] & MASK
    state = (k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573)
    full = len(data) // 8 * 8
    words = [word(data, at) for at in range(0, full, 8)]
    words.append(word(data, full) | (len(data) & 0xFF) << 56)
    for m in words:
        state = (state[0], state[1], state[2], state[3] ^ m)
        state = sip_round(sip_round(state))
        state = (state[0] ^ m, state[1], state[2], state[3])
    state = (state[0], state[1], state[2] ^ 0xFF, state[3])
    for _ in range(4):
        state = sip_round(state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def sip_round(state: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    v0, v1, v2, v3 = state
    v0 = (v0 + v1) & MASK
    v1 = rotated(v1, 51) ^ v0
    v0 = rotated(v0, 32)
    v2 = (v2 + v3) & MASK
    v3 = rotated(v3, 48) ^ v2
    v0 = (v0 + v3) & MASK
    v3 = rotated(v3, 43) ^ v0
    v2 = (v2 + v1) & MASK
    v1 = rotated(v1, 47) ^ v2
    v2 = rotated(v2, 32)
    return v0, v1, v2, v3
