-- one row a field of the taxonomy
select distinct field, field_name as name, field_position as position
from gland_parts.taxonomy
