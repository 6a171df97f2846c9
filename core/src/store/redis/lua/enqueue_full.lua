--- Adds Operations that need a record of their own; each is remembered by its dot.
-- root     the Segment
-- args     lane number (3 bytes) · lane name · per element: counter (5 bytes), Queue, priority, due (empty, `i` or `a`
--          and milliseconds), first 8 bytes of the SHA-1 of the enqueued bytes, the enqueued bytes
-- returns  ok | unknown_lane · a letter per element: o (ok), d (duplicate), c (conflict)
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   op k ks w q n, due or r and p; rings the bells of lists that were empty
-- flags    none
-- cost     O(elements)
local function enqueue_full(root, args)
  local lane, name = args[1], args[2]
  local n = (#args - 2) / 6
  if n < 1 or n ~= math.floor(n) then return BADARGS end
  for i = 3, #args, 6 do
    local priority = tonumber(args[i + 2])
    if #args[i] ~= 5 or args[i + 1] == '' or #args[i + 1] > 255 or #args[i + 4] ~= 8 then return BADARGS end
    if not priority or priority ~= math.floor(priority) or math.abs(priority) > 1000 then return BADARGS end
    if args[i + 3] ~= '' and not tonumber(sub(args[i + 3], 2)) then return BADARGS end
  end
  local record = call('HGET', K.marks(root), lane)
  if not record then return { 'unknown_lane', '' } end
  local accepted, _, lane_queue, present_name = read_lane(record)
  if present_name ~= name or lane_queue ~= '' then return { 'unknown_lane', '' } end

  local now = now_ms(root)
  local window = math.floor(now / ID_MEMORY_MS)
  local addresses, answers, highest = {}, {}, accepted
  for i = 3, #args, 6 do
    addresses[#addresses + 1] = lane .. args[i]
    highest = math.max(highest, (unpack_bytes('>I5', args[i])))
  end
  local digests = remembered(root, addresses, window)
  local statics = hmget(K.operations(root), addresses, 1, n)
  local withdrawn = call('EXISTS', K.withdrawn(root)) == 1 and hmget(K.withdrawn(root), addresses, 1, n) or {}

  local moves, fresh, memory, queues, again, stale, stale_queues = new_moves(), {}, {}, {}, {}, {}, {}
  for i, address in ipairs(addresses) do
    local at = 3 + (i - 1) * 6
    local queue, priority, due, digest, body = args[at + 1], tonumber(args[at + 2]), args[at + 3], args[at + 4], args[at + 5]
    local known = fresh[address] or digests[i]
    if not known and statics[i] then
      local _, _, present_body = read_static(statics[i])
      known = digest_of(present_body)
    end
    if known then
      answers[i] = known == digest and 'd' or 'c'
    else
      answers[i] = 'o'
      fresh[address] = digest
      put(memory, address, digest)
      put(queues, queue, '0')
      put(moves.static, address, write_static(queue, priority, body))
      count(moves, 'enqueued')
      local due_ms = due ~= '' and tonumber(sub(due, 2)) + (sub(due, 1, 1) == 'i' and now or 0)
      if due_ms and due_ms > now then
        put(moves.due, string.format('%.17g', due_ms), address)
      else
        put_ready(moves, 'back', address, queue, priority)
      end
      if unpack_bytes('>I5', args[at]) <= accepted then put(again, address) end
      if withdrawn[i] then
        put(stale, address)
        put(stale_queues, withdrawn[i])
      end
    end
  end

  for i = 1, #queues, 2 do call('HSETNX', K.queues(root), queues[i], '0') end
  if #memory > 0 then
    variadic('HSET', K.memory(root, window), memory, 1, #memory)
    call('ZADD', K.windows(root), window, window)
  end
  if highest > accepted then call('HSET', K.marks(root), lane, pack('>I5', highest) .. sub(record, 6)) end
  if #again > 0 then supersede(root, again) end
  drop_stale(root, stale, stale_queues)
  commit(root, moves, now)
  return { 'ok', table.concat(answers) }
end
