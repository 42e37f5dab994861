"""What `scripts/benchmark.py` measures with: the work, the competitors and their processes, tables and pictures."""
