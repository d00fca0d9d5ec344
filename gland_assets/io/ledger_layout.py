"""The tables of `ledger.sqlite`."""

from __future__ import annotations

from gland_assets.io.reservations import DDL as RESERVATIONS
from gland_assets.io.reservations import SUM_UP

LAYOUT = 3
UPGRADES = {3: SUM_UP}
DDL = f"""{RESERVATIONS};
create table if not exists builds(
  build_id text primary key, started_at text not null, ended_at text, outcome text, calls integer not null default 0,
  reused integer not null default 0, usd_nanos integer not null default 0, unpriced integer not null default 0,
  gland_version text not null, taxonomy_hash text not null);
create table if not exists requests(
  number integer primary key, request_key text not null unique, build_id text not null, discipline text not null, stage text not null,
  prompt_hash text not null, deployment text not null, model text not null, prompt_tokens integer not null,
  cached_tokens integer not null, completion_tokens integer not null, usd_nanos integer, latency_s real not null,
  attempts integer not null, accepted integer not null, sent_at text not null);
create table if not exists prompts(prompt_hash text primary key, stage text not null, name text not null, text text not null);
create table if not exists spending(
  discipline text not null, stage text not null, calls integer not null, prompt_tokens integer not null,
  completion_tokens integer not null, usd_nanos integer not null, unpriced integer not null, primary key(discipline, stage));
create table if not exists blocks(block integer primary key, version integer not null, exported integer not null default 0)"""
BLOCK = 20_000  # requests that are exported together, by number
STORED = (
    "request_key", "build_id", "discipline", "stage", "prompt_hash", "deployment", "model", "prompt_tokens", "cached_tokens",
    "completion_tokens", "usd_nanos", "latency_s", "attempts", "accepted", "sent_at",
)  # fmt: skip
UNKNOWN = -1
"""In place of whether a reply was used, in a ledger that was made again from the replies alone."""
