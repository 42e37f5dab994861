"""Train from scikit-learn: estimators whose parameters are the keys of a config."""

from mlp.sklearn.estimators import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
