"""Options of optimizers that meet, schedules beyond their ends, and what an optimizer around others hands on: by hand, mostly exact."""

from typing import Any

import numpy as np
import pytest

from refnet import Variable, callbacks, constraints, optimizers
from refnet.errors import ArgumentError
from refnet.layers import Dense, Input
from refnet.models import Sequential
from refnet.optimizers import schedules
from refnet.testing.closeness import ELEMENTARY, close


def two(**more: Any) -> list[Variable]:
    return [Variable([4.0, -8.0], name="a/kernel", **more), Variable([2.0], name="a/bias", **more)]


def values(weights: list[Variable]) -> list[list[float]]:
    return [weight.numpy().tolist() for weight in weights]


def test_all_gradients_are_scaled_down_by_one_norm() -> None:
    """Their norm is 5 together, 3 and 4 alone."""
    slopes = [[0.0, 3.0], [4.0]]
    weights = two()
    optimizers.SGD(1.0, global_clipnorm=2.5).apply(slopes, weights)
    assert values(weights) == [[4, -9.5], [0]]
    weights = two()
    optimizers.SGD(1.0, clipnorm=2.0).apply(slopes, weights)
    assert values(weights) == [[4, -10], [0]]
    weights = two()
    optimizers.SGD(1.0, global_clipnorm=8.0).apply(slopes, weights)
    assert values(weights) == [[4, -11], [-2]]


def test_the_first_step_of_a_decaying_rate_is_whole() -> None:
    """1, then 1/2, then 1/3."""
    optimizer, weight = optimizers.SGD(3.0, decay=1.0), Variable([0.0])
    went = []
    for _ in range(3):
        optimizer.apply([[-2.0]], [weight])
        went.append(float(weight.numpy()[0]))
    assert went == [6, 9, 11]


def test_weight_decay_is_a_share_of_the_rate_and_patterns_are_searched_in_the_last_part_alone_too() -> None:
    weights = two()
    optimizer = optimizers.SGD(0.5, weight_decay=0.25)
    optimizer.exclude_from_weight_decay(var_names=["^bias$"])  # Keras 3's name; the path is a/bias
    optimizer.apply([[0.0, 0.0], [0.0]], weights)
    assert values(weights) == [[3.5, -7], [2]]
    inner = optimizers.SGD(0.5, weight_decay=0.25)
    outer, weights = optimizers.LossScaleOptimizer(inner, initial_scale=2.0), two()
    outer.exclude_from_weight_decay([weights[0]], ["nothing"])
    outer.apply([[0.0, 0.0], [0.0]], weights)
    assert values(weights) == [[4, -8], [1.75]]


def test_averages_are_overwritten_after_steps_not_after_batches() -> None:
    """Two batches make a step, two steps an overwriting. The average begins with the weight after the first batch."""
    optimizer, weight = (
        optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2, gradient_accumulation_steps=2),
        Variable([8.0]),
    )
    seen = []
    for _ in range(4):
        optimizer.apply([[2.0]], [weight])
        seen.append((float(weight.numpy()[0]), float(optimizer.slot(weight, "average").numpy()[0])))
    # As in Keras the average follows every batch. Until a step is done it is the weight: 8, then 6; then (6 + 6) / 2, due: the
    # second step counts as two for both of its batches, so the weight is overwritten in each: 6, then (6 + 4) / 2.
    assert seen == [(8, 8), (6, 6), (6, 6), (5, 5)]
    assert int(optimizer.iterations) == 2


def test_averages_are_of_constrained_weights_and_the_average_that_overwrites_is_constrained() -> None:
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=1)
    weight = Variable([1.0, 1.0], constraint=constraints.NonNeg())
    optimizer.apply([[0.5, 3.0]], [weight])
    assert weight.numpy().tolist() == [0.5, 0]
    optimizer.apply([[-1.0, -4.0]], [weight])
    assert weight.numpy().tolist() == [
        1.0,
        1.0,
    ]  # (0.5 + 1.5) / 2, (-2 + 4) / 2: the average is Keras's, of what the step gave


def test_averages_that_stand_in_the_model_stay_there_at_the_end() -> None:
    """`fit` ends with the averages, also where a callback has already exchanged them with the weights."""
    for swapped in (False, True):
        optimizer, weight = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5), Variable([4.0])
        for _ in range(2):
            optimizer.apply([[1.0]], [weight])  # 3, then 2; the average (3 + 2) / 2
        if swapped:
            optimizer.swap_averages([weight])
        optimizer.finalize_variable_values([weight])
        assert weight.numpy().tolist() == [2.5] == optimizer.slot(weight, "average").numpy().tolist()
        assert not optimizer.averages_swapped


X, Y = np.ones((4, 1), "float32"), np.zeros((4, 1), "float32")


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: optimizers.LossScaleOptimizer(inner, initial_scale=2.0),
        lambda inner: optimizers.MultiOptimizer(optimizers.OptimizerMap(inner)),
    ],
)
def test_an_optimizer_around_others_ends_with_their_averages(around: Any) -> None:
    inner = optimizers.SGD(0.25, use_ema=True, ema_momentum=0.5)
    model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(around(inner), "mse")
    model.fit(X, Y, epochs=2, verbose=0)  # the slope is 2 w: 1/2, then 1/4
    assert model.get_weights()[0].tolist() == [[(0.5 + 0.25) / 2]]


def test_the_rate_of_a_scaled_optimizer_is_the_inner_ones() -> None:
    inner = optimizers.SGD(0.25)
    outer = optimizers.LossScaleOptimizer(inner)
    outer.learning_rate = 0.5
    assert float(inner.learning_rate) == 0.5 == float(outer.learning_rate)


def test_the_scale_doubles_after_as_many_good_steps_in_a_row() -> None:
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(1.0), initial_scale=4.0, dynamic_growth_steps=2)
    weight, scales = Variable([0.0]), []
    for slope in (1.0, np.nan, 1.0, 1.0, 1.0, 1.0):
        optimizer.apply([[slope]], [weight])
        scales.append(float(optimizer.dynamic_scale))
    assert scales == [4, 2, 2, 4, 4, 8]
    counting = optimizers.LossScaleOptimizer(optimizers.SGD(1.0), initial_scale=4.0, dynamic_growth_steps=3)
    scales.clear()
    for slope in (1.0, np.nan, 1.0, 1.0, 1.0):  # the good step before the one that is left out does not count
        counting.apply([[slope]], [weight])
        scales.append(float(counting.dynamic_scale))
    assert scales == [4, 2, 2, 2, 4]


def test_an_evaluation_leaves_averages_in_the_model_where_it_found_them() -> None:
    model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizers.SGD(0.25, use_ema=True, ema_momentum=0.5), "mse")
    for _ in range(2):
        model.train_on_batch(X, Y)  # 1/2, then 1/4; the average 3/8
    swap = callbacks.SwapEMAWeights()
    assert model.evaluate(X, Y, verbose=0, callbacks=[swap]) == (3 / 8) ** 2
    assert model.get_weights()[0].tolist() == [[1 / 4]]
    model.optimizer.swap_averages(model.trainable_weights)
    assert model.evaluate(X, Y, verbose=0, callbacks=[swap]) == (3 / 8) ** 2
    assert model.get_weights()[0].tolist() == [[3 / 8]]


# ---- schedules


def test_schedules_hold_their_last_rate_and_restarts_grow() -> None:
    line = schedules.PolynomialDecay(1.0, 4, end_learning_rate=0.5, power=2.0)
    assert [float(line(t)) for t in (0, 2, 4, 6)] == [1, 0.5 + 0.5 / 4, 0.5, 0.5]
    fall = schedules.CosineDecay(0.5, 4, alpha=0.5)
    close([float(fall(t)) for t in (0, 2, 4, 7)], [0.5, 0.375, 0.25, 0.25], 2 * (ELEMENTARY + 4), 1)
    only = schedules.CosineDecay(0.5, 4, warmup_target=1.0)  # without warmup_steps the fall begins at the target
    assert float(only(0)) == 1
    # Falls of 3, 6 and 12 steps, from 1, 1/2 and 1/4. Steps are well inside of them: a logarithm says which fall it is.
    again = schedules.CosineDecayRestarts(1.0, 3, t_mul=2.0, m_mul=0.5)
    wave = (1 + np.cos(np.pi * np.array([1 / 3, 1 / 6, 0.5, 5 / 6, 1 / 12, 0.5]))) / 2
    due = wave * [1, 0.5, 0.5, 0.5, 0.25, 0.25]
    # floor((t / 3 - (1 - 2**n) / (1 - 2)) / 2**n) loses digits of t / 3, which is at most 5; pi times as much goes into the cosine
    close([float(again(t)) for t in (1, 4, 6, 8, 10, 15)], due, 2 * (ELEMENTARY + 6) * 5, np.pi)
    steps = schedules.PiecewiseConstantDecay([2, 4], [1.0, 0.5, 0.25])
    assert [float(steps(t)) for t in (0, 2, 3, 4, 5)] == [1, 1, 0.5, 0.5, 0.25]


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.ExponentialDecay(0.5, 10, 0.25, staircase=True),
        schedules.PiecewiseConstantDecay([1, 2], [1.0, 0.5, 0.25], name="steps"),
        schedules.PolynomialDecay(1.0, 7, 0.125, 2.0, True),
        schedules.CosineDecay(1.0, 7, 0.125, warmup_target=2.0, warmup_steps=3),
        schedules.CosineDecayRestarts(1.0, 7, 3.0, 0.5, 0.125),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_a_schedule_comes_back_from_its_config(schedule: Any) -> None:
    again = schedules.deserialize(schedules.serialize(schedule))
    assert type(again) is type(schedule) and again.get_config() == schedule.get_config()
    assert [float(again(t)) for t in (0, 3, 9)] == [float(schedule(t)) for t in (0, 3, 9)]


def test_a_rate_may_be_a_function_of_nothing() -> None:
    optimizer, weight = optimizers.SGD(lambda: 0.5), Variable([1.0])
    optimizer.apply([[1.0]], [weight])
    assert weight.numpy().tolist() == [0.5]


# ---- an update of one's own


def test_a_step_of_ones_own_is_unscaled_and_constrained_and_has_variables_of_several_names() -> None:
    class Counted(optimizers.Optimizer):
        def build(self, variables: Any) -> None:
            if not self.built:
                super().build(variables)
                self.first, self.second = self.add_optimizer_variables(
                    variables, ["first", "second"], ["zeros", "ones"]
                )

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            place = self._get_variable_index(variable)
            self.assign_add(self.first[place], gradient)
            self.assign_sub(self.second[place], gradient)
            self.assign_sub(variable, learning_rate * self.first[place] * self.second[place])

    optimizer = Counted(1.0, loss_scale_factor=4.0)
    weight = Variable([2.0, 2.0], constraint=constraints.NonNeg())
    optimizer.apply([[8.0, -8.0]], [weight])  # slopes 2 and -2, so 2 - 2 * (1 - 2) and 2 + 2 * (1 + 2)
    assert weight.numpy().tolist() == [4, 8]
    optimizer.apply([[0.0, 24.0]], [weight])  # 4 + 2, and 8 - 4 * (3 - 6), the sums being 4 and -3
    assert weight.numpy().tolist() == [6, 20]
    optimizer.apply([[-4.0, -20.0]], [weight])  # 6 - 1 * 0, and 20 + 1 * 2
    assert weight.numpy().tolist() == [6, 22] and len(optimizer.variables) == 4


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: optimizers.get(len), "optimizer must be an optimizer or a name"),
        (lambda: optimizers.SGD(momentum=1.5), "momentum lies in 0..1; got 1.5"),
        (lambda: optimizers.SGD(clipvalue=0.0), "clipvalue must be above 0; got 0.0"),
        (lambda: optimizers.SGD(use_ema=True, ema_overwrite_frequency=0), "ema_overwrite_frequency is a number of steps"),
        (lambda: optimizers.SGD().apply([None], [Variable([1.0])]), "no gradient for any variable"),
        (lambda: optimizers.SGD().stateless_apply([], [], []), r"call build\(trainable_variables\) first"),
        (lambda: optimizers.LossScaleOptimizer(optimizers.SGD(), 0.0), "initial_scale and dynamic_growth_steps must be above 0"),
        (lambda: optimizers.MultiOptimizer(optimizers.SGD()), "optimizer_map must be an OptimizerMap"),
        (lambda: optimizers.OptimizerMap("sgd"), "OptimizerMap takes optimizers that stand for themselves; got 'sgd'"),
        (lambda: optimizers.OptimizerMap(optimizers.SGD(), {"a.*": optimizers.SGD(), ".*b": optimizers.SGD()})["ab"], "matched by 'a.[*]' and '.[*]b'"),
        (lambda: optimizers.OptimizerMap(optimizers.SGD()).__setitem__(3, optimizers.SGD()), "a new regular expression is needed; got 3"),
    ],
)  # fmt: skip
def test_errors(make: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()


def test_what_a_map_and_a_schedule_lack() -> None:
    held = optimizers.OptimizerMap(optimizers.SGD(), {"a": optimizers.Adam()})
    del held["a"]
    assert len(held) == 0 and repr(held["a"]) == "<SGD name=sgd>"
    several = optimizers.MultiOptimizer(held)
    with pytest.raises(AttributeError, match="multi_optimizer has no learning rate; each of its `optimizers` has one"):
        print(several.learning_rate)
    with pytest.raises(AttributeError, match="set that of one of its `optimizers`"):
        several.learning_rate = 0.5

    class Bare(schedules.LearningRateSchedule):
        pass

    with pytest.raises(NotImplementedError, match="Bare has no __call__"):
        Bare()(0)
    with pytest.raises(NotImplementedError, match="Bare has no get_config, which saving needs"):
        Bare().get_config()
