--- Variadic commands over long lists: `unpack` is limited by Lua's C stack, so lists go in chunks.
local CHUNK = 4000


--- A reading command that answers one value per argument, of list[from..to]; answers one array.
local function read_many(command, key, list, from, to)
  if to < from then return {} end
  if to - from < CHUNK then return call(command, key, unpack(list, from, to)) end
  local all = {}
  for at = from, to, CHUNK do
    for _, value in ipairs(call(command, key, unpack(list, at, math.min(at + CHUNK - 1, to)))) do
      all[#all + 1] = value
    end
  end
  return all
end

local function hmget(key, list, from, to) return read_many('HMGET', key, list, from, to) end

--- Any command whose arguments may be cut at even places: HSET, HDEL, ZADD, ZREM. Answers how many it added or removed.
local function variadic(command, key, list, from, to)
  local changed = 0
  for at = from, to, CHUNK do
    changed = changed + call(command, key, unpack(list, at, math.min(at + CHUNK - 1, to)))
  end
  return changed
end

--- RPUSH or LPUSH; answers whether the list was empty before.
local function push(command, key, list, from, to)
  local length = 0
  for at = from, to, CHUNK do
    length = call(command, key, unpack(list, at, math.min(at + CHUNK - 1, to)))
  end
  return length == to - from + 1
end

--- Adds `by` to a sum, if it changes.
local function add_total(root, name, by)
  if by > 0 then call('HINCRBY', K.totals(root), name, by) end
end

--- HSET of many short values (field, value, …: n in all). A hash of up to some hundred short ones is kept as one string,
-- which each access reads from its beginning: with a hundred that costs more than all else here. One value beyond the
-- server's bound makes a table of it before anything is written; so the first field gets such a one and, in the same
-- command, its own after that.
local function hset_short(key, list, n)
  if n < 8 or n > CHUNK then return variadic('HSET', key, list, 1, n) end
  call('HSET', key, list[1], '-----------------------------------------------------------------', unpack(list, 1, n))
end
