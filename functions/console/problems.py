"""What does somebody see when it did not work? One JSON shape for programs, a page in their language for people."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, g, jsonify, make_response, render_template
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from functions.console import language
from functions.console.access import is_api
from shared import db, logs
from shared.errors import InvalidRequest, InvalidText, Unavailable

_CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "unprocessable",
    429: "too_many_requests",
}


def install(app: Flask) -> None:
    """Register the answers of everything that goes wrong in a request."""
    app.register_error_handler(InvalidRequest, _invalid)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _broken)


def _invalid(error: InvalidRequest) -> Response:
    answer = _answer(error.status, error.code, str(error), field=error.field, allowed=error.allowed)
    if error.status in (409, 429, 503):
        answer.headers["Retry-After"] = "5"
    return answer


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    answer = _answer(status, _CODES.get(status, "internal"), error.name)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(set(error.valid_methods)))
    return answer


def _broken(error: Exception) -> Response:
    """The boundary: of an unexpected error nothing reaches the reader but its kind; the log has it all."""
    if isinstance(error, InvalidText):
        return _answer(400, "invalid_text", "text holds a lone surrogate or NUL", allowed="UTF-8 text without NUL")
    if isinstance(error, Unavailable) or db.is_retryable(error):
        logs.event("console_unavailable", level=40, error=type(error).__name__)
        answer = _answer(503, "unavailable", "a service behind the console does not answer; try again in a moment")
        answer.headers["Retry-After"] = "10"
        return answer
    logs.event("console_failed", level=40, error=type(error).__name__, exc_info=error)
    return _answer(500, "internal", "something went wrong on our side")


def told(error: InvalidRequest | Unavailable) -> dict[str, Any]:
    """An error as a page shows it beside the form that caused it."""
    if isinstance(error, Unavailable):
        return {"text": language.t("errors.no_answer"), "field": None, "allowed": None}
    return {"text": _text(error.status, error.code, str(error)), "field": error.field, "allowed": error.allowed}


def _text(status: int, code: str, message: str) -> str:
    """The reader's language where somebody wrote the sentence, at least by its kind; else the message."""
    return language.either(f"errors.{code}", language.either(f"errors.status_{status}", message))


def _answer(status: int, code: str, message: str, *, field: str | None = None, allowed: Any = None) -> Response:
    request_id = g.get("request_id", "")
    if is_api():
        content = {"code": code, "message": message, "field": field, "allowed": allowed, "request_id": request_id}
        return make_response(jsonify({"error": content}), status)
    text = _text(status, code, message)
    page = render_template("error.html", status=status, text=text, field=field, allowed=allowed, request_id=request_id)
    return make_response(page, status)
