"""How lists are cut into pages: by name, the token being the last name given."""

import base64
import binascii
from collections.abc import Iterable

from infra.local.pubsub.errors import invalid

_LARGEST = 1000


def page(names: Iterable[str], size: int, token: str) -> tuple[list[str], str]:
    """The next names in order and the token of the page after them, empty when there is none."""
    if size < 0:
        raise invalid("page_size must not be negative.")
    limit = min(size or _LARGEST, _LARGEST)
    after = _decoded(token)
    rest = sorted(name for name in names if name > after)
    more = len(rest) > limit
    return rest[:limit], base64.urlsafe_b64encode(rest[limit - 1].encode()).decode("ascii") if more else ""


def _decoded(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise invalid("The page_token was not given out by this list.") from error
