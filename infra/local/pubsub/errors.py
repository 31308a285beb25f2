"""How a request of the Pub/Sub API is refused: a gRPC status and a sentence, in the real service's words."""

import grpc


class RefusedError(Exception):
    """The request breaks a rule of the Pub/Sub API; the status code and the message say which."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> RefusedError:
    """A value outside of what the API allows; say what is allowed."""
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(name: str) -> RefusedError:
    """No such topic, subscription or snapshot."""
    return RefusedError(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={name}).")


def already_exists(name: str) -> RefusedError:
    """The name is taken."""
    return RefusedError(grpc.StatusCode.ALREADY_EXISTS, f"Resource already exists in the project (resource={name}).")


def failed_precondition(message: str) -> RefusedError:
    """Well formed, but not for a resource in this state."""
    return RefusedError(grpc.StatusCode.FAILED_PRECONDITION, message)


def unimplemented(feature: str) -> RefusedError:
    """A feature of the real service that the local one does not have: said aloud, never ignored."""
    return RefusedError(grpc.StatusCode.UNIMPLEMENTED, f"The local Pub/Sub does not offer {feature}.")
