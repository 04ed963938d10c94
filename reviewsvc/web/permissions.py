"""Each route declares whom it serves; what is not granted is refused before the route runs."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from flask import Flask, current_app, g, request
from flask.typing import RouteCallable

from reviewsvc.domain.permissions import ALL, PermissionDeniedError
from reviewsvc.web.actors import signed_in

View = TypeVar("View", bound=Callable[..., Any])
_DECLARED: Final = "declared_permission"


class Declared(NamedTuple):
    """Whom a route serves: everybody, everybody signed in, or those who hold a permission.

    `queue` and `model` name the parts of the path that say where the permission must hold; without them it
    must hold somewhere, and the use case looks at the thing itself. A passive route is asked by scripts by
    themselves: it does not keep a session alive.
    """

    is_public: bool = False
    permission: str | None = None
    queue: str | None = None
    model: str | None = None
    is_passive: bool = False


def permission(
    name: str, *, queue: str | None = None, model: str | None = None, is_passive: bool = False
) -> Callable[[View], View]:
    """Declare that a route needs a permission, in the queue or for the model of the path if one is named."""
    if name not in ALL:
        raise ValueError(f"no permission is called {name}: take one of domain/permissions.py")
    return _declare(Declared(permission=name, queue=queue, model=model, is_passive=is_passive))


def public(view: View) -> View:
    """Declare that a route serves everybody."""
    return _declare(Declared(is_public=True))(view)


def anyone_signed_in(view: View) -> View:
    """Declare that a route serves everybody who is signed in, about themselves."""
    return _declare(Declared())(view)


def declared(view: RouteCallable, method: str) -> Declared | None:
    """Return what a route declares for a method, or None if it declares nothing."""
    view_class = getattr(view, "view_class", None)
    subject = getattr(view_class, method.lower(), None) if view_class else view
    found: Declared | None = getattr(subject, _DECLARED, None)
    return found


def guard(app: Flask) -> None:
    """Check each request of the application against what its route declares."""
    app.before_request(_check)


def _declare(said: Declared) -> Callable[[View], View]:
    def mark(view: View) -> View:
        setattr(view, _DECLARED, said)
        return view

    return mark


def _check() -> None:
    if request.endpoint is None or request.method == "OPTIONS":
        return
    method = "GET" if request.method == "HEAD" else request.method
    said = declared(current_app.view_functions[request.endpoint], method)
    if said is None:
        raise PermissionDeniedError("This route says not whom it serves, so it serves nobody.")
    if said.is_public:
        return
    g.is_passive = said.is_passive
    found = signed_in()
    if said.permission is None:
        return
    parts = request.view_args or {}
    reach = found.reach(said.permission)
    if said.queue or said.model:
        found.require(said.permission, parts.get(said.model or ""), parts.get(said.queue or ""))
    elif not reach:
        raise PermissionDeniedError(f"This needs the permission {said.permission}.")
