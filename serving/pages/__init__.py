"""The pages: the draft form and the result, rendered here, without scripts."""
