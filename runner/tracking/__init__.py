"""Record runs where teams already look: MLflow, Weights & Biases."""
