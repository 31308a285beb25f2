"""In-app channel: puts the deliveries that Pub/Sub names into their readers' inboxes."""

from flask import Request, Response

from shared.channels import system
from shared.config import at_start
from shared.entrance import push

at_start()


def notify_system(request: Request) -> Response:
    """Serve the push subscription `notify-system`."""
    return push.receive(request, "notify_system", "system", system.deliver)
