"""The parts of `scripts/benchmark.py`: the work, the competitors and their processes, tables and pictures."""
