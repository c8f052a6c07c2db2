"""Vector registers for kernels compiled by numba: what plain loops do not compile to.

A kernel that is written with these builds LLVM instructions when numba compiles it; nothing here runs
later. Loops over registers are unrolled by Python, loops over memory become loops.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, reduce
from inspect import Parameter, Signature, signature
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

# Options of kernels. A part of one is `emitted`, not compiled by itself: numba would compile it twice, alone
# and inside, and would make most of its code for indices that could be negative.
KERNEL: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}

CHAINS = 6  # of additions in a sum of registers: an addition takes 4 cycles, and two can start in each


def _wide() -> bool:
    try:
        return bool(binding.get_host_cpu_features().get("avx512f", False))
    except RuntimeError:  # LLVM cannot tell on some systems
        return False


WIDE = _wide()
REGISTER_BYTES = 64 if WIDE else 32
REGISTERS = 32 if WIDE else 16


@dataclass(frozen=True)
class Register:
    """A vector of floats (or of truth values), with arithmetic."""

    unit: "Unit"
    value: Any

    def __add__(self, other: "Register") -> "Register":
        return self.unit.wrap(self.unit.builder.fadd(self.value, other.value))

    def __sub__(self, other: "Register") -> "Register":
        return self.unit.wrap(self.unit.builder.fsub(self.value, other.value))

    def __mul__(self, other: "Register") -> "Register":
        return self.unit.wrap(self.unit.builder.fmul(self.value, other.value))

    def __truediv__(self, other: "Register") -> "Register":
        return self.unit.wrap(self.unit.builder.fdiv(self.value, other.value))

    def __neg__(self) -> "Register":
        return self.unit.wrap(self.unit.builder.fneg(self.value))

    def __gt__(self, other: "Register") -> "Register":
        return self.unit.wrap(self.unit.builder.fcmp_ordered(">", self.value, other.value))

    def __and__(self, other: "Register") -> "Register":
        return self.unit.wrap(self.unit.builder.and_(self.value, other.value))

    def where(self, yes: "Register", no: "Register") -> "Register":
        """Lane by lane, `yes` where this truth value holds, else `no`."""
        return self.unit.wrap(self.unit.builder.select(self.value, yes.value, no.value))

    def sqrt(self) -> "Register":
        """Lane by lane."""
        return self.unit.call("llvm.sqrt", self)

    def times_plus(self, factor: "Register", addend: "Register") -> "Register":
        """This · factor + addend, rounded once."""
        return self.unit.call("llvm.fma", self, factor, addend)


class Unit:
    """Builds instructions on floats of one type, `lanes` at a time: a register's worth, or one."""

    def __init__(self, builder: Any, scalar: Any, *, single: bool = False) -> None:
        self.builder = builder
        self.scalar = scalar
        bits = {"float": 32, "double": 64}[str(scalar)]
        self.bytes = bits // 8
        self.lanes = 1 if single else REGISTER_BYTES // self.bytes
        self.type = scalar if single else ir.VectorType(scalar, self.lanes)
        self.suffix = f"f{bits}" if single else f"v{self.lanes}f{bits}"

    @cached_property
    def single(self) -> "Unit":
        """The unit of single floats: its square root and division take half the time of a register's."""
        return Unit(self.builder, self.scalar, single=True)

    def wrap(self, value: Any) -> Register:
        """A register of an LLVM value."""
        return Register(self, value)

    def call(self, name: str, *arguments: Register) -> Register:
        """An LLVM intrinsic on whole registers."""
        kind = ir.FunctionType(self.type, [self.type] * len(arguments))
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"{name}.{self.suffix}")
        return self.wrap(self.builder.call(function, [a.value for a in arguments]))

    def constant(self, number: float) -> Register:
        """The same number in every lane."""
        number = float(np.float32(number)) if self.bytes == 4 else number  # LLVM refuses to round
        return self.wrap(ir.Constant(self.type, number if self.lanes == 1 else [number] * self.lanes))

    def constants(self, numbers: Sequence[float]) -> Register:
        """A number for each lane."""
        return self.wrap(ir.Constant(self.type, list(numbers)))

    def index(self, data: Any, place: Any) -> Any:
        """An integer out of an array of them."""
        return self.builder.load(self.builder.gep(data, [place]))

    def spread(self, scalar: Any) -> Register:
        """A scalar LLVM value in every lane, rounded to this unit's type."""
        if scalar.type != self.scalar:
            scalar = self.builder.fptrunc(scalar, self.scalar)
        if self.lanes == 1:
            return self.wrap(scalar)
        first = ir.Constant(ir.IntType(32), 0)
        single = self.builder.insert_element(ir.Constant(self.type, ir.Undefined), scalar, first)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.wrap(self.builder.shuffle_vector(single, single, lanes))

    def load(self, data: Any, offset: Any) -> Register:
        """`lanes` floats from `data` (a pointer to floats) on, `offset` floats in."""
        return self.wrap(self.builder.load(self._address(data, offset), align=self.bytes))

    def store(self, data: Any, offset: Any, register: Register) -> None:
        """Writes a register back."""
        self.builder.store(register.value, self._address(data, offset), align=self.bytes)

    def load_spread(self, data: Any, offset: Any) -> Register:
        """One float from memory, in every lane."""
        return self.spread(self.builder.load(self.builder.gep(data, [offset]), align=self.bytes))

    def total(self, registers: Sequence[Register]) -> Register:
        """Sum of registers, pairwise: a short chain of dependent additions."""
        parts = list(registers)
        while len(parts) > 1:
            parts = [reduce(Register.__add__, parts[i : i + 2]) for i in range(0, len(parts), 2)]
        return parts[0]

    def dot(self, left: Sequence[Register], right: Sequence[Register]) -> Register:
        """Σ left·right lane by lane, in several chains, so that additions overlap."""
        chains: list[Register] = []
        for place, (a, b) in enumerate(zip(left, right, strict=True)):
            chain = place % CHAINS
            if place < CHAINS:
                chains.append(a * b)
            else:
                chains[chain] = a.times_plus(b, chains[chain])
        return self.total(chains)

    def sum(self, register: Register) -> Register:
        """The sum of a register's lanes, as a single float: by halves."""
        value, width, index = register.value, self.lanes, ir.IntType(32)
        while width > 1:
            width //= 2
            kind = ir.VectorType(index, width)
            halves = [
                self.builder.shuffle_vector(
                    value, value, ir.Constant(kind, list(range(first, first + width)))
                )
                for first in (0, width)
            ]
            value = self.builder.fadd(*halves)
        return self.single.wrap(self.builder.extract_element(value, ir.Constant(index, 0)))

    def transposed(self, rows: Sequence[Register]) -> list[Register]:
        """As many registers as one has lanes: register i of the result holds lane i of each, in order.

        By halves: lanes that are `step` apart change places between registers that are `step` apart.
        """
        values, width = [row.value for row in rows], self.lanes
        step = width // 2
        while step:
            kind = ir.VectorType(ir.IntType(32), width)
            lower = ir.Constant(kind, [i if not i & step else width + i - step for i in range(width)])
            upper = ir.Constant(kind, [i + step if not i & step else width + i for i in range(width)])
            for i in range(width):
                if not i & step:
                    pair = values[i], values[i + step]
                    values[i] = self.builder.shuffle_vector(*pair, lower)
                    values[i + step] = self.builder.shuffle_vector(*pair, upper)
            step //= 2
        return [self.wrap(value) for value in values]

    def polynomial(self, variable: Register, coefficients: Sequence[float]) -> Register:
        """Σ coefficients[i] · variable**i, by Horner's rule."""
        highest, *others = (self.constant(c) for c in reversed(coefficients))
        return reduce(lambda value, c: value.times_plus(variable, c), others, highest)

    @contextmanager
    def loop(self, count: Any) -> Generator[Any]:
        """A loop over 0 … count−1; yields its counter."""
        with cgutils.for_range(self.builder, count) as counter:
            yield counter.index

    def accumulate(
        self, count: Any, start: Sequence[Register], body: Callable[[Any, list[Register]], list[Register]]
    ) -> list[Register]:
        """Registers after `count` rounds of `body(counter, registers)`."""
        slots = [cgutils.alloca_once(self.builder, self.type) for _ in start]
        for slot, register in zip(slots, start, strict=True):
            self.builder.store(register.value, slot)
        with self.loop(count) as counter:
            before = [self.wrap(self.builder.load(slot)) for slot in slots]
            for slot, register in zip(slots, body(counter, before), strict=True):
                self.builder.store(register.value, slot)
        return [self.wrap(self.builder.load(slot)) for slot in slots]

    def offset(self, row: Any, stride: int, extra: int = 0) -> Any:
        """Where a row starts (and `extra` floats on), in floats."""
        whole = self.builder.mul(row, row.type(stride))
        return self.builder.add(whole, row.type(extra)) if extra else whole

    def load_row(self, data: Any, row: Any, registers: int) -> list[Register]:
        """Row `row` of an array of rows of so many registers."""
        lanes = self.lanes
        return [self.load(data, self.offset(row, registers * lanes, q * lanes)) for q in range(registers)]

    def store_row(self, data: Any, row: Any, values: Sequence[Register]) -> None:
        """Writes a row of an array of rows of as many registers."""
        for q, value in enumerate(values):
            self.store(data, self.offset(row, len(values) * self.lanes, q * self.lanes), value)

    def clear(self, data: Any, count: Any) -> None:
        """Zeros into `count` floats."""
        size = self.builder.mul(count, count.type(self.bytes))
        cgutils.memset(self.builder, data, size, 0)

    def _address(self, data: Any, offset: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(data, [offset]), self.type.as_pointer())


def emitted(emit: Callable[..., None]) -> Callable[..., Any]:
    """A function for numba kernels out of one that builds it: `emit(unit, *arguments)`.

    Arrays arrive as pointers to their (contiguous) floats, integers and floats as LLVM values, `None` as
    None, and a tuple as its length: how a kernel is told sizes that must be known when it is compiled.
    The type of the first array decides the unit's.
    """

    def define(_: Any, *kinds: Any) -> Any:
        def build(context: Any, builder: Any, call: Any, values: Any) -> Any:
            arguments: list[Any] = []
            scalar: Any = None
            for kind, value in zip(call.args, values, strict=True):
                if isinstance(kind, types.Array):
                    if kind.layout != "C":
                        raise TypeError(f"{emit.__name__} was given an array that is not contiguous: {kind}")
                    if scalar is None:
                        scalar = context.get_value_type(kind.dtype)
                    arguments.append(context.make_array(kind)(context, builder, value).data)
                elif isinstance(kind, types.BaseTuple):
                    arguments.append(len(kind))
                else:
                    arguments.append(None if isinstance(kind, types.NoneType) else value)
            emit(Unit(builder, scalar), *arguments)
            return context.get_dummy_value()

        return types.void(*kinds), build

    # numba reads the number of arguments off the signature; it would pack `*kinds` into one.
    names = ["typing_context", *list(signature(emit).parameters)[1:]]
    define.__signature__ = Signature([Parameter(n, Parameter.POSITIONAL_OR_KEYWORD) for n in names])
    return intrinsic(define)


@emitted
def clear(unit: Unit, data: Any, count: Any) -> None:
    """Zeros into the first `count` numbers of an array: less to compile than an assignment."""
    unit.clear(data, count)
