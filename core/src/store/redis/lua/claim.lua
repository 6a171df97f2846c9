--- Takes up to `max` ready Operations for one owner; the same request number gives the same claims.
-- root     the Segment
-- args     owner · request number · max · Queues in order
-- returns  ok | stale · token (8 bytes) · still waiting · number of lanes · per lane: number, lane record ·
--          per claim: the list element, and after a bare address its static and its dynamic record
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   root r f b w; of withdrawn elements x xn; of emptied lists p
-- flags    allow-oom
-- cost     O(max + Queues); asked again O(held by the owner)
local function claim(root, args, last_token)
  local owner, request, max = args[1], tonumber(args[2]), tonumber(args[3])
  if not owner or owner == '' or not request or request < 1 or not max or max < 1 or max > 1000 then return BADARGS end
  local known = call('HGET', K.owners(root), owner)
  local paused = hmget(K.queues(root), args, 4, #args)
  local beat, last_request, token = 0, 0, ZERO_TOKEN
  if known then beat, last_request, token = read_owner(known) end

  local elements, taken, popped, waiting = {}, 0, 0, 0
  local is_again = request <= last_request
  local is_plain, may_be_withdrawn = look_ahead(root, args)
  local raised = {}
  for q = 4, #args do
    if paused[q - 3] ~= '1' then
      local queue = args[q]
      local names, priorities
      if is_plain then names, priorities = { K.ready(root, queue, 0) }, PLAIN else names, priorities = lists_of(root, queue) end
      for l, name in ipairs(names) do
        while not is_again and taken < max and popped < 2 * max do
          local want = math.min(max - taken, 2 * max - popped)
          local batch = call('LPOP', name, want)
          if not batch then break end
          popped = popped + #batch
          if may_be_withdrawn then batch = without_withdrawn(root, queue, batch, raised) end
          if taken == 0 then
            elements, taken = batch, #batch
          else
            for i = 1, #batch do elements[taken + i] = batch[i] end
            taken = taken + #batch
          end
        end
        local left = call('LLEN', name)
        waiting = waiting + left
        if left == 0 and priorities[l] ~= 0 and popped > 0 then
          call('ZREM', K.priorities(root, queue), priorities[l])
        end
      end
    end
  end

  if is_again then
    if request < last_request then return { 'stale', ZERO_TOKEN, waiting, 0 } end
    for _, held in ipairs(all_held(root, owner)) do
      if sub(held.entry, 1, 8) == token then put(elements, sub(held.entry, ENTRY_HEAD + 1)) end
    end
    taken = #elements
  end

  -- One pass: the entries to write, the lanes met, the addresses without a body.
  local entries, lanes, order, bare = {}, {}, {}, nil
  local lane_before
  if not is_again and taken > 0 then
    last_token = math.max(last_token + 1, now_us(root))
    token = pack('>I8', last_token)
  end
  for i = 1, taken do
    local element = elements[i]
    local address = sub(element, 1, 8)
    entries[2 * i - 1] = address
    entries[2 * i] = token .. (POSITIONS[i] or position(i)) .. element
    local lane = sub(element, 1, 3)
    if lane ~= lane_before then
      if lanes[lane] == nil then
        lanes[lane] = false
        order[#order + 1] = lane
      end
      lane_before = lane
    end
    if #element > 8 then
      if not may_be_withdrawn then raised[lane] = address end
    else
      bare = bare or {}
      bare[#bare + 1] = address
    end
  end
  local records = hmget(K.marks(root), order, 1, #order)
  local statics = bare and hmget(K.operations(root), bare, 1, #bare)
  local metas = bare and hmget(K.metas(root), bare, 1, #bare)

  if not is_again and popped > 0 then
    if taken > 0 then
      call('HSET', root, 'token', string.format('%.0f', last_token))
      call('HSET', K.owners(root), owner, write_owner(beat, request, token))
      variadic('HSET', K.flight(root, owner), entries, 1, 2 * taken)
    end
    if may_be_withdrawn then raise_claimed(root, raised) else raise_in(root, raised, order, records) end
  end

  local reply = { 'ok', token, waiting, #order }
  local at = 4
  for i, lane in ipairs(order) do
    reply[at + 1], reply[at + 2] = lane, records[i]
    at = at + 2
  end
  if not bare then
    for i = 1, taken do reply[at + i] = elements[i] end
    return reply
  end
  local b = 0
  for i = 1, taken do
    at = at + 1
    reply[at] = elements[i]
    if #elements[i] == 8 then
      b = b + 1
      reply[at + 1], reply[at + 2] = statics[b] or '', metas[b] or ''
      at = at + 2
    end
  end
  return reply
end
