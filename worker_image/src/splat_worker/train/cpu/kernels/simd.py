"""Sixteen float32 lanes as a value inside numba kernels, so that vectorising is written down, not hoped for.
Only arithmetic, loads, stores and reductions; knows nothing of Gaussians.

LLVM maps a lane group to one AVX-512 register, two of AVX2 or four of SSE/NEON. The functions here exist only
inside `@njit` code: `f16 = load(array, i)`, `a * b + c`, `where(mask, a, b)`, `total(v)`.
"""

# ruff: noqa: ARG001  (numba prescribes the arguments of an intrinsic)
from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

LANES = 16

_F = ir.FloatType()
_I = ir.IntType(32)
_VF = ir.VectorType(_F, LANES)
_VI = ir.VectorType(_I, LANES)
_VB = ir.VectorType(ir.IntType(1), LANES)
# reassociation and contraction (a * b + c in one instruction); not nnan/ninf: kernels test for what is finite
_FLAGS = ("contract", "reassoc", "nsz", "arcp")


class Lanes(types.Type):
    """Sixteen float32."""

    def __init__(self) -> None:
        super().__init__(name="f32x16")


class Mask(types.Type):
    """Sixteen truth values, the outcome of a comparison of lanes."""

    def __init__(self) -> None:
        super().__init__(name="b1x16")


lanes_type, mask_type = Lanes(), Mask()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _VF)


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _VB)


def _splat(builder: Any, scalar: Any, vector: ir.VectorType) -> Any:
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(_I, 0))
    zeros = ir.Constant(ir.VectorType(_I, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def _as_lanes(builder: Any, value: Any, kind: Any) -> Any:
    return value if isinstance(kind, Lanes) else _splat(builder, value, _VF)


def _pairs() -> tuple[tuple[Any, Any], ...]:
    return (lanes_type, lanes_type), (lanes_type, types.float32), (types.float32, lanes_type)


def _operator(op: Any, result: Any, emit: Callable[[Any, Any, Any], Any]) -> None:
    """Two lane groups, or one and a scalar. emit(builder, left, right) returns the result."""

    @infer_global(op)
    class _Typing(ConcreteTemplate):
        cases = [signature(result, a, b) for a, b in _pairs()]  # noqa: RUF012

    for a, b in _pairs():

        @lower_builtin(op, a, b)
        def _lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return emit(builder, *(_as_lanes(builder, v, k) for v, k in zip(args, sig.args, strict=True)))


_operator(operator.add, lanes_type, lambda builder, a, b: builder.fadd(a, b, flags=_FLAGS))
_operator(operator.sub, lanes_type, lambda builder, a, b: builder.fsub(a, b, flags=_FLAGS))
_operator(operator.mul, lanes_type, lambda builder, a, b: builder.fmul(a, b, flags=_FLAGS))
_operator(operator.truediv, lanes_type, lambda builder, a, b: builder.fdiv(a, b, flags=_FLAGS))
_operator(operator.gt, mask_type, lambda builder, a, b: builder.fcmp_ordered(">", a, b))
_operator(operator.ge, mask_type, lambda builder, a, b: builder.fcmp_ordered(">=", a, b))
_operator(operator.lt, mask_type, lambda builder, a, b: builder.fcmp_ordered("<", a, b))
_operator(operator.le, mask_type, lambda builder, a, b: builder.fcmp_ordered("<=", a, b))


def _llvm(builder: Any, name: str, result: Any, args: list[Any]) -> Any:
    kind = ir.FunctionType(result, [a.type for a in args])
    return builder.call(builder.module.declare_intrinsic(name, (), kind), args, fastmath=_FLAGS)


def _element(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Address of a flat element as a pointer to lanes; the array must be C-contiguous float32."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.PointerType(_VF))


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> Any:
    """load(array, i): elements i to i + 15 of a flat, contiguous float32 array, unchecked."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_element(context, builder, sig.args[0], *args), align=4)

    return lanes_type(array, types.intp), lower


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """store(array, i, lanes): writes elements i to i + 15, unchecked."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _element(context, builder, sig.args[0], *args[:2]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes_type), lower


@intrinsic
def splat(typingctx: Any, value: Any) -> Any:
    """splat(x): the scalar in all lanes."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _splat(builder, args[0], _VF)

    return lanes_type(types.float32), lower


@intrinsic
def ramp(typingctx: Any) -> Any:
    """ramp(): 0.0, 1.0, ... 15.0."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(_VF, [float(i) for i in range(LANES)])

    return lanes_type(), lower


@intrinsic
def where(typingctx: Any, mask: Any, a: Any, b: Any) -> Any:
    """where(mask, a, b): lane by lane."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(args[0], args[1], args[2])

    return lanes_type(mask_type, lanes_type, lanes_type), lower


def _of_llvm(name: str, arguments: int) -> Any:
    """An LLVM intrinsic that works lane by lane."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _llvm(builder, f"llvm.{name}.v{LANES}f32", _VF, list(args))

    return lanes_type(*[lanes_type] * arguments), lower


@intrinsic
def smaller(typingctx: Any, a: Any, b: Any) -> Any:
    """smaller(a, b): lane by lane minimum."""
    return _of_llvm("minnum", 2)


@intrinsic
def root(typingctx: Any, value: Any) -> Any:
    """root(v): square roots, lane by lane."""
    return _of_llvm("sqrt", 1)


@intrinsic
def nearest(typingctx: Any, value: Any) -> Any:
    """nearest(v): rounded to the nearest whole number."""
    return _of_llvm("nearbyint", 1)


@intrinsic
def total(typingctx: Any, value: Any) -> Any:
    """total(v): sum over the lanes."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _llvm(builder, f"llvm.vector.reduce.fadd.v{LANES}f32", _F, [ir.Constant(_F, -0.0), args[0]])

    return types.float32(lanes_type), lower


@intrinsic
def any_lane(typingctx: Any, mask: Any) -> Any:
    """any_lane(mask): is one lane true?"""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(mask_type), lower


@intrinsic
def times_power_of_two(typingctx: Any, value: Any, whole: Any) -> Any:
    """times_power_of_two(v, n): v * 2^n for whole n in -100 .. 100, by adding to the exponent bits."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        n = builder.fptosi(args[1], _VI)
        bits = builder.add(builder.bitcast(args[0], _VI), builder.shl(n, ir.Constant(_VI, [23] * LANES)))
        return builder.bitcast(bits, _VF)

    return lanes_type(lanes_type, lanes_type), lower


@intrinsic
def take_ticket(typingctx: Any, counter: Any) -> Any:
    """take_ticket(counter): adds one to counter[0] (int64) atomically and returns what it was."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", data, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(counter), lower
