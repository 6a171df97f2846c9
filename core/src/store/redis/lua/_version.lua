--- What this text is: said by `mr1_hello`, compared by every client at connect.
-- PROTOCOL is part of every name, so that two protocols live side by side; BUILD rises with every released change
-- of the text; SCHEMA is the layout written into each root record.
local PROTOCOL, BUILD, SCHEMA = '1', 3, '1'
local DIGEST = '@digest@'
