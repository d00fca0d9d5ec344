-- one row a prompt text ever used
select prompt_hash, stage, name, text
from gland_parts.prompts
