--- Reads a Segment's Queues, owners, sums and how soon something is due.
-- root     the Segment
-- args     none
-- returns  scheduled · running · dead · milliseconds until the next is due or empty · Queues · owners · sums, these three
--          as flat arrays: Queue, ready, 1 if paused, largest priority waiting or empty · owner, beat, held · name, sum · then: parked; what waits at a fair
--          gate is ready, for it waits for nothing but a claim, and not parked
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   nothing
-- flags    no-writes
-- cost     O(Queues × priorities + owners)
local function counts(root)
  local queues, owners, running = {}, {}, 0
  local withdrawn = {}
  local flat = call('HGETALL', K.withdrawn_counts(root))
  for i = 1, #flat, 2 do withdrawn[flat[i]] = tonumber(flat[i + 1]) end
  local parked, fair = call('HLEN', K.parked(root)), 0
  local paused = call('HGETALL', K.queues(root))
  for i = 1, #paused, 2 do
    local ready = -(withdrawn[paused[i]] or 0)
    local names, priorities = lists_of(root, paused[i])
    local highest
    for l, name in ipairs(names) do
      local length = call('LLEN', name)
      if length > 0 and not highest then highest = priorities[l] end
      ready = ready + length
    end
    for _, text in ipairs(parked > 0 and call('ZRANGE', K.fair(root, paused[i]), 0, -1) or {}) do
      local priority = tonumber(text)
      if not highest or priority > highest then highest = priority end
      local taking_turns = call('ZCARD', K.parked_at(root, fair_gate(paused[i], priority)))
      fair = fair + taking_turns
      ready = ready + taking_turns
    end
    put(queues, paused[i], ready)
    put(queues, TIES.PAUSED[paused[i + 1]] and 1 or 0, highest or '')
  end
  local records = call('HGETALL', K.owners(root))
  for i = 1, #records, 2 do
    local held = call('HLEN', K.flight(root, records[i]))
    running = running + held
    put(owners, records[i], (read_owner(records[i + 1])))
    put(owners, held)
  end
  return {
    call('ZCARD', K.due(root)), running, call('ZCARD', K.dead(root)),
    due_in(root),
    queues, owners, call('HGETALL', K.totals(root)),
    parked - fair,
  }
end
