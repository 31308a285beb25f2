"""The console as a function: pages for people and a REST API for programs."""

from flask import Request, Response

from shared.config import at_start

at_start()


def console(request: Request) -> Response:
    """Hand the request to the console's own application."""
    from functions.console.app import app  # when first asked: functions are imported before the server forks

    answer = Response.from_app(app(), request.environ)
    assert isinstance(answer, Response)
    return answer
