"""Make runs from YAML configs: data, model and training of a config, and the run directory that keeps them."""
