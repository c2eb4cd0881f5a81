from collections.abc import Callable, Iterable, Sequence
from typing import Any, SupportsFloat, SupportsIndex

from pygrad._backends.interface import Memory as Memory
from pygrad._backends.interface import Op as Op
from pygrad._operations import _Operations

Number = SupportsFloat | SupportsIndex

class Value(_Operations):
    data: float
    grad: float
    label: str
    _backward: Callable[[], Any]
    def __init__(
        self,
        data: Number,
        _children: Iterable[Value] = ...,
        _op: str | Sequence[Number] = ...,
        label: str = ...,
    ) -> None: ...
    @property
    def _prev(self) -> set[Value]: ...
    @property
    def _op(self) -> str: ...
    def backward(self) -> None: ...
    # any other attribute can be set
    def __setattr__(self, name: str, value: Any) -> None: ...
    def __getattr__(self, name: str) -> Any: ...
    def __abs__(self) -> Value: ...

OPS: dict[str, Op]
backend: str
functions: dict[str, Callable[..., Value]]

def live_nodes() -> int: ...
def memory() -> Memory: ...
def operands(value: Value) -> list[Value]: ...
