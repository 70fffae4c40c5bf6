"""Benchmarks of time, memory and precision; each is a module of its own."""

from recallkit.bench.memory import StepMemory, memory_trace, peak_bytes

__all__ = ["StepMemory", "memory_trace", "peak_bytes"]
