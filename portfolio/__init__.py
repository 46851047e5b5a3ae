"""Portfolio runs: scores for every tender of a file or folder, and a worklist of those worth a review."""

import os

# Threads that wait by spinning make a worker on a busy machine several times slower. OpenMP reads this once, when
# XGBoost is loaded. `cli.main` sets it too, but workers of a cluster do not pass through it.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
