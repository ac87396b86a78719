"""Recording runs where teams already look: MLflow, Weights & Biases."""

from .opening import tracked

__all__ = ["tracked"]
