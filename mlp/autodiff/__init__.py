"""Differentiate graphs of scalar and array operations in both modes, by chaining matrix rules.

    from mlp.autodiff import Graph, exp, forward_mode, reverse_mode

The functions to write expressions with, such as `exp`, are in `functions`; the operations and their rules in `rules`.
"""

from mlp.autodiff.drawing import draw_graph as draw_graph
from mlp.autodiff.drawing import to_dot as to_dot
from mlp.autodiff.functions import *  # noqa: F403
from mlp.autodiff.graph import Graph as Graph
from mlp.autodiff.graph import Node as Node
from mlp.autodiff.graph import forward_mode as forward_mode
from mlp.autodiff.graph import jacobian as jacobian
from mlp.autodiff.graph import record as record
from mlp.autodiff.graph import reverse_mode as reverse_mode
from mlp.autodiff.operation import Operation as Operation
from mlp.autodiff.operation import inner as inner
from mlp.autodiff.rules import OPERATIONS as OPERATIONS
