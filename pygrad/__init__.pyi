# ruff: noqa: F403
from collections.abc import Iterable

from pygrad import engine as engine
from pygrad import losses as losses
from pygrad import nn as nn
from pygrad import optim as optim
from pygrad._operations import *
from pygrad._version import __version__ as __version__
from pygrad.arrays import *
from pygrad.batches import *
from pygrad.compiled import *
from pygrad.draw import *
from pygrad.functional import *
from pygrad.graph import *
from pygrad.tracing import *
from pygrad.value import OPS as OPS
from pygrad.value import Number
from pygrad.value import Value as Value
from pygrad.value import backend as backend
from pygrad.value import live_nodes as live_nodes
from pygrad.value import memory as memory
from pygrad.value import operands as operands

def softmax(values: Iterable[Value | Number]) -> list[Value]: ...
