from collections.abc import Iterable

from pygrad import engine as engine
from pygrad import losses as losses
from pygrad import nn as nn
from pygrad import optim as optim
from pygrad._operations import *  # noqa: F403
from pygrad._version import __version__ as __version__
from pygrad.arrays import array as array
from pygrad.arrays import data as data
from pygrad.arrays import grads as grads
from pygrad.compiled import compile as compile
from pygrad.draw import draw_dot as draw_dot
from pygrad.draw import print_graph as print_graph
from pygrad.functional import check_gradients as check_gradients
from pygrad.functional import grad as grad
from pygrad.functional import jacobian as jacobian
from pygrad.functional import value_and_grad as value_and_grad
from pygrad.graph import Graph as Graph
from pygrad.tracing import TraceError as TraceError
from pygrad.tracing import constant as constant
from pygrad.value import OPS as OPS
from pygrad.value import Number
from pygrad.value import Value as Value
from pygrad.value import backend as backend
from pygrad.value import live_nodes as live_nodes
from pygrad.value import memory as memory
from pygrad.value import operands as operands

def softmax(values: Iterable[Value | Number]) -> list[Value]: ...
