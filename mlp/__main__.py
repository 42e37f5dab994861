"""Run `python -m mlp`, which is the same as `mlp`."""

from mlp.cli import main

if __name__ == "__main__":
    main()
