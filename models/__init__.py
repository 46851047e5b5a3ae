"""What a model is: bundles, the straight line from a tender to its score, and reasons."""
