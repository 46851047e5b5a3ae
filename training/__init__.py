"""From histories to released bundles: data, splits, fits, validation, tracking."""
