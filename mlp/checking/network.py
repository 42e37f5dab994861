"""Check one layer, or a network with its loss and penalty: every bar from the seed down, and the sweep as a whole."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from mlp.checking.bar import EXACT, Problem, check_bar, dot_product, identity
from mlp.checking.copies import copy_of, fingerprint, other_columns, two_columns, weight_names
from mlp.checking.guesses import DECAY_ON_B, IN_PLACE, IN_PLACE_BAR, STATE, close, is_dense
from mlp.checking.loss import loss_problem, no_scalar
from mlp.checking.results import FAIL, INCONCLUSIVE, Result, as_results, attempt, failures, folded, held
from mlp.checking.sweep import Sweep
from mlp.network import Network
from mlp.penalties import L2Penalty
from mlp.types import Array


@as_results
@np.errstate(all="ignore")
def check_network(
    network: Any,
    loss: Any,
    X: Array,
    Y: Array,
    l2: float = 0.0,
    *,
    penalty: Any = None,
    rng: np.random.Generator | None = None,
) -> list[Result]:
    """Check a network, one's own included, on a minibatch: X is K_0 x B, Y is K_L x B.

    The bar of F comes first, then those of each layer's parameters and input from the top down, as the reverse sweep
    goes, against numerical derivatives of `loss.cost`. A wrong bar makes all bars below it wrong; the guess stands at
    the topmost. Then come the sweep as a whole, and the L2 penalty, or a `penalty` of one's own with the same methods.
    A single column is taken twice. The network is left bitwise as it was. What backward raises is a failure.

    Parameters go by their names in the network; the input of layer 1 is "X", and that of layer l + 1 is "H<l>". A layer
    that stands twice has the names of its first place, and its bars are sums (note, footnote 6).
    """
    rng = np.random.default_rng(0) if rng is None else rng
    sweep = Sweep(network, loss, *two_columns(X, Y))
    if complaint := no_scalar(loss, sweep.inputs[-1], sweep.Y):
        return [held("c", "scalar", complaint, "")]
    top = check_bar(loss_problem(loss, sweep.inputs[-1], sweep.Y, sweep.seed), "F", rng)
    penalty = L2Penalty(l2) if penalty is None else penalty
    return [
        *check_sweep(sweep, rng, [top]),
        *attempt("bars", "penalty", lambda: check_penalty(sweep, penalty, rng)),
    ]


@as_results
@np.errstate(all="ignore")
def check_layer(layer: Any, H_in: Array, *, rng: np.random.Generator | None = None) -> list[Result]:
    """Check a layer, one's own included (see `mlp.stack.LayerLike`), at the input H_in, K_in x B.

    With random H_bar, the cost is c = <H_bar, H>: its derivatives with respect to every parameter and H_in are the
    bars that `backward` has to return. A single column is taken twice, because some mistakes do not show with B = 1.
    The layer is left bitwise as it was. What its backward raises is a failure.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    (X,) = two_columns(H_in)
    network = Network([copy.deepcopy(layer)])
    H_bar = rng.normal(size=copy_of(network)(X.copy()).shape)
    product = SimpleNamespace(cost=lambda H, H_bar: np.sum(H_bar * H), seed=lambda H, H_bar: H_bar)
    results = check_sweep(Sweep(network, product, X, H_bar), rng, [])
    own_names = {"X": "H_in", "F": "H"}
    return [replace(result, what=own_names.get(result.what, result.what.removesuffix("1"))) for result in results]


def check_sweep(sweep: Sweep, rng: np.random.Generator, top: list[Result]) -> list[Result]:
    bars = attempt("bars", "backward", lambda: check_bars(sweep, rng, top))
    if not sweep.swept:
        return [*top, *bars]
    return [
        *top,
        *bars,
        *attempt("bars", "minibatch", lambda: minibatch(sweep)),
        *attempt("bars", "as trained", lambda: as_trained(sweep)),
        *stored(sweep),
        *attempt("bars", "called again", lambda: [called_again(sweep)]),
    ]


def check_bars(sweep: Sweep, rng: np.random.Generator, top: list[Result]) -> list[Result]:
    """Compare bars with numbers as the reverse sweep goes, then all together.

    A failure below a wrong bar gets no guess of its own.
    """
    problems = [sweep.problem()]
    if sweep.is_chain:
        problems = [sweep.layer_problem(start) for start in reversed(range(len(sweep.values)))]
    results, above = [], failures(top)  # the bar from which the next ones follow, if it is wrong
    for problem in problems:
        of_layer = [check_bar(problem, name, rng) for name in problem.arrays]
        if above:
            guess = f"it follows from {above[0].what}: mend that first"
            of_layer = [replace(result, guess=guess) if result.verdict == FAIL else result for result in of_layer]
        above = failures(of_layer[-1:])
        results += of_layer
    if all(sweep.found[name].shape == x.shape for name, x in sweep.arrays.items()):
        results.append(dot_product(sweep.problem(), rng))
    return results


def check_penalty(sweep: Sweep, penalty: Any, rng: np.random.Generator) -> list[Result]:
    """Check the penalty by itself: beside the bars of the data a mistake in the smaller ones would not show."""
    own = copy_of(sweep.unused)
    theta_bar = np.zeros_like(own.theta)
    penalty.add_to(own, theta_bar)
    bars, weights = own.named(theta_bar), weight_names(own)
    size = abs(float(penalty.cost(own)))
    if not size and not np.any(theta_bar):
        return []
    suspects = {name: {DECAY_ON_B: bar} for name, bar in bars.items() if name not in weights}
    names = [name for name, bar in bars.items() if name in weights or np.any(bar)]

    def cost(arrays: Mapping[str, Array]) -> Any:
        return penalty.cost(sweep.variant(arrays))

    problem = Problem(cost, sweep.arrays, bars, size, suspects=suspects, maker="penalty")
    results = [replace(check_bar(problem, name, rng), check="penalty") for name in names]
    return folded(results, f"on {', '.join(names)} alone")


def minibatch(sweep: Sweep) -> list[Result]:
    """Compare the bars of a minibatch with the sums of those of its examples; those of X stand side by side."""
    own, X, B = sweep.own, sweep.X, sweep.X.shape[1]
    values = [own.forward(X[:, [b]]) for b in range(B)]
    F, whole = np.concatenate([value[-1].H for value in values], axis=1), sweep.inputs[-1]
    if (np.any(F) or np.any(whole)) and not close(F, whole):
        mixed = "forward mixes the examples of a minibatch, so that their bars do not add up"
        reason = mixed if np.isfinite(F).all() else "not finite"
        return [Result("F", "minibatch", INCONCLUSIVE, np.nan, EXACT, reason)]
    single = [sweep.bars(own, value, sweep.seed[:, [b]]) for b, value in enumerate(values)]
    pairs = {name: (sweep.found[name], np.sum([bars[name] for bars in single], axis=0)) for name in own.parameters()}
    pairs["X"] = sweep.found["X"], np.concatenate([bars["X"] for bars in single], axis=1)
    words = ("minibatch", "its examples")
    return identity("minibatch", pairs, words, columns=B, good=f"the sum over {B} examples")


def as_trained(sweep: Sweep) -> list[Result]:
    """Ask for theta_bar as training does, without X_bar and with arrays to write bars into: the same bars."""
    own = sweep.own
    out = own.views(np.full_like(own.theta, np.nan))
    trained = own.named(own.backward(own.forward(sweep.X.copy()), sweep.seed.copy(), out=out).theta_bar)
    pairs = {name: (bar, sweep.found[name]) for name, bar in trained.items()}
    words = ("as in training", "layer by layer")
    return identity("as trained", pairs, words, good="the same bars as training asks for them")


def called_again(sweep: Sweep) -> Result:
    """Look for hidden state: a copy that saw nothing else has the same bars, and nothing is changed in place."""
    own, unused, X, seed = sweep.own, copy_of(sweep.unused), sweep.X, sweep.seed
    wanted = sweep.bars(unused, unused.forward(X.copy()), seed)
    before = fingerprint(X, seed, own.theta)
    own.forward(other_columns(X))
    values = own.forward(X)
    kept = fingerprint(values)
    bars = [sweep.bars(own, values, seed)]
    own.forward(other_columns(X))
    bars.append(sweep.bars(own, values, seed))
    if sweep.changed:
        number = min(sweep.changed)
        complaint = f"backward of {own.layers[number - 1]!r} changes the H_bar that it is given, in place"
        return held(f"H_bar of layer {number}", "called again", complaint, "", IN_PLACE_BAR)
    if fingerprint(X, seed, own.theta) != before or fingerprint(values) != kept:
        complaint = "forward or backward changed its input, its values, a bar or a parameter in place"
        return held("state", "called again", complaint, "")
    good = "the same bars, nothing changed in place"
    for found in bars:
        pairs = {name: (bar, wanted[name]) for name, bar in found.items()}
        result = identity("called again", pairs, ("after other data", "at first"), good=good)[0]
        if result.verdict == FAIL:
            return replace(result, guess=STATE)
    return result


def stored(sweep: Sweep) -> list[Result]:
    """Check that dense layers store A = W H_in + b 1^T, which g applied in place overwrites with H.

    The bars may be right all the same: the slope of a ReLU is the same at H as at A. A that is neither may be meant so.
    """
    pairs, suspects = {}, {}
    for number, (layer, H_in) in enumerate(zip(sweep.own.layers, sweep.inputs, strict=False), 1):
        values: Any = layer.forward(H_in.copy())
        if is_dense(layer) and hasattr(values, "A"):
            dense: Any = layer
            A = dense.W @ H_in + dense.b
            # A slope that is one of H alone, such as 1 - H^2, never reads A, which may be overwritten.
            slope = getattr(dense.g, "slope", None)
            reads_A = slope is None or not np.array_equal(slope(A, values.H), slope(-A, values.H))
            if close(values.A, A) or (reads_A and close(values.A, values.H)):
                pairs[f"A{number}"], suspects[f"A{number}"] = (values.A, A), {IN_PLACE: values.H}
    words = ("stored", "W H + b 1ᵀ")
    return identity("stored", pairs, words, suspects=suspects, good="W H + b 1ᵀ, not overwritten") if pairs else []
