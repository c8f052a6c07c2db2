"""32 sets of up to 16 symbols, handled at once in compiled code: vectors, which numba lacks.

A `Lanes` is one LLVM vector of 32 numbers of 16 bits. LLVM makes of it what the processor has: one register
with AVX-512, two with AVX2, four elsewhere. Nothing here is called from Python; compiled functions take lanes
from an array by `load` and write them by `store`, and join them by `&`, `|`, `^`, `~` in between.
"""

# pyright: reportMissingParameterType=false, reportUnknownParameterType=false
# ruff: noqa: ANN001, ANN201, ANN202, ARG001 - read by numba, with its own arguments
import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

NUMBER = 32
INDEX, SET = ir.IntType(32), ir.IntType(16)
VECTOR: Any = ir.VectorType(SET, NUMBER)


class Lanes(types.Type):
    """What numba calls a vector of 32 sets."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


LANES = Lanes()
instruction: Any = intrinsic  # what it makes has no first argument: that is numba's own
infer: Any = infer_global


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    """A vector is handed on as a value."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


def _operator(which: Any, instruction: str, arity: int) -> None:
    class Template(ConcreteTemplate):
        cases = (signature(LANES, *(LANES,) * arity),)

    infer(which)(Template)

    @lower_builtin(which, *(Lanes,) * arity)
    def lower(context, builder, sig, args):
        return getattr(builder, instruction)(*args)


_operator(operator.and_, "and_", 2)
_operator(operator.or_, "or_", 2)
_operator(operator.xor, "xor", 2)
_operator(operator.invert, "not_", 1)


def _every(value: int) -> Any:
    return ir.Constant(VECTOR, [ir.Constant(SET, value)] * NUMBER)


def _sizes(builder: Any, lanes: Any) -> Any:
    """How many symbols each set holds."""
    name = f"llvm.ctpop.v{NUMBER}i16"
    count = cgutils.get_or_insert_function(builder.module, ir.FunctionType(VECTOR, [VECTOR]), name)
    return builder.call(count, [lanes])


def moved(sources: list[int]) -> Any:
    """A compiled function: lane i of what it returns is lane `sources[i]` of what it is given."""
    where = ir.Constant(ir.VectorType(INDEX, NUMBER), [ir.Constant(INDEX, source) for source in sources])

    @instruction
    def move(typing, lanes):
        def generate(context, builder, sig, args):
            return builder.shuffle_vector(args[0], ir.Constant(VECTOR, ir.Undefined), where)

        return LANES(LANES), generate

    return move


def of_size(size: int) -> Any:
    """A compiled function: sets of so many symbols stay, others become empty."""

    @instruction
    def pick(typing, lanes):
        def generate(context, builder, sig, args):
            fits = builder.icmp_unsigned("==", _sizes(builder, args[0]), _every(size))
            return builder.select(fits, args[0], _every(0))

        return LANES(LANES), generate

    return pick


def where_size(relation: str, size: int) -> Any:
    """A compiled function: a number whose bit i says that lane i holds so many, more (">") or fewer ("<")."""

    @instruction
    def find(typing, lanes):
        def generate(context, builder, sig, args):
            fits = builder.icmp_unsigned(relation, _sizes(builder, args[0]), _every(size))
            return builder.bitcast(fits, INDEX)

        return types.uint32(LANES), generate

    return find


@instruction
def either(typing, first, second):
    """Lane by lane the first, or the second where that is empty."""

    def generate(context, builder, sig, args):
        return builder.select(builder.icmp_unsigned("==", args[0], _every(0)), args[1], args[0])

    return LANES(LANES, LANES), generate


@instruction
def lowest(typing, bits):
    """Which bit of a number that is not 0 is its lowest."""

    def generate(context, builder, sig, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.uint32(types.uint32), generate


def _place(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array = cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0])
    index = context.cast(builder, args[1], sig.args[1], types.intp)
    return builder.bitcast(builder.gep(array.data, [index]), VECTOR.as_pointer())


@instruction
def load(typing, array, index):
    """The lanes that an array of int16 holds from an index on."""

    def generate(context, builder, sig, args):
        return builder.load(_place(context, builder, sig, args), align=2)

    return LANES(array, index), generate


@instruction
def store(typing, array, index, lanes):
    """Writes lanes into an array of int16, from an index on."""

    def generate(context, builder, sig, args):
        builder.store(args[2], _place(context, builder, sig, args), align=2)
        return context.get_dummy_value()

    return types.void(array, index, LANES), generate
