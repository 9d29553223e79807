"""Steps of SGD for many nets at once, compiled by jax: once for a kind of net and a few shapes.

The nets share a network, a batch size and a schedule, and nothing else. What a training depends on beyond
that (data, rates, number of steps, number of rows) are arguments, so that it is not compiled anew.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

from hierbench.learners.engines import compiling
from hierbench.learners.engines.network import Array, DenseNetwork, split

BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-8
"""Of Adam."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is compiled.

    trainable : for each part of the network, whether it is trained.
    optimizer : {"adam", "sgd"}; loss : {"square", "logistic"}.
    guided : whether there is a penalty (``network.penalty``), and the decay goes down with the loss.
    """

    network: DenseNetwork
    trainable: tuple[bool, ...]
    optimizer: str
    loss: str
    guided: bool


class Net(NamedTuple):
    """What stays as it is while nets are trained: each entry with an axis of nets first.

    fixed : the parts that are not trained; rate : (n_nets,); decay : (n_nets, n_trained);
    weights : of the penalty, (n_nets, L).
    """

    fixed: list[Array]
    rate: Array
    decay: Array
    weights: Array


class State(NamedTuple):
    """What changes.

    flat, first, second : the trained parameters and their moments, (n_nets, n_trained); loss : the running
    one, and clipped : the number of clipped steps, (n_nets,).
    """

    flat: Array
    first: Array
    second: Array
    loss: Array
    clipped: Array


class Pace(NamedTuple):
    """Numbers of every step of a chunk, (chunk,) each, and of all of them.

    rate : factor on the learning rate; adam : that times Adam's correction of bias; epsilon : what Adam
    adds to the root; weight : of the step's loss in the running one.
    """

    rate: Array
    adam: Array
    epsilon: Array
    weight: Array
    clip: Array
    momentum: Array


@functools.cache
def program(recipe: Recipe, whole: bool = False) -> Callable[..., State]:
    """Compile ``advance(state, net, X, y, rows, pace, begin, end)``: some steps of a chunk, of every net.

    X : (n, d) and y : (n,), of all nets; rows : (n_nets, chunk, batch) rows of these, a minibatch a step;
    begin, end : which steps of the chunk; not looked at where it is the ``whole`` one.
    """
    # jax starts slowly
    import jax
    import jax.numpy as jnp
    from jax import lax

    compiling.count()
    network = recipe.network
    shapes = [shape for shape, moves in zip(network.shapes(), recipe.trainable, strict=True) if moves]

    def objective(parts: list[Array], net: Net, X: Array, y: Array) -> tuple[Array, Array]:
        trained, fixed = iter(parts), iter(net.fixed)
        whole = [next(trained if moves else fixed) for moves in recipe.trainable]
        out = network.forward(whole, X).output[:, 0]
        if recipe.loss == "logistic":
            loss = jnp.mean(jax.nn.softplus(-out * y))
        else:
            loss = jnp.mean(jnp.square(out - y))
        return (loss + network.penalty(whole, net.weights) if recipe.guided else loss), loss

    def step(state: State, net: Net, X: Array, y: Array, pace: Pace, i: Array) -> State:
        slopes, loss = jax.grad(objective, has_aux=True)(split(state.flat, shapes), net, X, y)
        # one vector: a third less to compile than part by part
        slope = jnp.concatenate([part.ravel() for part in slopes])
        norm = jnp.sqrt(jnp.sum(jnp.square(slope)))
        slope = slope * jnp.minimum(pace.clip / jnp.maximum(norm, 1e-30), 1.0)
        running = state.loss + pace.weight[i] * (loss - state.loss)
        shrink = net.decay * pace.rate[i]
        if recipe.guided:
            shrink = shrink * jnp.minimum(running, 1.0)
        if recipe.optimizer == "adam":
            first = BETA1 * state.first + (1.0 - BETA1) * slope
            second = BETA2 * state.second + (1.0 - BETA2) * slope * slope
            move = pace.adam[i] * first / (jnp.sqrt(second) + pace.epsilon[i])
        else:
            first, second = pace.momentum * state.first + slope, state.second
            move = pace.rate[i] * first
        flat = state.flat * (1.0 - shrink) - net.rate * move
        return State(flat, first, second, running, state.clipped + (norm > pace.clip))

    def advance(
        state: State, net: Net, X: Array, y: Array, rows: Array, pace: Pace, begin: Array, end: Array
    ) -> State:
        def body(i: Array, state: State) -> State:
            at = rows[i]
            batch = X.at[at].get(mode="promise_in_bounds"), y.at[at].get(mode="promise_in_bounds")
            return step(state, net, *batch, pace, i)

        return lax.fori_loop(0 if whole else begin, rows.shape[0] if whole else end, body, state)

    return jax.jit(jax.vmap(advance, in_axes=(0, 0, None, None, 0, None, None, None)), donate_argnums=0)
