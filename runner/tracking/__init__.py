"""Record runs where teams already look: MLflow, Weights & Biases."""

from .tracker import Tracking, sweep_tracking, whole_tracking

__all__ = ["Tracking", "sweep_tracking", "whole_tracking"]
