--- Compares what an owner runs with what the Segment knows: after a failover the Segment may have forgotten some of it.
-- root     the Segment
-- args     owner · per element: lane name, counter (5 bytes), token (8 bytes), Queue, priority, generation, attempt and
--          recoveries (12 bytes), the enqueued bytes or empty: only asked about
-- returns  a letter per element: k (keep), s (stale), m (missing), r (recovered)
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   root; of what is put back op m k ks q n w r p, of an unknown lane l; rings bells
-- flags    allow-oom
-- cost     O(elements × (slices + owners))

--- The number of a lane, made if the Segment does not know it.
local function lane_for(root, name, queue)
  local number = call('HGET', K.lanes(root), name)
  if number then return number end
  number = pack('>I3', call('HINCRBY', root, 'lanes', 1))
  call('HSET', K.lanes(root), name, number)
  call('HSET', K.marks(root), number, pack('>I5I5B', 0, 0, #queue) .. queue .. name)
  return number
end

local function announce(root, args, last_token)
  local owner, n = args[1], (#args - 1) / 7
  if not owner or n < 1 or n ~= math.floor(n) then return BADARGS end
  local dots, floor = {}, last_token
  for i = 2, #args, 7 do
    if #args[i] < 4 or #args[i] > 255 or #args[i + 1] ~= 5 or #args[i + 2] ~= 8 or #args[i + 5] ~= 12 then return BADARGS end
    if not tonumber(args[i + 4]) or #args[i + 3] > 255 then return BADARGS end
    put(dots, args[i], args[i + 1])
    local high, low = unpack_bytes('>I4I4', args[i + 2])
    floor = math.max(floor, high * 4294967296 + low)
  end
  local now = now_ms(root)
  local addresses = addresses_of(root, dots, 1)
  local found = look_up(root, addresses, now)
  local window = math.floor(now / ID_MEMORY_MS)
  local moves, letters, seen = new_moves(), {}, {}
  -- Backwards: each is put in front of the one that came after it.
  for i = n, 1, -1 do
    local at = 2 + (i - 1) * 7
    local name, counter, token, queue, body = args[at], args[at + 1], args[at + 2], args[at + 3], args[at + 6]
    local here = found[i]
    if here.state == 'running' and here.owner == owner and sub(here.entry, 1, 8) == token then
      letters[i] = 'k'
    elseif here.state ~= 'missing' or seen[name .. counter] then
      letters[i] = 's'
    elseif body == '' then
      letters[i] = 'm'
    else
      letters[i] = 'r'
      seen[name .. counter] = true
      local is_full = sub(name, -3) == '.00'
      local lane = lane_for(root, name, is_full and '' or queue)
      local address = lane .. counter
      local record = call('HGET', K.marks(root), lane)
      local accepted = unpack_bytes('>I5', record)
      if unpack_bytes('>I5', counter) > accepted then
        call('HSET', K.marks(root), lane, counter .. sub(record, 6))
        -- What its writer had acknowledged below that is gone, what it had not it sends again: to another lane.
        if not is_full then
          local gaps = call('HGET', root, 'sealed:' .. lane) or ''
          call('HSET', root, 'sealed:' .. lane, gaps .. pack('>I5', accepted + 1) .. counter)
        end
      end
      if is_full then
        call('HSET', K.memory(root, window), address, digest_of(body))
        call('ZADD', K.windows(root), window, window)
      end
      call('HSETNX', K.queues(root), queue, '0')
      local meta = read_meta(false)
      meta.generation, meta.attempts, meta.recoveries = unpack_bytes('>I4I4I4', args[at + 5])
      meta.attempts, meta.recoveries, meta.returns = meta.attempts - 1, meta.recoveries + 1, 1
      local priority = tonumber(args[at + 4])
      keep_record(moves, address, write_static(queue, priority, body), meta)
      put_ready(moves, 'front', address, queue, priority)
      count(moves, 'enqueued')
    end
  end
  if floor > last_token then call('HSET', root, 'token', string.format('%.0f', floor)) end
  commit(root, moves, now)
  return table.concat(letters)
end
