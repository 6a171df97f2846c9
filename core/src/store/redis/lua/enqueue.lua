--- Appends a lane's next Operations to its Queue, by the fast path.
-- root     the Segment
-- args     lane number (3 bytes) · lane name · first counter · 1 for no bell · fast records: address, enqueued bytes, of a
--          tied lane as in _tied.lua
-- returns  ok | gap | unknown_lane · accepted mark · how many were appended
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   r:<queue> w n; rings the bell when the list was empty and the caller does not look by itself; of a tied lane gl, and
--          of what its limits let on pk gw cd r p fp fc fs
-- flags    none
-- cost     O(elements), no string made per element; of a tied lane one per gate
local function enqueue(root, args)
  local lane, name, first = args[1], args[2], tonumber(args[3])
  local n = #args - 4
  if not first or first < 1 or n < 1 or n > 1000 then return BADARGS end
  local ties, places
  if TIES.is_tied(lane) then
    -- Without a slot taken and without anything parked no gate is in use, and nobody asks how many slots it has.
    local is_used = call('EXISTS', K.slots(root), K.parked(root)) > 0
    ties, places = TIES.of_batch(args, is_used)
    if not ties then return BADARGS end
    if not is_used then ties = nil end
  end
  local record = call('HGET', K.marks(root), lane)
  if not record then return { 'unknown_lane', 0, 0 } end
  local accepted, _, queue, present_name = read_lane(record)
  if present_name ~= name or queue == '' then return { 'unknown_lane', 0, 0 } end
  if first > accepted + 1 then return { 'gap', accepted, 0 } end
  local last = first + n - 1
  -- Sent again, to a lane that lost some of what it had and got a later one back.
  if first <= accepted and call('HEXISTS', root, 'sealed:' .. lane) == 1 then return { 'gap', accepted, 0 } end
  if last <= accepted then return { 'ok', accepted, 0 } end

  local skip = accepted + 1 - first
  local was_empty = push('RPUSH', K.ready(root, queue, 0), args, 5 + skip, 4 + n)
  call('HSET', K.marks(root), lane, pack('>I5', last) .. sub(record, 6))
  call('HINCRBY', K.totals(root), 'enqueued', n - skip)
  if ties then TIES.renew_batch(root, ties, places, 5 + skip) end
  if was_empty and args[4] ~= '1' then ring(root, 'b', queue) end
  return { 'ok', last, n - skip }
end
