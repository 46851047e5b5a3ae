"""The addresses of the jobs' API."""

from __future__ import annotations

from starlette.routing import Route

from serving.jobs import api

DONE = {
    "output": api.output,
    "errors": api.errors,
    "manifest": api.manifest,
    "worklist": api.worklist,
    "gone": api.gone,
    "report": api.report,
}
"""What there is of a job once it is done."""

jobs = [
    Route("/jobs", api.posted, methods=["POST"]),
    Route("/jobs", api.listed, methods=["GET"]),
    Route("/jobs/{id}", api.of_job(api.shown), methods=["GET"]),
    Route("/jobs/{id}", api.of_job(api.deleted), methods=["DELETE"]),
    Route("/jobs/{id}/cancel", api.of_job(api.cancelled), methods=["POST"]),
    *(Route(f"/jobs/{{id}}/{name}", api.of_job(found, "done"), methods=["GET"]) for name, found in DONE.items()),
]
