-- one row a paid request
select
  request_key, build_id, discipline, stage, prompt_hash, deployment, model, prompt_tokens, cached_tokens, completion_tokens, usd, latency_s,
  attempts, accepted, sent_at
from gland_parts.requests
