"""Mutants of divisors, series and transforms: rows of `refnet.testing.mutants.Mutant`."""

SERIES_MUTANTS: list[tuple[str, ...]] = [
    ("Euclid stops at 2", "ops.arithmetic", "gcd", "if b in (1, -1):", "if b in (1, -1, 2):"),
    ("the factorials are one", "ops.arithmetic", "bessel", "(k * (k + order))", "(k * k)"),
    (
        "the neighbours' difference for their sum",
        "ops.arithmetic",
        "bessel",
        "ops.add(bessel_op(x, order=order - 1), above)",
        "ops.subtract(bessel_op(x, order=order - 1), above)",
        "gradient",
    ),
    ("the transform turns one way only", "ops.fourier", "dft", "s[j] = sign * sin", "s[j] = sin"),
    ("a frequency for its neighbour", "ops.fourier", "dft", "turn = (j * k) % n", "turn = (j * (k + 1)) % n"),
    (
        "the way back is the way there",
        "ops.fourier",
        "dft",
        'sign=-node.attributes["sign"]',
        'sign=node.attributes["sign"]',
        "gradient",
    ),
]
