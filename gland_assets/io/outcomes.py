"""What was compared and what came of it, in the tables of minhash.duckdb: settled for all rows, or again from those that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gland_assets.core.bitmaps import Bitmaps, Sieve
from gland_assets.core.dedup import bucket_keys
from gland_assets.core.levels import REFERENCE
from gland_assets.core.likeness import Likeness
from gland_assets.core.links import Links, Pairs, Relinked, linked, losing, relinked
from gland_assets.core.near import LOOKED_AT, Alike, Change, Dropped, find, look_again
from gland_assets.core.project import Dedup
from gland_assets.core.shares import Held, Places, Shares, Sought, SoughtBands, shared_places
from gland_assets.core.texts import Ints, UInt64s, distinct
from gland_assets.io.compared import groups
from gland_assets.io.sql import query
from gland_assets.io.stored_schemas import STORED
from gland_assets.io.texts import StoredTexts, is_reference

TABLES = {
    "parts": "discipline text, stamp text, made_from text, rule text",
    "signed": "number integer, question_id text, discipline text, publishable boolean, text_key ubigint, keys uinteger[], bits ubigint[]",
    "shared": "kind utinyint, key ubigint, number integer",
    "alike": "kind utinyint, key ubigint, one integer, other integer",
    "dropped": "number integer, kept integer, kind text, jaccard double",
}
"""Table -> its columns: the partitions that were compared and by which rule; their rows; how these are linked; and the dropped."""

SIGNED = ["number", "question_id", "discipline", "publishable", "text_key", "keys", "bits"]
MET, LINKED = ["number", "discipline", "text_key", "bits"], ["number", "question_id", "discipline", "bits"]
DROPPED = pa.schema([("number", pa.int32()), ("kept", pa.int32()), ("kind", pa.string()), ("jaccard", pa.float64())])
BATCH = 1 << 17  # rows whose band keys are looked through at once
FEW = 4
"""Of so many rows that stand, one at the most may have changed, else all are compared anew, which then costs less."""

TextsOf = Callable[[pa.Table], StoredTexts]
"""The texts of rows by question_id and discipline."""


class Settled(NamedTuple):
    """All rows, how the publishable ones are linked, and those that are dropped, by number."""

    signed: pa.Table
    links: Links
    dropped: dict[int, Dropped]


class Order(NamedTuple):
    """Rows in the order in which they are kept, references first, by question_id, discipline and bits; and the place of each given one."""

    rows: pa.Table
    references: int
    places: Ints


def settle(rows: pa.Table, texts_of: TextsOf, settings: Dedup) -> Settled:
    """Compare all rows, as compared.stored_rows gives them."""
    signed = _numbered(rows, np.arange(len(rows), dtype=np.int32))
    compared = signed if pc.all(signed["publishable"]).as_py() else signed.filter(signed["publishable"])
    groups, references = _kept_apart(compared, settings)
    shared = _shared(compared, groups, references, settings)
    links = linked(shared, references, Sieve(_bitmaps(compared), settings), LOOKED_AT)
    met = links.rows()
    order = _in_order(compared.take(pa.array(met)))
    ranked = Sieve(_bitmaps(order.rows), settings)
    ranks = np.empty(len(compared), dtype=np.int64)
    ranks[met] = order.places
    shares = Shares(links.places._replace(rows=ranks[links.places.rows]), len(met))
    alike = Alike.of(ranks[links.pairs.ones], ranks[links.pairs.others])
    texts = texts_of(order.rows).all()
    found = find(shares, alike, order.references, Likeness(texts.text, ranked, settings))
    numbers = compared["number"].to_numpy()
    return Settled(signed, _by_number(links, numbers), _dropped_by_number(found, numbers[_numbers(met, order)]))


def settle_all(connection: duckdb.DuckDBPyConnection, rows: pa.Table, texts_of: TextsOf, settings: Dedup) -> None:
    """Lay out the tables and compare all rows, whatever stood before."""
    settled = settle(rows, texts_of, settings)
    for kind in ("view", "table"):  # whatever version laid them out
        mine = f"select {kind}_name from duckdb_{kind}s() where not internal and database_name = current_database()"
        for (name,) in connection.execute(mine).fetchall():
            connection.execute(f'drop {kind} "{name}"')
    for name, columns in TABLES.items():
        connection.execute(f"create table {name}({columns})")
    connection.execute(query("minhash/bands"))
    _insert(connection, "signed", settled.signed)
    _link(connection, settled.links)
    _keep(connection, settled.dropped)


def settle_changed(
    connection: duckdb.DuckDBPyConnection, touched: Sequence[str], now: pa.Table, texts_of: TextsOf, settings: Dedup
) -> bool:
    """Look again at what differs in the touched disciplines, whose rows are `now`, and at the rows it can touch.

    False, and nothing done, when too much differs.
    """
    was = connection.execute("from signed where list_contains(?::text[], discipline)", [list(touched)]).to_arrow_table()
    stays, stood = _unchanged(was, now)
    gone, came = was.filter(pa.array(~stood)), now.filter(pa.array(~stays))
    ((rows, last),) = connection.execute("select count(*), coalesce(max(number), -1) from signed").fetchall()
    if FEW * (len(gone) + len(came)) > rows:
        return False
    came = _renumbered(gone, came, last + 1)
    _delete(connection, "signed", gone["number"].to_numpy())
    _insert(connection, "signed", came)
    if len(gone) or len(came):
        _look_again(connection, gone, came, texts_of, settings)
    return True


def _look_again(connection: duckdb.DuckDBPyConnection, gone: pa.Table, came: pa.Table, texts_of: TextsOf, settings: Dedup) -> None:
    left, new = (table["number"].to_numpy().astype(np.int64) for table in (gone, came))
    links = _relinked(connection, left, came, settings)
    near = links.around(np.concatenate([left, new]))
    met = near.links.rows()
    for_good = gone.filter(pa.array(~np.isin(left, new) & np.isin(left, met))).select(LINKED)
    order = _in_order(pa.concat_tables([_rows(connection, met, LINKED), for_good]).sort_by("number"))
    numbers = _numbers(met, order)
    ranks = np.zeros(met.max(initial=-1) + 1, dtype=np.int64)
    ranks[met] = order.places
    places, pairs = near.links
    shares = Shares(places._replace(rows=ranks[places.rows]), len(met), near.places_then, near.places_now)
    then, now = (Alike.of(ranks[pairs.ones[held]], ranks[pairs.others[held]]) for held in (near.pairs_then, near.pairs_now))
    changed = frozenset(order.places[np.isin(met, left) | np.isin(met, new)].tolist())
    change = Change(shares, then, now, order.references, changed, _before(connection, met, order))
    outcomes = look_again(change, Likeness(texts_of(order.rows), Sieve(_bitmaps(order.rows), settings), settings))
    _delete(connection, "dropped", np.concatenate([left, numbers[list(outcomes)]]))
    _keep(connection, _dropped_by_number({one: drop for one, drop in outcomes.items() if drop}, numbers))
    for table in ("shared", "alike"):
        connection.execute(f"delete from {table}")
    _link(connection, links.now)


def _relinked(connection: duckdb.DuckDBPyConnection, left: Ints, came: pa.Table, settings: Dedup) -> Relinked:
    """How rows are linked now, with those that came, which are stored already."""
    stood = _links(connection)
    came = came.filter(came["publishable"])
    owners, keys = holders(connection, _sought(came), "publishable")
    texts = connection.execute("select number, text_key from signed where publishable").fetchnumpy()
    same = texts["number"][Sought(came["text_key"].to_numpy()).among(np.asarray(texts["text_key"]))]
    met = distinct(np.concatenate([owners, same]).astype(np.int64))
    rows = _rows(connection, distinct(np.concatenate([met, losing(stood, left)])), MET).sort_by("number")
    numbers = rows["number"].to_numpy().astype(np.int64)
    groups, references = _kept_apart(rows, settings)
    order, at = np.argsort(owners, kind="stable"), np.searchsorted(numbers, met)
    begins = np.append(np.searchsorted(owners[order], met), len(owners))
    found = shared_places(Held(keys[order], begins, rows["text_key"].to_numpy()[at], groups[at], references[at]))
    by_number = np.full((2, numbers.max(initial=-1) + 1), len(numbers), dtype=np.int64)  # no other is asked for
    by_number[:, numbers] = np.arange(len(numbers)), references
    sieve = Sieve(_bitmaps(rows), settings, by_number[0])
    new = came["number"].to_numpy().astype(np.int64)
    return relinked(stood, left, new, found._replace(rows=met[found.rows]), by_number[1] == 1, sieve, LOOKED_AT)


def _shared(rows: pa.Table, groups: UInt64s, references: NDArray[np.bool_], settings: Dedup) -> Places:
    """Where rows share a bucket, by place."""
    keys, begins = _listed(rows["keys"])
    in_step = np.isin(np.diff(begins), [0, settings.bands]).all()  # not where some are signed by other settings still
    buckets, bands = (keys, settings.bands) if in_step else (bucket_keys(keys, _numbers_within(begins)), 0)
    return shared_places(Held(buckets, begins, rows["text_key"].to_numpy(), groups, references, bands))


def _numbers_within(begins: Ints) -> Ints:
    """Of the entries of rows that begin there, which of its row's each is."""
    found: Ints = np.arange(begins[-1]) - np.repeat(begins[:-1], np.diff(begins))
    return found


def _sought(rows: pa.Table) -> SoughtBands:
    keys, begins = _listed(rows["keys"])
    return SoughtBands(keys, _numbers_within(begins))


def _bitmaps(rows: pa.Table) -> Bitmaps:
    return Bitmaps(*_listed(rows["bits"]))


def _listed(column: pa.ChunkedArray) -> tuple[NDArray[Any], Ints]:
    """The numbers of lists in one, and where those of each list begin, and the last end."""
    lists = column.combine_chunks()
    begins = lists.offsets.to_numpy().astype(np.int64)
    return lists.values.to_numpy()[slice(*begins[[0, -1]])], begins - begins[0]


def holders(connection: duckdb.DuckDBPyConnection, sought: SoughtBands, where: str = "true") -> tuple[Ints, UInt64s]:
    """The rows that have some of the band keys sought, by number, with the bucket of each; a row stands for each such key."""
    owners, keys = [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.uint64)]
    for batch in connection.execute(f"select number, keys from signed where {where}").to_arrow_reader(BATCH):
        lists = batch.column("keys")
        rows, buckets = sought.among(lists.values.to_numpy(), lists.offsets.to_numpy())
        owners.append(batch.column("number").to_numpy()[rows])
        keys.append(buckets)
    return np.concatenate(owners), np.concatenate(keys)


def sign_off(connection: duckdb.DuckDBPyConnection, stamps: Mapping[str, str], made_from: Mapping[str, str], rule: str) -> None:
    """Note what the outcomes were made from: discipline -> the signatures' stamp, and all partitions, and by which rule."""
    told = [list(made_from), [stamps[slug] for slug in made_from], list(made_from.values()), [rule] * len(made_from)]
    connection.execute("delete from parts")
    _insert(connection, "parts", pa.table(told, schema=pa.schema(dict.fromkeys(["discipline", "stamp", "made_from", "rule"], pa.string()))))


def duplicates_of(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The dropped questions, as they are published."""
    return connection.execute(query("minhash/duplicates")).to_arrow_table().cast(STORED["duplicates"])


def full(connection: duckdb.DuckDBPyConnection, settings: Dedup) -> UInt64s:
    """The keys, in order, of buckets in which more rows were kept than are looked at."""
    rows = connection.execute(query("minhash/full_buckets"), [LOOKED_AT]).to_arrow_table()
    told = groups(rows["discipline"].to_pylist(), settings.across)
    return distinct(rows["key"].to_numpy() ^ told)


def _kept_apart(rows: pa.Table, settings: Dedup) -> tuple[UInt64s, NDArray[np.bool_]]:
    """The group of each row, and whether it is a reference."""
    named = rows["discipline"].combine_chunks().dictionary_encode()
    slugs, at = named.dictionary.to_pylist(), named.indices.to_numpy()
    return groups(slugs, settings.across)[at], np.array([is_reference(slug) for slug in slugs], dtype=np.bool_)[at]


def _unchanged(was: pa.Table, now: pa.Table) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows of `now` are as they were, and which of `was` as they are."""
    at = pc.fill_null(pc.index_in(now["question_id"], value_set=was["question_id"].combine_chunks()), -1).to_numpy()
    stays = at >= 0
    there = np.flatnonzero(stays)
    old, new = was.take(pa.array(at[there])), now.take(pa.array(there))
    same = np.ones(len(there), dtype=np.bool_)
    for name in ("discipline", "publishable", "text_key"):
        same &= pc.equal(old[name], new[name]).to_numpy()
    (mine, theirs) = (table["keys"].combine_chunks() for table in (old, new))
    lengths = pc.list_value_length(mine).to_numpy()
    same &= lengths == pc.list_value_length(theirs).to_numpy()
    owners = np.repeat(np.arange(len(there)), lengths)
    held = [table.filter(pa.array(same)).flatten().to_numpy() for table in (mine, theirs)]
    same[owners[same[owners]][held[0] != held[1]]] = False
    stays[there] = same
    stood = np.zeros(len(was), dtype=np.bool_)
    stood[at[stays]] = True
    return stays, stood


def _renumbered(gone: pa.Table, came: pa.Table, first: int) -> pa.Table:
    """The rows that came, with the number of the one that was gone of the same id and discipline, or with new ones from `first`."""
    ids, slugs, numbers = (gone[name].to_pylist() for name in ("question_id", "discipline", "number"))
    known = dict(zip(zip(ids, slugs, strict=True), numbers, strict=True))
    new = iter(range(first, first + len(came)))
    named = zip(came["question_id"].to_pylist(), came["discipline"].to_pylist(), strict=True)
    return _numbered(came, np.fromiter((known[one] if one in known else next(new) for one in named), dtype=np.int32, count=len(came)))


def _numbered(rows: pa.Table, numbers: NDArray[np.int32]) -> pa.Table:
    return rows.append_column("number", pa.array(numbers)).select(SIGNED)


def _in_order(rows: pa.Table) -> Order:
    reference = pc.starts_with(rows["discipline"], REFERENCE)
    keyed = pa.table([pc.invert(reference), rows["question_id"], rows["discipline"]], names=["own", "question_id", "discipline"])
    order = pc.sort_indices(keyed, [("own", "ascending"), ("question_id", "ascending"), ("discipline", "ascending")]).to_numpy()
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return Order(rows.select(["question_id", "discipline", "bits"]).take(pa.array(order)), pc.sum(reference).as_py() or 0, places)


def _numbers(met: Ints, order: Order) -> Ints:
    """The number of each row in order."""
    numbers = np.empty(len(met), dtype=np.int64)
    numbers[order.places] = met
    return numbers


def _by_number(links: Links, numbers: Ints) -> Links:
    places, pairs = links
    return Links(places._replace(rows=numbers[places.rows]), pairs._replace(ones=numbers[pairs.ones], others=numbers[pairs.others]))


def _dropped_by_number(dropped: dict[int, Dropped], numbers: Ints) -> dict[int, Dropped]:
    return {int(numbers[one]): drop._replace(kept=int(numbers[drop.kept])) for one, drop in dropped.items()}


def _before(connection: duckdb.DuckDBPyConnection, met: Ints, order: Order) -> dict[int, Dropped]:
    """What some rows were dropped for."""
    found = connection.execute("from dropped").fetchnumpy()
    known = np.isin(found["number"], met)
    one, kept = (order.places[np.searchsorted(met, found[name][known])].tolist() for name in ("number", "kept"))
    told = zip(kept, found["kind"][known].tolist(), found["jaccard"][known].tolist(), strict=True)
    return dict(zip(one, map(Dropped._make, told), strict=True))


def _rows(connection: duckdb.DuckDBPyConnection, numbers: Ints, columns: Sequence[str]) -> pa.Table:
    """Stored rows, by number, in no order."""
    with _given(connection, pa.table({"number": pa.array(numbers, pa.int32())})):
        return connection.execute(f"select {', '.join(columns)} from signed semi join given using (number)").to_arrow_table()


def _links(connection: duckdb.DuckDBPyConnection) -> Links:
    """How rows were linked."""
    found = connection.execute("from shared").fetchnumpy()
    pairs = connection.execute("from alike").fetchnumpy()
    places = Places(np.asarray(found["kind"]), np.asarray(found["key"]), np.asarray(found["number"], dtype=np.int64))
    rows = (np.asarray(pairs[name], dtype=np.int64) for name in ("one", "other"))
    return Links(places, Pairs(np.asarray(pairs["kind"]), np.asarray(pairs["key"]), *rows))


def _link(connection: duckdb.DuckDBPyConnection, links: Links) -> None:
    (kinds, keys, rows), pairs = links
    _insert(connection, "shared", pa.table([kinds, keys, pa.array(rows, pa.int32())], names=["kind", "key", "number"]))
    ones, others = (pa.array(each, pa.int32()) for each in (pairs.ones, pairs.others))
    _insert(connection, "alike", pa.table([pairs.kinds, pairs.keys, ones, others], names=["kind", "key", "one", "other"]))


def _keep(connection: duckdb.DuckDBPyConnection, dropped: dict[int, Dropped]) -> None:
    kept, kind, jaccard = zip(*dropped.values(), strict=True) if dropped else ((), (), ())
    _insert(connection, "dropped", pa.table([list(dropped), kept, kind, jaccard], schema=DROPPED))


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    with _given(connection, rows):
        connection.execute(f"insert into {table} from given")


def _delete(connection: duckdb.DuckDBPyConnection, table: str, numbers: Ints) -> None:
    with _given(connection, pa.table({"number": pa.array(numbers, pa.int32())})):
        connection.execute(f"delete from {table} where number in (from given)")


@contextmanager
def _given(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    connection.register("given", rows)
    try:
        yield
    finally:
        connection.unregister("given")
