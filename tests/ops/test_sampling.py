"""The further distributions against SciPy's, with fixed seeds; edges and open shapes."""

import numpy as np
import pytest
from scipy import stats

from refnet import ops, random
from refnet.engine import reference
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.graph import Tensor
from refnet.ops.sampling import dirichlet, exp_below_zero
from refnet.program import Program
from refnet.testing.closeness import ELEMENTARY, close

ALMOST_NEVER = 1e-4  # the seeds are fixed: these tests do not fail by chance


@pytest.mark.parametrize("alpha", [0.2, 1.0, 2.5, 300.0])
def test_gamma_is_gamma(alpha):
    y = random.gamma((3000,), alpha, dtype="float64", seed=5)
    assert stats.kstest(y, stats.gamma(alpha).cdf).pvalue > ALMOST_NEVER


@pytest.mark.parametrize("alpha, beta", [(0.5, 0.5), (2.0, 5.0), (40.0, 1.0)])
def test_beta_is_beta(alpha, beta):
    y = random.beta((3000,), alpha, beta, dtype="float64", seed=6)
    assert stats.kstest(y, stats.beta(alpha, beta).cdf).pvalue > ALMOST_NEVER


@pytest.mark.parametrize("n, p", [(1, 0.3), (15, 0.5), (16, 0.9), (1000, 0.01), (10**6, 0.4)])
def test_binomial_is_binomial(n, p):
    """By Pearson's chi square over up to twenty stretches of counts, and by both ends."""
    y = random.binomial((3000,), n, p, dtype="float64", seed=8)
    law = stats.binom(n, p)
    cuts = np.unique(law.ppf(np.linspace(0, 1, 21)[1:-1]))
    expected = 3000 * np.diff([0, *law.cdf(cuts), 1])
    found = np.bincount(np.searchsorted(cuts, y), minlength=len(cuts) + 1)
    kept = expected > 0
    assert found[~kept].sum() == 0 and y.min() >= 0 and y.max() <= n and (y == np.floor(y)).all()
    assert stats.chisquare(found[kept], expected[kept] * 3000 / expected[kept].sum()).pvalue > ALMOST_NEVER


def test_binomial_at_the_edges():
    y = random.binomial((9,), [0, 7, 7, 2**31, 2**31, -1, 3, 3, np.nan], [0.5, 0, 1, 0, 1, 0.5, -0.1, 1.1, 0.5], seed=2)
    np.testing.assert_array_equal(y, [0, 0, 7, 0, 2**31, *[np.nan] * 4])


def test_categories_come_as_often_as_softmax_says():
    logits = np.array([[0.0, 1.0, -np.inf, 2.0, -3.0]])
    y = random.categorical(logits, 4000, seed=7)
    assert y.dtype == "int32" and y.shape == (1, 4000)
    counts = np.bincount(y[0], minlength=5)
    assert counts[2] == 0
    kept = [0, 1, 3, 4]
    expected = np.asarray(ops.softmax(logits))[0] * 4000
    assert stats.chisquare(counts[kept], expected[kept]).pvalue > ALMOST_NEVER


def test_bernoulli_hits_its_probability():
    y = random.bernoulli((4000,), 0.3, seed=8)
    assert set(np.unique(y)) == {0.0, 1.0} and y.dtype == "float32"
    assert stats.binomtest(int(y.sum()), 4000, 0.3).pvalue > ALMOST_NEVER
    assert random.bernoulli((9,), 0.0, seed=1).sum() == 0 and random.bernoulli((9,), 1.0, "int32", seed=1).sum() == 9
    y = random.bernoulli((200, 2), [0.0, 1.0], seed=3)
    assert y[:, 0].sum() == 0 and y[:, 1].sum() == 200
    with pytest.raises(ShapeError, match="does not broadcast"):
        random.bernoulli((3,), np.zeros((2, 3)))


def test_every_element_has_its_own_parameter_and_its_own_numbers():
    y = random.gamma((2000, 2), [0.5, 50.0], dtype="float64", seed=9)
    for column, shape in zip(y.T, (0.5, 50.0)):
        assert stats.kstest(column, stats.gamma(shape).cdf).pvalue > ALMOST_NEVER
    same = random.gamma((5000,), 3.0, dtype="float64", seed=1)
    assert len(np.unique(same)) == 5000


def test_parameters_without_a_distribution_give_nan():
    assert np.isnan(random.gamma((4,), [0.0, -1.0, np.inf, np.nan], seed=1)).all()
    assert np.isnan(random.beta((2,), [0.0, 1.0], [1.0, -1.0], seed=1)).all()
    with pytest.raises(DtypeError, match="floating"):
        random.gamma((2,), 1.0, dtype="int32")


def test_seeds_repeat_and_generators_go_on():
    assert random.gamma((5,), 2.0, seed=4).tolist() == random.gamma((5,), 2.0, seed=4).tolist()
    stream = random.SeedGenerator(4)
    assert random.beta((5,), 2.0, 1.0, seed=stream).tolist() != random.beta((5,), 2.0, 1.0, seed=stream).tolist()


def test_in_a_graph_every_run_draws_anew():
    logits = Tensor((None, 3), "float32")
    shape = (ops.shape(logits)[0], 2)
    outputs = [random.categorical(logits, 50, seed=3), random.gamma(shape, 2.0, seed=3)]
    executable = reference.prepare(Program([logits], outputs))
    feed = np.zeros((4, 3), "float32")
    first, second = executable.run([feed]), executable.run([feed])
    for a, b in zip(first, second):
        assert a.shape == b.shape and a.tolist() != b.tolist()
    assert first[0].shape == (4, 50) and first[1].shape == (4, 2)


def test_exponential_of_negative_numbers():
    x = -np.concatenate([np.linspace(0, 700, 500), 10.0 ** np.arange(-20, 0)])
    got = np.array([exp_below_zero(v) for v in x])
    # the last step of the series and ten squarings, each of which doubles what is behind it
    close(got, np.exp(x), 3 * 1024 + ELEMENTARY)
    assert exp_below_zero(-800.0) == 0


def test_beta_of_parameters_so_small_that_both_draws_vanish() -> None:
    y = random.beta((400,), 1e-4, 3e-4, dtype="float64", seed=3)
    assert np.isfinite(y).all() and ((y < 1e-12) | (y > 1 - 1e-12)).mean() > 0.9
    assert stats.binomtest(int((y > 0.5).sum()), 400, 0.25).pvalue > ALMOST_NEVER
    assert np.isfinite(random.beta((4,), np.array(1e-310), np.array(1e-310), dtype="float64", seed=3)).all()


def test_parts_of_a_whole() -> None:
    drawn = np.array([dirichlet(3, 0.5, "float64", seed) for seed in range(300)])
    assert stats.kstest(drawn[:, 0], stats.beta(0.5, 1.0).cdf).pvalue > ALMOST_NEVER
    for alpha in (1e-310, 1e-3, 1.0, 1e300):
        close(dirichlet(3, alpha, "float32", 1).sum(), 1.0, 3 + 2)
    one = [int(np.argmax(dirichlet(3, 1e-4, seed=seed))) for seed in range(300)]
    assert stats.chisquare(np.bincount(one, minlength=3)).pvalue > ALMOST_NEVER
    for count, alpha in ((0, 1.0), (2, 0.0), (2, float("nan"))):
        with pytest.raises(ArgumentError, match="must lie above 0"):
            dirichlet(count, alpha)
