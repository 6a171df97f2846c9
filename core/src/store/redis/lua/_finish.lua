--- Finished records, in slices by expiry: one hash per slice, so that pruning is one UNLINK.
--
--   | 'c' | 6 B finished | 8 B token | value |                   completed on the fast path, first Attempt
--   | 'C', 'X' or 'K' | 6 B finished | 16 B counters | 8 B token | value |   completed, cancelled or skipped, with counters
--
-- The counters are generation, attempt, recoveries, returns, as in _operation.lua. An empty record was superseded.

--- Member and expiry of the slice for what finishes now.
local function slice_for(now, retain)
  local k = 10
  while retain > 32 * 2 ^ k do k = k + 1 end
  local number = math.floor((now + retain) / 2 ^ k) + 1
  return string.format('%d:%.0f', k, number), number * 2 ^ k
end

local function finished_token(record)
  if sub(record, 1, 1) == 'c' then return sub(record, 8, 15) end
  return sub(record, 24, 31)
end

--- Writes finished records (address, record, …) into the slice of now + retain.
local function write_finished(root, list, now, retain)
  local member, expiry = slice_for(now, retain)
  variadic('HSET', K.slice(root, member), list, 1, #list)
  call('ZADD', K.slices(root), string.format('%.0f', expiry), member)
end

--- What waiters are told of finished records (address, record, …) of completed Operations.
local function completed_events(list, now)
  local events = {}
  for i = 1, #list, 2 do
    local record, generation, attempt, value_at = list[i + 1], 0, 1, 16
    if sub(record, 1, 1) ~= 'c' then
      generation, attempt = unpack_bytes('>I4I4', record, 8)
      value_at = 32
    end
    events[#events + 1] = { address = list[i], state = 'c', generation = generation, attempt = attempt, finished = now,
      value = sub(record, value_at) }
  end
  return events
end

--- The finished records of many addresses; empty places where there is none.
local function find_finished(root, addresses)
  local records = {}
  for _, slice in ipairs(call('ZRANGE', K.slices(root), 0, -1)) do
    for i, record in ipairs(hmget(K.slice(root, slice), addresses, 1, #addresses)) do
      if record and record ~= '' then records[i] = record end
    end
  end
  return records
end

--- Empties the finished records of dots that are enqueued anew, long after their memory ended: one dot, one life.
local function supersede(root, addresses)
  for _, slice in ipairs(call('ZRANGE', K.slices(root), 0, -1)) do
    for i, record in ipairs(hmget(K.slice(root, slice), addresses, 1, #addresses)) do
      if record and record ~= '' then call('HSET', K.slice(root, slice), addresses[i], '') end
    end
  end
end
