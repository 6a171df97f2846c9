--- Takes up to `max` ready Operations for one owner; the same request number gives the same claims.
-- root     the Segment
-- args     owner · request number · max, or max, milliseconds each and burst of the Segment's pace with blanks between ·
--          Queues in order
-- returns  ok | stale · token (8 bytes) · still waiting, and where it is not the default a blank and their largest
--          priority · number of lanes · per lane: number, lane record ·
--          per claim: the list element, and after a bare address its static and its dynamic record
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   root r f b w; of withdrawn elements x xn; of emptied lists p; of what meets gates gu gw gt gd pk cd, op t of what
--          is parked from a tied lane; of what bears
--          a flow fp fc fs; of what ends at a full gate, or makes room there, like cancel; of a Segment with limits of its own gt gd; of what lapses lp lpd, when it fails like fail;
--          rings who waits for due times
-- flags    allow-oom
-- cost     O(max + Queues); asked again O(held by the owner)

--- Which of a Queue's lists have a fair gate where something waits, by place; lists that have only that are put in.
function TIES.beside(root, queue, names, priorities)
  local found, at = {}, 1
  for _, text in ipairs(call('ZREVRANGE', K.fair(root, queue), 0, -1)) do
    local priority = tonumber(text)
    while priorities[at] and priorities[at] > priority do at = at + 1 end
    if priorities[at] ~= priority then
      table.insert(names, at, K.ready(root, queue, priority))
      table.insert(priorities, at, priority)
    end
    found[at] = true
  end
  return found
end

--- Pops from the unpaused Queues of args[4..] until `max` are taken or twice as many popped; max 0 only counts.
-- Answers the elements, how many were popped, how many still wait, and, if anything in the Segment is withdrawn, the
-- highest address popped of each lane; if anything is tied, what met gates; if the Segment has limits of its own, those;
-- the largest priority that still waits, or nil.
local function harvest(root, args, max, given)
  -- Where work with flows and work without waits side by side, they take turns.
  local is_fair_first = tonumber(args[2]) % 2 == 1
  local paused = hmget(K.queues(root), args, 4, #args)
  local is_plain, raised, pass, has_live = look_ahead(root, args)
  local hold = (has_live or given) and TIES.hold_of(root, given) or nil
  if hold then max = math.min(max, hold.room) end
  -- One Queue is asked for its fair gates as cheaply as whether there are any.
  local has_flows = pass and (#args == 4 or call('EXISTS', K.clocks(root)) == 1)
  local elements, taken, popped, waiting, before, highest = {}, 0, 0, 0, 0, nil
  local function take_fair(queue, priority)
    while taken < max and popped < 2 * max do
      local batch, looked = through_fair_gate(root, pass, queue, priority, math.min(max - taken, 2 * max - popped))
      if looked == 0 then return end
      popped = popped + looked
      if taken == 0 then elements = batch else for i = 1, #batch do elements[taken + i] = batch[i] end end
      taken = taken + #batch
    end
  end
  for q = 4, #args do
    local queue = args[q]
    local names, priorities, fair = {}, PLAIN, {}
    local mark = paused[q - 3]
    if mark == '2' then pass = pass or new_pass(now_ms(root)) end
    if not TIES.PAUSED[mark] then
      if is_plain then names[1] = K.ready(root, queue, 0) else names, priorities = lists_of(root, queue) end
      if has_flows then fair = TIES.beside(root, queue, names, priorities) end
    end
    for l, name in ipairs(names) do
      if fair[l] and is_fair_first then take_fair(queue, priorities[l]) end
      while taken < max and popped < 2 * max do
        local batch = call('LPOP', name, math.min(max - taken, 2 * max - popped))
        if not batch then break end
        popped = popped + #batch
        if raised then batch = without_withdrawn(root, queue, batch, raised) end
        if pass then batch = through_gates(root, pass, queue, batch) end
        if taken == 0 then elements = batch else for i = 1, #batch do elements[taken + i] = batch[i] end end
        taken = taken + #batch
      end
      if fair[l] then
        if not is_fair_first then take_fair(queue, priorities[l]) end
        waiting = waiting + call('ZCARD', K.parked_at(root, fair_gate(queue, priorities[l])))
      end
      local left = call('LLEN', name)
      waiting = waiting + left
      if waiting > before then
        before = waiting
        if not highest or priorities[l] > highest then highest = priorities[l] end
      end
      if left == 0 and priorities[l] ~= 0 and popped > 0 then call('ZREM', K.priorities(root, queue), priorities[l]) end
    end
  end
  return elements, popped, waiting, raised, pass, hold, highest
end

--- Candidates that were parked elsewhere make room for others, who go in front of their lists.
function TIES.move_on(root, wakes)
  local moves, woken = new_moves(), {}
  let_on(root, wakes, woken)
  if #woken == 0 then return end
  put_woken(root, moves, woken)
  commit(root, moves)
end

--- The reply: head, lanes, and the elements as they are, each bare one followed by its records. One string for all
-- would spare the client a third of its reading, and cost more than that here, where all clients share one thread.
function TIES.claims_reply(token, waiting, elements, order, records, statics, metas)
  local reply = { 'ok', token, waiting, #order }
  for i, lane in ipairs(order) do put(reply, lane, records[i]) end
  local at, bare = #reply, 0
  for i = 1, #elements do
    local element = elements[i]
    at = at + 1
    reply[at] = element
    if #element == 8 then
      bare = bare + 1
      reply[at + 1], reply[at + 2] = statics[bare] or '', metas[bare] or ''
      at = at + 2
    end
  end
  return reply
end

local function claim(root, args, last_token)
  local owner, request, max, given = args[1], tonumber(args[2]), tonumber(args[3]), nil
  if not max then max, given = TIES.read_max(args[3] or '') end
  if not owner or owner == '' or not request or request < 1 or not max or max < 1 or max > 1000 then return BADARGS end
  local known = call('HGET', K.owners(root), owner)
  local beat, last_request, token = 0, 0, ZERO_TOKEN
  if known then beat, last_request, token = read_owner(known) end

  local is_again = request <= last_request
  local elements, popped, waiting, raised, pass, hold, highest = harvest(root, args, is_again and 0 or max, given)
  if pass then write_gates(root, pass) end
  if pass and (#pass.wakes > 0 or #pass.lapsed > 0 or pass.met) then
    if #pass.wakes > 0 then TIES.move_on(root, pass.wakes) end
    if #pass.lapsed > 0 then fail_lapsed(root, pass.lapsed, {}, {}, pass.now) end
    if pass.met then TIES.settle_met(root, pass, owner, elements) end
    local _
    _, _, waiting, _, _, _, highest = harvest(root, args, 0, given)
  end
  if hold then waiting = TIES.note_hold(root, hold, #elements, waiting, not is_again) end
  -- Where there are no priorities, no more is said than how many.
  if waiting > 0 and highest ~= 0 then waiting = string.format('%d %d', waiting, highest) end
  if request < last_request then return { 'stale', ZERO_TOKEN, waiting, 0 } end
  if is_again then
    elements = held_by_token(root, owner, token)
  elseif #elements > 0 then
    last_token = math.max(last_token + 1, now_us(root))
    token = pack('>I8', last_token)
  end

  if pass and pass.is_paced then ring(root, 'd', due_in(root)) end

  -- One pass: the entries to write, the lanes met and how far each was popped, the addresses without a body.
  local entries, order, highest, bare = {}, {}, {}, {}
  local lane
  for i = 1, #elements do
    local element = elements[i]
    local address = sub(element, 1, 8)
    entries[2 * i - 1] = address
    entries[2 * i] = token .. (POSITIONS[i] or position(i)) .. element
    -- Neighbours are nearly always of one lane; comparing in place makes no string.
    if not lane or index_of(element, lane, 1, true) ~= 1 then
      lane = sub(element, 1, 3)
      if highest[lane] == nil then
        highest[lane] = false
        order[#order + 1] = lane
      end
    end
    if #element > 8 then highest[lane] = address else bare[#bare + 1] = address end
  end
  local records = hmget(K.marks(root), order, 1, #order)
  local statics, metas = hmget(K.operations(root), bare, 1, #bare), hmget(K.metas(root), bare, 1, #bare)

  if #entries > 0 and not is_again then
    call('HSET', root, 'token', string.format('%.0f', last_token))
    -- Who claims lives: a rescue that was decided before finds another beat, and takes nothing of this.
    call('HSET', K.owners(root), owner, write_owner(beat + 1, request, token))
    variadic('HSET', K.flight(root, owner), entries, 1, #entries)
  end
  if popped > 0 then
    if raised then
      raise_claimed(root, raised)
    else
      if pass and #pass.bound > 0 then TIES.mark_parked(root, pass, highest) end
      write_claimed(root, order, records, highest)
    end
  end
  return TIES.claims_reply(token, waiting, elements, order, records, statics, metas)
end
