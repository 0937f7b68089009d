"""A straight line through 17 points, in plain ops: weights, a prediction, a loss, its gradient, a step. No layers, no fit.

python -m refnet_fast.examples.linear_regression
"""

import numpy as np

from refnet_fast import jit, ops, value_and_grad, visualize
from refnet_fast.examples.support import Job, run_program

X = [3.3, 4.4, 5.5, 6.71, 6.93, 4.168, 9.779, 6.182, 7.59, 2.167, 7.042, 10.791, 5.313, 7.997, 5.654, 9.27, 3.1]
Y = [1.7, 2.76, 2.09, 3.19, 1.694, 1.573, 3.366, 2.596, 2.53, 1.221, 2.827, 3.465, 1.65, 2.904, 2.42, 2.94, 1.3]


def loss(weights, x, y):
    prediction = weights["slope"] * x + weights["intercept"]
    return ops.mean(ops.square(prediction - y)) / 2


@jit
def step(weights, x, y, rate):
    value, gradient = value_and_grad(loss)(weights, x, y)
    moved = {name: weights[name] - rate * gradient[name] for name in weights}
    return value, moved


def main(job: Job) -> None:
    x, y = np.array(X, "float32"), np.array(Y, "float32")
    weights = {"slope": np.zeros((), "float32"), "intercept": np.zeros((), "float32")}
    losses = []
    for number in range(job.epochs(4000, 2000)):
        value, weights = step(weights, x, y, 0.02)
        losses.append(float(value))
        if number % 500 == 0:
            job.say(
                f"step {number}: loss {value:.5f}, slope {weights['slope']:.4f}, intercept {weights['intercept']:.4f}"
            )

    slope, intercept = np.polyfit(X, Y, 1)
    job.result("loss", losses[-1])
    job.result("slope", weights["slope"])
    job.result("intercept", weights["intercept"])
    job.result("slope, solved exactly", slope)
    job.result("intercept, solved exactly", intercept)
    job.note("the 17 points of the notes; the exact solution stands where the book has no figure")
    order = np.argsort(x)
    lines = {"points": y[order], "line": (weights["slope"] * x + weights["intercept"])[order]}
    figure = visualize.series(lines, x=x[order], title="A line through 17 points", x_label="x", y_label="y")
    points = figure.axes[0].lines[0]
    points.set(linestyle="", marker="o")
    figure.axes[0].legend(frameon=False)
    job.picture("line", figure)
    steps = np.arange(1, len(losses) + 1)
    falling = visualize.series({"mean squared error / 2": losses}, steps, "Gradient descent", "step", "loss")
    falling.axes[0].set(xscale="log", yscale="log")
    job.picture("loss", falling)


if __name__ == "__main__":
    run_program(main)
