-- one row a subfield of the taxonomy
select distinct subfield, field, subfield_name as name, subfield_position as position
from gland_parts.taxonomy
