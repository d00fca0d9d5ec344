"""The chain of tries that one request starts: what is asked next when a reply is rejected, and where a build stops asking. Pure.

The chain follows from the request and from what was replied alone, so whatever is stored is met again by a later build along the same
chain. It has no end of its own: a round is what every build asks, and those after it hold what asking for failed rows again has paid for.
"""

from __future__ import annotations

from dataclasses import replace

from gland_assets.core.requests import Message, Rejected, Reply, Request, RequestFailed

TRIES = 4  # seeds of one round
LOCAL_TRIES = 8  # the bundled model is weak, and costs nothing
FORM = frozenset({"not_json", "schema"})
"""Causes that a model may mend once it is shown what is wrong with its reply."""
DECLINED = frozenset({"refusal", "content_filter"})
"""Causes that another model may not share."""


class Chain:
    """The tries of one request, each `asked` after the reply to the one before it was `rejected`."""

    def __init__(self, request: Request, local: bool, again: bool = False) -> None:
        """`local`: of the bundled model, whose faults are not shown to it: it is too weak, and its context too short. `again`: the row
        has failed before, and another round of it may be made."""
        self.asked = request
        self.replies = 0
        self._last: tuple[Reply, Rejected] | None = None
        self._first, self._local, self._again = request, local, again
        self._number = 0  # of the seed
        self._shown = False  # whether what is asked shows its fault
        self._making: int | None = None  # the round in which something was paid for

    @property
    def _tries(self) -> int:
        return LOCAL_TRIES if self._local else TRIES

    @property
    def _round(self) -> int:
        return self._number // self._tries

    @property
    def open(self) -> bool:
        """Whether what is asked now may be sent. Beyond, it is but met when it is stored; when it is not, the row has failed."""
        return self._round == 0 or (self._again and self._making in (None, self._round))

    def reject(self, reply: Reply, why: Rejected) -> None:
        """Goes on to what is asked after this reply."""
        self._last, self.replies = (reply, why), self.replies + 1
        if not reply.reused:
            self._making = self._round
        avoid = self.asked.avoid | ({reply.deployment} if why.cause in DECLINED else frozenset())
        if why.cause in FORM and self.asked.schema is not None and not self._local and not self._shown:
            self._shown = True
            self.asked = replace(shown(self.asked, reply, why), avoid=avoid)
            return
        self._number = (self._round + 1) * self._tries if self._shown else self._number + 1
        self._shown = False
        self.asked = replace(self._first.retry(self._number), avoid=avoid)

    def failed(self) -> RequestFailed:
        """What the row fails with when what is asked now is neither stored nor sent."""
        assert self._last is not None
        reply, why = self._last
        return RequestFailed(self._first, reply.request_key, why.cause, why.detail, self.replies, rejected=True)


def shown(request: Request, reply: Reply, why: Rejected) -> Request:
    """The request that goes on with the conversation: the model's own reply, then what is wrong with it."""
    fault = f"That reply cannot be used: {why.detail}\nReply with the whole JSON value once more, mended, and with nothing else."
    return replace(request, messages=(*request.messages, Message("assistant", reply.text), Message("user", fault)))
