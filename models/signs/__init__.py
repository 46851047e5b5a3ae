"""Warning signs: documented rules that stand beside the probability and never inside it."""
