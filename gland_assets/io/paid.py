"""The reply that was paid for: found in the store, or told as lost before it would be paid for a second time."""

from __future__ import annotations

from gland_assets.core.errors import WarehouseError
from gland_assets.core.requests import Reply
from gland_assets.io.ledger import Ledger
from gland_assets.io.store import ResponseStore


def paid_reply(store: ResponseStore, ledger: Ledger, key: str) -> Reply | None:
    """The stored reply to a request; None when it has not been paid for.

    Raises WarehouseError when the ledger has it on record as paid for and the store has lost it.
    """
    reply = store.get((key,)).get(key)
    if reply is None and ledger.knows(key):
        reply = store.get((key,)).get(key)  # another process may have paid for it since the first look
        if reply is None:
            raise WarehouseError(
                f"{store.path} has lost replies that were paid for: {ledger.spent().calls:,} are on record, and it holds "
                f"{store.count():,}; put the file back as it was. Only to pay again for what is lost, delete {ledger.path} and the folder "
                f"{ledger.folder}: the record of what was spent goes with them"
            )
    return reply
