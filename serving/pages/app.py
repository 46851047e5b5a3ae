"""The pages: every one is a form's post in and a rendered template out; only portfolios are kept in between."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from serving.jobs.routes import jobs
from serving.observing import metrics
from serving.pages import (
    about,
    casebook,
    comparables,
    home,
    keeping,
    portfolio,
    reporting,
    stages,
    suggestions,
    unknown,
    whatif,
)
from serving.pages.asked import endpoint
from serving.pages.rendering import fixed

DESK = {
    "/desk/stages": stages.answer,
    "/desk/what-if": whatif.answer,
    "/desk/suggestions": suggestions.answer,
    "/desk/comparables": comparables.answer,
    "/desk/unknown": unknown.answer,
    "/desk/report": reporting.answer,
    "/desk/save.json": keeping.json,
    "/desk/save.xlsx": keeping.xlsx,
    "/desk/save.csv": keeping.csv,
}
"""Pages of one tender, which comes with the request."""

pages = Starlette(
    routes=[
        Route("/", home.empty, methods=["GET"]),
        Route("/", endpoint(home.scored), methods=["POST"]),
        *(Route(path, endpoint(found), methods=["POST"]) for path, found in DESK.items()),
        *(Route(path, home.begin_again, methods=["GET"]) for path in DESK),
        Route("/template.xlsx", keeping.template_xlsx, methods=["GET"]),
        Route("/template.csv", keeping.template_csv, methods=["GET"]),
        Route("/portfolio", portfolio.empty, methods=["GET"]),
        Route("/portfolio", portfolio.uploaded, methods=["POST"]),
        Route("/portfolio/{id}", portfolio.one, methods=["GET"]),
        Route("/portfolio/{id}/cancel", portfolio.cancelled, methods=["POST"]),
        Route("/portfolio/{id}/delete", portfolio.deleted, methods=["POST"]),
        Route("/portfolio/{id}/row/{rank:int}", portfolio.opened, methods=["GET"]),
        *jobs,
        Route("/casebook", casebook.listed, methods=["GET"]),
        Route("/casebook/{case_id}", casebook.one, methods=["GET"]),
        Route("/about", about.shown, methods=["GET"]),
        Route("/about/{name}", about.picture, methods=["GET"]),
        Route("/style.css", fixed("text/css", "style.css", "pictures.css"), methods=["GET"]),
        Route("/page.js", fixed("text/javascript", "page.js"), methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]
)
