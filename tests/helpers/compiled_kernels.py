"""Compile a kernel of the engine "fused" for an H100, without one: ``KERNEL NUMBER-OF-A-TILE``.

triton brings the assembler, whose report is printed: registers of a thread, and bytes that it keeps
in memory for want of registers.
"""

import sys

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from recallkit.ranks import fused

FLOATS = ("queries", "gallery", "own", "grad_ranks", "back", "weights", "sigmoids", "slopes")
INDICES = ("positives", "left_out")
NUMBERS = ("count", "items", "depth", "width", "first", "left", "tiles_a_split")
TYPES = {
    **dict.fromkeys(FLOATS, "*fp32"),
    **dict.fromkeys(INDICES, "*i64"),
    **dict.fromkeys(NUMBERS, "i32"),
    "sharpness": "fp32",
}
KERNELS = {
    "sums": (fused.sums_kernel, {"POSITIVES": fused.AT_ONCE}),
    "weights": (fused.weights_kernel, {"BOTH": False}),
    "weights of both": (fused.weights_kernel, {"BOTH": True}),
}


def main(name, number):
    kernel, constants = KERNELS[name]
    tile = dict(fused.TILES[number])
    options = {option: tile.pop(option) for option in ("num_warps", "num_stages")}
    constants = constants | tile | {"PRECISION": "tf32x3"}
    types = {argument: TYPES.get(argument, "constexpr") for argument in kernel.arg_names}
    places = {(kernel.arg_names.index(key),): value for key, value in constants.items()}
    source = ASTSource(kernel, types, constexprs=places, attrs={})
    triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
