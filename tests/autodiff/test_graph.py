"""Graphs and their two modes, against values computed in 40-digit arithmetic."""

import numpy as np
import pytest

from mlp import autodiff as ad
from mlp.autodiff import Graph, Operation, forward_mode, jacobian, record, reverse_mode

# The note's example, z = exp(sin(u^2) log(u^2)), at u = 1.3: value, dot (d/du), bar (dz/d).
SCALARS = {
    "u": (1.3, 1, 2.2987812963365814),
    "v": (1.69, 2.6, 0.8841466524371467),
    "w": (0.99290365109411852, -0.30919608017119191, 0.88349524816616294),
    "x": (0.5247285289349821, 1.5384615384615385, 1.6717704665476317),
    "y": (0.52100487221278955, 1.3653000743056439, 1.6837187220587253),
    "z": (1.6837187220587253, 2.2987812963365814, 1),
}


def example(u):
    """The nodes of the note's example, by their names in the note."""
    graph = Graph()
    u = graph.input(u, "u")
    v = u**2
    w = ad.sin(v)
    x = ad.log(v)
    y = w * x
    z = ad.exp(y)
    return {"u": u, "v": v, "w": w, "x": x, "y": y, "z": z}


def test_the_notes_scalar_example():
    nodes = example(1.3)
    dots, bars = forward_mode({nodes["u"]: 1.0}), reverse_mode(nodes["z"])
    assert set(dots) == set(bars) == set(nodes.values())
    for name, wanted in SCALARS.items():
        node = nodes[name]
        np.testing.assert_allclose((node.value, dots[node], bars[node]), wanted, rtol=1e-14, atol=0, err_msg=name)


@pytest.mark.parametrize("sign", [1, -1])  # z is even in u
@pytest.mark.parametrize(
    ("u", "z", "slope"),
    [
        (0.5, 0.70965615595913783, -0.25092163556897229),
        (0.7, 0.71482256740549131, 0.33129776503416676),
        (1, 1, 1.682941969615793),
        (2, 0.35023496130173942, -1.5345097784098192),
        (2.5, 0.94100801939615407, 8.5926444214601323),
    ],
)
def test_the_example_elsewhere(u, z, slope, sign):
    nodes = example(sign * u)
    found = nodes["z"].value, forward_mode({nodes["u"]: 1.0})[nodes["z"]], reverse_mode(nodes["z"])[nodes["u"]]
    np.testing.assert_allclose(found, (z, sign * slope, sign * slope), rtol=1e-14, atol=0)


def test_at_0_the_example_is_an_error_and_leaves_no_node():
    graph = Graph()
    v = graph.input(0) ** 2
    with pytest.raises(ArithmeticError, match="log: the value is not finite"):
        ad.log(v)
    with pytest.raises(ArithmeticError, match="divide: the value is not finite"):
        1 / v
    assert len(graph.nodes) == 2


def test_forward_equals_reverse():
    """To 4 units in the last place of the larger of the two paths from u to z, which may nearly cancel."""
    for value in np.random.default_rng(1).uniform(0.3, 3.0, 1000):
        n = example(value)
        dots, bars = forward_mode({n["u"]: 1.0}), reverse_mode(n["z"])
        paths = [bars[n["w"]] * np.cos(n["v"].value), bars[n["x"]] / n["v"].value]
        unit = np.spacing(max(np.abs(paths)) * 2 * value)
        assert abs(dots[n["z"]] - bars[n["u"]]) <= 4 * unit, value


def test_the_notes_polar_example():
    """f = x^2 y with x = r cos t and y = r sin t: both uses of r and t are summed."""
    graph = Graph()
    r, t = graph.input(1.5), graph.input(0.6)
    f = (r * ad.cos(t)) ** 2 * (r * ad.sin(t))
    bars = reverse_mode(f)
    wanted = (1.2981010254805383, 2.5962020509610765, 0.12127162288816445)
    np.testing.assert_allclose((f.value, bars[r], bars[t]), wanted, rtol=1e-14, atol=0)
    for node in (r, t):
        np.testing.assert_allclose(forward_mode({node: 1.0})[f], bars[node], rtol=1e-14, atol=0)


def test_a_chain_of_100_000_nodes_that_all_use_their_input():
    graph = Graph()
    x = graph.input(0.5)
    c = x
    for _ in range(100_000):
        c = c + x
    assert reverse_mode(c)[x] == forward_mode({x: 1.0})[c] == 100_001


def test_twice_gives_the_same_and_leaves_nothing_behind():
    nodes = example(1.3)
    graph = nodes["z"].graph
    before = [{slot: getattr(node, slot) for slot in node.__slots__} for node in graph.nodes]
    seeds = {nodes["u"]: 1.0}
    runs = [(reverse_mode(nodes["z"]), forward_mode(seeds), reverse_mode(nodes["y"])) for _ in range(2)]
    assert runs[0] == runs[1]
    assert nodes["z"] not in runs[0][2]  # y does not depend on z
    assert seeds == {nodes["u"]: 1.0}
    assert before == [{slot: getattr(node, slot) for slot in node.__slots__} for node in graph.nodes]


def test_a_bar_can_be_changed_in_place_without_changing_another():
    graph = Graph()
    x = graph.input([1.0, 2.0])
    y = x + x
    z = ad.reshape(y, (2, 1))
    seed = np.ones((2, 1))
    bars = reverse_mode(z, seed)
    for bar in bars.values():
        bar *= 100
    np.testing.assert_array_equal(seed, np.ones((2, 1)))
    assert [bar.ravel().tolist() for bar in bars.values()] == [[200, 200], [100, 100], [100, 100]]


OPERATORS = {
    "add": (lambda a, b: a + b),
    "subtract": (lambda a, b: a - b),
    "multiply": (lambda a, b: a * b),
    "divide": (lambda a, b: a / b),
    "positive_power": (lambda a, b: a**b),
    "matmul": (lambda a, b: a @ b),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_between_nodes_and_arrays(name):
    rng = np.random.default_rng(1)
    operator = OPERATORS[name]
    A, B = rng.uniform(1, 2, (2, 3, 3))
    wanted = operator(A, B)
    for left, right in [(1, 1), (1, 0), (0, 1)]:
        graph = Graph()
        C = operator(graph.input(A) if left else A, graph.input(B) if right else B)
        assert C.operation.name == name
        np.testing.assert_array_equal(C.value, wanted)
    if name != "matmul":
        for number in (2, 2.5, np.float64(2.5), np.float32(2.5)):
            node = Graph().input(A)
            np.testing.assert_array_equal(operator(number, node).value, operator(number, A))
            np.testing.assert_array_equal(operator(node, number).value, operator(A, number))


def test_operators_of_one_node():
    A = np.array([[1.0, -2.0, 3.0], [-4.0, 5.0, -6.0]])
    node = Graph().input(A)
    for found, wanted in [
        (-node, -A),
        (abs(node), abs(A)),
        (node.T, A.T),
        (node[1], A[1]),
        (node[:, ::2], A[:, ::2]),
        (node**3, A**3),
        (node**-2.0, A**-2.0),
        (sum(row for row in node), A.sum(axis=0)),
    ]:
        np.testing.assert_array_equal(found.value, wanted)


def test_float32_stays_float32_among_numbers():
    graph = Graph()
    x = graph.input(np.array([0.5, 1.5], np.float32), "x")
    c = ad.mean(2 * x**2 + 1.5 / x - ad.power(x, 0.5) ** np.float64(3)) * 0.1
    results = [c.value, *forward_mode({x: np.ones(2)}).values(), *reverse_mode(c).values()]
    assert {np.asarray(result).dtype for result in results} == {np.dtype(np.float32)}


def test_integers_become_floats():
    assert Graph().input([1, 2]).value.dtype == Graph().input([True, False]).value.dtype == np.float64
    assert (np.ones(2, int) / Graph().input(np.float32(2))).value.dtype == np.float64  # as NumPy has it
    np.testing.assert_array_equal(ad.power([1, 2], -1), [1, 0.5])


def test_a_complex_step_goes_through_a_graph():
    def f(x):
        return ad.sum(ad.tanh(x) * ad.relu(x) + abs(x) ** 1.5 - ad.maximum(x, 0.3) / (1 + x**2))

    x = np.array([-1.5, -0.2, 0.4, 2.0])
    graph = Graph()
    node = graph.input(x)
    bar = reverse_mode(f(node))[node]
    step = [f(Graph().input(x + 1e-30j * one)).value.imag / 1e-30 for one in np.eye(4)]
    np.testing.assert_allclose(bar, step, rtol=1e-14)


def test_what_was_recorded_is_not_changed_from_outside():
    array, index, seed = np.array([1.0, 2.0, 3.0]), [0, 0], np.ones(2)
    graph = Graph()
    x = graph.input(array)
    y = x[index]
    array[:], index[:] = 0, [2, 2]
    with pytest.raises(ValueError, match="read-only"):
        x.value[0] = 5
    bars = reverse_mode(y, seed)
    np.testing.assert_array_equal(y.value, [1, 1])
    np.testing.assert_array_equal(bars[x], [2, 0, 0])
    bars[y][:] = 7
    np.testing.assert_array_equal(seed, 1)


def test_an_operation_of_ones_own():
    cube = Operation(
        "cube", lambda A: A**3, lambda dots, C, A: 3 * A**2 * dots[0], lambda C_bar, C, A: (3 * A**2 * C_bar,), "school"
    )
    x = Graph().input(2.0)
    assert reverse_mode(record(cube, x) + x)[x] == 13


def test_several_results():
    """W, V = eigh(S): S = V diag(W) V^T again, so its bars are those of the identity."""
    S = np.array([[4.0, 2.0, 1.0], [2.0, 5.0, 3.0], [1.0, 3.0, 6.0]])
    graph = Graph()
    node = graph.input(S)
    W, V = ad.eigh(node)
    again = (V * W) @ V.T
    np.testing.assert_allclose(again.value, S, rtol=1e-13)
    seed = np.array([[1.0, 2.0, 3.0], [2.0, 0.0, -1.0], [3.0, -1.0, 4.0]])
    np.testing.assert_allclose(reverse_mode(again, seed)[node], seed, atol=1e-12)
    S_dot = np.array([[1.0, 2.0, -1.0], [2.0, 0.0, 1.0], [-1.0, 1.0, 3.0]])
    np.testing.assert_allclose(forward_mode({node: S_dot})[again], S_dot, atol=1e-12)
    np.testing.assert_allclose(reverse_mode(W[0] + W[1] + W[2])[node], np.eye(3), atol=1e-14)
    W, V = ad.eigh(S)
    np.testing.assert_allclose((V * W) @ V.T, S, rtol=1e-13)
    assert "((3,), (3, 3))" in repr(graph.nodes[1])


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda x, y: x + Graph().input(1.0), "add: the nodes are of two graphs"),
        (lambda x, y: reverse_mode(y), r"the output has shape \(2, 3\): say how its elements count"),
        (lambda x, y: reverse_mode(y, np.ones((3, 2))), r"output_bar has shape \(3, 2\), the output \(2, 3\)"),
        (lambda x, y: forward_mode({}), "needs the dot of at least one input"),
        (lambda x, y: forward_mode({x: np.ones(3)}), r"a dot of shape \(2, 3\), got \(3,\)"),
        (lambda x, y: forward_mode({y: np.ones((2, 3))}), "expected an input of one graph"),
        (lambda x, y: forward_mode({x: np.ones((2, 3)), Graph().input(1.0): 1.0}), "expected an input of one graph"),
        (lambda x, y: x.graph.input([1.0, np.nan]), "value must hold finite numbers"),
        (lambda x, y: x.graph.input("one"), "must hold numbers, got 'one'"),
        (lambda x, y: x.graph.input(x), "a node is no array"),
        (lambda x, y: x * np.inf, "multiply: .*finite|value must hold finite numbers"),
        (lambda x, y: ad.power(x, y), "power: the exponent is a number; positive_power takes arrays"),
        (lambda x, y: x + "one", "must hold numbers, got 'one'"),
        (lambda x, y: bool(x), "is neither true nor false; ask its value"),
        (lambda x, y: reverse_mode(y, np.full((2, 3), np.nan)), "output_bar is not finite"),
        (lambda x, y: reverse_mode(ad.sum(y), np.inf), "output_bar is not finite"),
        (lambda x, y: forward_mode({x: np.full((2, 3), np.inf)}), "a dot that is not finite"),
        (
            lambda x, y: jacobian(lambda A: A @ A, np.ones((32, 32))),
            r"1,048,576 partial derivatives \(N x N matrices have N\^4\).*propagation rule",
        ),
        (lambda x, y: jacobian(lambda A: A @ A, np.ones((3, 3)), limit=80), "81 partial derivatives"),
        (lambda x, y: jacobian(lambda A: 3.0, 1.0), "f must return one node"),
        (lambda x, y: jacobian(lambda A: y, 1.0), "f must return one node"),
        (lambda x, y: jacobian(ad.eigh, np.diag([1.0, 2.0])), "f must return one node"),
        (lambda x, y: jacobian(ad.exp, np.ones(0)), "nothing to differentiate"),
        (lambda x, y: jacobian(ad.exp, 1.0, mode="both"), "the mode is 'reverse' or 'forward'"),
    ],
)
def test_misuse_is_refused_in_one_sentence(attempt, message):
    x = Graph().input(np.ones((2, 3)), "x")
    with pytest.raises((ValueError, ArithmeticError, TypeError), match=message):
        attempt(x, x * 2)


def test_no_derivative_is_an_error_not_a_number():
    x = Graph().input([0.0, 4.0])
    root = ad.sqrt(x)
    np.testing.assert_array_equal(root.value, [0, 2])
    with pytest.raises(ArithmeticError, match="sqrt: the bar is not finite"):
        reverse_mode(root, np.ones(2))
    with pytest.raises(ArithmeticError, match="sqrt: the dot is not finite"):
        forward_mode({x: np.ones(2)})
    with pytest.raises(ArithmeticError, match="power: the value is not finite"):
        (-1 - x) ** 0.5


def test_jacobian():
    rng = np.random.default_rng(1)
    A, B, X = rng.normal(size=(2, 3)), rng.normal(size=(3, 4)), rng.normal(size=(3, 5))
    J = jacobian(lambda X: A @ X, X)  # dC_kl / dX_ij = A_ki where l = j
    np.testing.assert_array_equal(J, np.einsum("ki,lj->klij", A, np.eye(5)))
    for mode in ("forward", "reverse"):
        J = jacobian(lambda A: ad.tanh(A @ B) + ad.sum(A), A, mode=mode)
        assert J.shape == (2, 4, 2, 3)
        wanted = (1 - np.tanh(A @ B) ** 2)[:, :, None, None] * np.einsum("jl,ik->klij", B, np.eye(2)) + 1
        np.testing.assert_allclose(J, wanted, rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(jacobian(lambda u: u**3, 2.0, mode=mode), 12.0)
        assert jacobian(lambda A: A @ A, np.ones((3, 3)), limit=81, mode=mode).size == 81
        constant = jacobian(lambda A: A.graph.input([1.0, 2.0]), A, mode=mode)
        np.testing.assert_array_equal(constant, np.zeros((2, 2, 3)))
