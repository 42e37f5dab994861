"""From a YAML config to a run directory: config, run, model file, plots."""
