"""What a run raised, and what it wraps."""

from collections.abc import Iterator


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what Dagster wrapped in it, and what that came from, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = getattr(error, "user_exception", None) or error.__cause__ or error.__context__
