--- Lapses: until when an Operation may wait for its first claim, and until when it may go on at all.
--
--   lapse record  | 8 B must have been claimed by | 8 B must have ended by | 8 B retention | outcome bytes |
--
-- Three doubles, infinite for any time. Whatever has one has a tie record, empty if need be: so who asks for ties first
-- need not ask for lapses. It is in the set of what can lapse until it has ended, or was marked for it while it ran.

local NEVER = 1 / 0

--- Lapse records of many addresses; empty places where there is none. Nothing is asked where no Operation has one.
local function lapses_of(root, addresses)
  if #addresses == 0 or call('EXISTS', K.lapses(root)) == 0 then return {} end
  return hmget(K.lapses(root), addresses, 1, #addresses)
end

local function lapses_at(record)
  local start_by, end_by = unpack_bytes('>dd', record)
  return math.min(start_by, end_by)
end

--- It was claimed in time: what is left is its end.
local function lapse_claimed(root, address, record)
  local start_by, end_by = unpack_bytes('>dd', record)
  if start_by == NEVER then return end
  if end_by == NEVER then
    call('HDEL', K.lapses(root), address)
    call('ZREM', K.lapsing(root), address)
  else
    call('HSET', K.lapses(root), address, pack('>d', NEVER) .. sub(record, 9))
    call('ZADD', K.lapsing(root), string.format('%.17g', end_by), address)
  end
end

--- What has ended does not lapse.
local function drop_lapses(root, addresses)
  if #addresses == 0 or call('EXISTS', K.lapses(root)) == 0 then return end
  variadic('HDEL', K.lapses(root), addresses, 1, #addresses)
  variadic('ZREM', K.lapsing(root), addresses, 1, #addresses)
end
