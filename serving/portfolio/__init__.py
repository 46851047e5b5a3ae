"""Portfolio runs: a file of tenders in, every one of them scored, and the worklist of those worth a review."""
