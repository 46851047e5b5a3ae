"""The HTTP service. Only this package imports bentoml."""
