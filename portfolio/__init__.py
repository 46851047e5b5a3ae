"""Portfolio runs: a file of tenders in, every one of them scored, and the worklist of those worth a review."""

import os

# As `cli.main` does, through which workers of a cluster do not come. OpenMP reads it once, when XGBoost is loaded;
# threads that wait by spinning make a worker on a busy machine several times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
