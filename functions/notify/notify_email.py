"""E-mail channel: sends the deliveries that Pub/Sub names by SMTP."""

from flask import Request, Response

from shared.channels import email
from shared.config import at_start
from shared.entrance import push

at_start()


def notify_email(request: Request) -> Response:
    """Serve the push subscription `notify-email`."""
    return push.receive(request, "notify_email", "email", email.deliver)
