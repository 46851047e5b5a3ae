"""Hides what `make demo` does not install, from the processes that tests start: a service has none of it.

XGBoost would take in scikit-learn and pandas, which costs such a process more than all the rest.
"""

import sys
from importlib.machinery import ModuleSpec


class Absent:
    """Finds no module of these packages."""

    packages = frozenset({"sklearn", "pandas", "mlflow", "matplotlib"})

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Raises ModuleNotFoundError for what is hidden, and leaves the rest to other finders."""
        if name.partition(".")[0] in self.packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


sys.meta_path.insert(0, Absent())
