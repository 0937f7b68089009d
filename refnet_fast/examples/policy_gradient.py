"""Learning by trying: a network balances a pole on a cart; what made it stay up longer becomes more likely (REINFORCE).

python -m refnet_fast.examples.policy_gradient
"""

import numpy as np

from refnet_fast import layers, models, optimizers, random, visualize
from refnet_fast.examples.support import Job, run_program

CARTS, STEPS = 32, 200


def moved(state, push):
    """All carts a fiftieth of a second later. A. G. Barto, R. S. Sutton, C. W. Anderson, 1983.

    Args:
        state: (carts, 4): place, speed, angle, its speed.
        push: (carts,), 1 to the right, 0 to the left.
    """
    gravity, cart, pole, length, force, tau = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
    place, speed, angle, turning = state.T
    thrust = (np.where(push == 1, force, -force) + pole * length * turning**2 * np.sin(angle)) / (cart + pole)
    lever = length * (4 / 3 - pole * np.cos(angle) ** 2 / (cart + pole))
    falling = (gravity * np.sin(angle) - np.cos(angle) * thrust) / lever
    rolling = thrust - pole * length * falling * np.cos(angle) / (cart + pole)
    return np.stack([place + tau * speed, speed + tau * rolling, angle + tau * turning, turning + tau * falling], 1)


def fallen(state):
    return (np.abs(state[:, 0]) > 2.4) | (np.abs(state[:, 2]) > np.radians(12))


def build_policy():
    model = models.Sequential([layers.Input((4,))])
    model.add(layers.Dense(32, activation="tanh"))
    model.add(layers.Dense(2, activation="softmax"))
    model.compile(optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    return model


def episodes(policy, draws):
    """What all carts saw and did: states (carts, steps, 4), actions and whether they were still up (carts, steps)."""
    state = np.asarray(random.uniform((CARTS, 4), -0.05, 0.05, seed=draws)).astype("float64")
    chances = np.asarray(random.uniform((STEPS, CARTS), seed=draws))
    states, actions = np.zeros((CARTS, STEPS, 4), "float32"), np.zeros((CARTS, STEPS), "int32")
    up, alive = np.zeros((CARTS, STEPS), "float32"), np.ones(CARTS, bool)
    for t in range(STEPS):
        if not alive.any():
            break
        states[:, t], up[:, t] = state, alive
        actions[:, t] = chances[t] < policy.predict_on_batch(states[:, t])[:, 1]
        state = moved(state, actions[:, t])
        alive &= ~fallen(state)
    return states, actions, up


def worth(up, discount=0.99):
    """How much better than the mean of its step what came after each action was."""
    returns, later = np.zeros_like(up), np.zeros(len(up))
    for t in reversed(range(up.shape[1])):
        later = up[:, t] * (1 + discount * later)
        returns[:, t] = later
    count = np.maximum(up.sum(0), 1)
    better = (returns - (returns * up).sum(0) / count) * up
    return better / max(np.sqrt((better**2).sum() / up.sum()), 1e-6)


def main(job: Job) -> None:
    draws, policy = random.SeedGenerator(job.seed), build_policy()
    rounds, lengths = job.epochs(80, 40), []
    for number in range(rounds):
        states, actions, up = episodes(policy, draws)
        lengths.append(float(up.sum(1).mean()))
        policy.train_on_batch(states.reshape(-1, 4), actions.reshape(-1), sample_weight=worth(up).reshape(-1))
        job.say(f"round {number + 1} of {rounds}: {CARTS} poles stood {lengths[-1]:.0f} of {STEPS} steps, in the mean")
    job.result("steps a pole stands at the beginning", lengths[0])
    few = min(5, rounds)
    job.result("steps it stands, best of 5 rounds in a row", max(np.convolve(lengths, np.ones(few) / few, "valid")))
    job.result("steps it stands, last 5 rounds", np.mean(lengths[-5:]))
    job.note("the book has no such program; it names reinforcement learning as the fourth branch of learning")
    title = "A pole learns to stand"
    lines = {f"mean of {CARTS} poles": lengths}
    job.picture("learning", visualize.series(lines, title=title, x_label="round", y_label="steps standing"))


if __name__ == "__main__":
    run_program(main)
