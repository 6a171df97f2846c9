--- What Lua offers, as locals: while a library is loaded there are no globals but `redis`, and later each costs a lookup.
-- `entry` calls `wake` before the first transition runs (_entry.lua).
local function globals() return redis.call, string, struct, math, table, unpack, ipairs, pairs, tonumber, type end

local call, string, struct, math, table, unpack, ipairs, pairs, tonumber, type
local sub, index_of, pack, unpack_bytes

local function wake()
  call, string, struct, math, table, unpack, ipairs, pairs, tonumber, type = globals()
  sub, index_of, pack, unpack_bytes = string.sub, string.find, struct.pack, struct.unpack
end
