--- Live limits: numbers of gates that somebody has set from outside; they go before what code says, until taken back.
--
--   live record    | 's' | 6 B since | 4 B slots |, or | 'p' | 6 B since | 8 B milliseconds each (a double), 0: any | 4 B burst |
--   settling       | 't' or 'k' | cursor |       how far the times of paces were forgotten, or what is parked was told
--
-- A live limit stands under a gate's whole name, or under what comes before its first colon: then it is all of theirs that
-- have none of their own. It counts for every claim from the call on; who is parked is told a part at a time, in that call
-- and in each promote after it.

-- Beside those of gates there are three of the Segment as a whole, for all that is claimed from it: `=#` how many run, `=@`
-- a pace, `=!` a time in which nothing begins (its milliseconds count from when it was set). A claim takes no more than
-- they let through; what is left stays on its lists, and bells ring when more may go.

--- A live record as a table, or false if it is none.
function TIES.read_live(record)
  if not record then return false end
  local kind, length = sub(record, 1, 1), #record
  if kind == 's' and length == 11 then
    local since, slots = unpack_bytes('>I6I4', record, 2)
    return { since = since, slots = slots }
  end
  if kind ~= 'p' or length ~= 19 then return false end
  local since, every, burst = unpack_bytes('>I6dI4', record, 2)
  return { since = since, every = every, burst = burst }
end

--- What stands before the colon of a gate's name.
function TIES.scope_of(name) return string.match(name, '^[^:]*') end

--- Looks up the live numbers of gates, names[1..n], if there are any at all.
function TIES.look_at_live(root, pass, names, n)
  if n == 0 then return end
  if pass.has_live == nil then pass.has_live = call('EXISTS', K.live(root)) == 1 end
  if not pass.has_live then return end
  local fields = {}
  for i = 1, n do put(fields, names[i], TIES.scope_of(names[i])) end
  local records = hmget(K.live(root), fields, 1, #fields)
  for i = 1, n do
    pass.live[names[i]] = TIES.read_live(records[2 * i - 1]) or TIES.read_live(records[2 * i])
  end
end

--- Whether a Queue of the Segment is paused.
function TIES.is_any_paused(root)
  for _, mark in ipairs(call('HVALS', K.queues(root))) do
    if TIES.PAUSED[mark] then return true end
  end
  return false
end

--- How many candidates each gate has that are not of paused Queues.
function TIES.open_candidates(root)
  if not TIES.is_any_paused(root) then return TIES.candidates_by_gate(root) end
  local all, by_gate, addresses, marks = call('HGETALL', K.candidates(root)), {}, {}, {}
  for i = 1, #all, 2 do addresses[(i + 1) / 2] = all[i] end
  for i, static in ipairs(hmget(K.operations(root), addresses, 1, #addresses)) do
    if not TIES.is_in_paused(root, static, marks) then
      local gate = sub(all[2 * i], 9)
      by_gate[gate] = (by_gate[gate] or 0) + 1
    end
  end
  return by_gate
end

--- How many candidates each gate has.
function TIES.candidates_by_gate(root)
  local by_gate = {}
  for _, record in ipairs(call('HVALS', K.candidates(root))) do
    local gate = sub(record, 9)
    by_gate[gate] = (by_gate[gate] or 0) + 1
  end
  return by_gate
end

--- How many entries of a table are looked at in one call, about.
TIES.SETTLE_PAGE = 1000
--- Room that no claim uses up: one more than a claim takes at most.
TIES.BOUNDLESS = 1001

--- Lets on what a gate has room for, up to `left`; a pace is due at once, and then finds its time. Answers how many are
--- left, and whether that were too few.
function TIES.settle_gate(root, pass, name, candidates, left, woken)
  local gate = TIES.gate_said(root, call('ZRANGE', K.parked_at(root, name), 0, 0)[1], name)
  if not gate then return left, false end
  if gate.every then
    call('ZADD', K.opening(root), string.format('%.0f', pass.now), name)
    return left, false
  end
  look_at_gates(root, pass, { { gates = { gate } } })
  local free = TIES.slots_of(pass, gate) - pass.counts[name]
  local missing = math.min(free - (candidates[name] or 0), call('ZCARD', K.parked_at(root, name)))
  if missing <= 0 then return left, false end
  local count, before = math.min(missing, left), #woken
  if count > 0 then let_on(root, { name, [name] = count }, woken) end
  return left - (#woken - before), count < missing
end

--- A page of the gates of a scope where something is parked, by name; and where to go on.
function TIES.parked_gates(root, scope, cursor)
  local page = call('HSCAN', K.parked(root), cursor, 'COUNT', TIES.SETTLE_PAGE)
  local names, seen = {}, {}
  for i = 2, #page[2], 2 do
    local record = page[2][i]
    local name = sub(record, 10)
    if sub(record, 1, 1) == 'g' and not seen[name] and TIES.scope_of(name) == scope then
      seen[name] = true
      put(names, name)
    end
  end
  table.sort(names)
  return names, page[1]
end

--- Goes on with one live limit from a place. Answers the next place, nil at the end; and how many are left.
function TIES.settle(root, name, place, left, now, woken)
  local is_one, phase, cursor, after = index_of(name, ':', 1, true), sub(place, 1, 1), sub(place, 2), '0'
  if phase == 't' then
    local gone, rest = { name }, ''
    if not is_one then
      local page
      page, rest = LIST.scored(K.paces(root), cursor, TIES.SETTLE_PAGE)
      gone = {}
      for _, pace in ipairs(page) do
        if TIES.scope_of(pace) == name then put(gone, pace) end
      end
    end
    variadic('ZREM', K.paces(root), gone, 1, #gone)
    if rest ~= '' then return 't' .. rest, left end
    cursor = '0'
  end
  local names = { name }
  if not is_one then names, after = TIES.parked_gates(root, name, cursor) end
  local pass, candidates, is_cut = new_pass(now), #names > 0 and TIES.open_candidates(root), false
  for _, gate in ipairs(names) do
    local is_short
    left, is_short = TIES.settle_gate(root, pass, gate, candidates, left, woken)
    is_cut = is_cut or is_short
  end
  if is_cut then return 'k' .. cursor, left end
  return after ~= '0' and 'k' .. after or nil, left
end

--- Notes how far a live limit was told, or that it was told to the end.
function TIES.begin_settling(root, name, place)
  if place then call('HSET', K.settling(root), name, place) else call('HDEL', K.settling(root), name) end
end

--- Goes on with all live limits that are not told to the end yet, by name, up to `max` in all.
function TIES.settle_more(root, max, now, woken)
  local names, left = call('HKEYS', K.settling(root)), max
  table.sort(names)
  for _, name in ipairs(names) do
    local place = call('HGET', K.settling(root), name)
    place, left = TIES.settle(root, name, place, left, now, woken)
    TIES.begin_settling(root, name, place)
  end
end

-- The Segment as a whole ----------------------------------------------------------------------------------------------

--- The number of a claim that brings a pace with it: `max`, and the pace.
function TIES.read_max(text)
  local max, every, burst = string.match(text, '^(%d+) (%S+) (%d+)$')
  every, burst = tonumber(every), tonumber(burst)
  if not every or every <= 0 or burst < 1 then return nil end
  return tonumber(max), { every = every, burst = burst }
end

--- How many a claim may take now by the limits of the Segment as a whole; nil where there are none. `given`: the pace a claim
--- brings, which counts where no live one is set.
function TIES.hold_of(root, given)
  local records = hmget(K.live(root), { '=#', '=@', '=!' }, 1, 3)
  local slots, pace, rest = TIES.read_live(records[1]), TIES.read_live(records[2]), TIES.read_live(records[3])
  pace = pace and pace.every and pace or given
  local now = now_ms(root)
  local hold = { now = now, room = TIES.BOUNDLESS }
  if slots and slots.slots then
    local running = 0
    for _, owner in ipairs(call('HKEYS', K.owners(root))) do running = running + call('HLEN', K.flight(root, owner)) end
    hold.room = math.max(0, math.min(TIES.BOUNDLESS, slots.slots - running))
  end
  if pace and pace.every > 0 then
    hold.pace, hold.taken = pace, math.max(now, tonumber(call('ZSCORE', K.paces(root), '=@') or 0))
    local opens = hold.taken - (pace.burst - 1) * pace.every
    hold.room = math.min(hold.room, opens > now and 0 or math.floor((now - opens) / pace.every) + 1)
  end
  if rest and rest.every and rest.since + rest.every > now then hold.room, hold.rests = 0, rest.since + rest.every end
  return hold
end

--- Notes what a new claim has taken, and when more may go. Answers how many wait that may go now: none, if there is no
--- more room; else the caller would ask again and again.
function TIES.note_hold(root, hold, count, waiting, is_new)
  local pace = hold.pace
  if is_new and pace and count > 0 then
    hold.taken = hold.taken + count * pace.every
    call('ZADD', K.paces(root), string.format('%.17g', hold.taken), '=@')
  end
  if hold.room > count then return waiting end
  local opens = math.max(hold.rests or 0, pace and hold.taken - (pace.burst - 1) * pace.every or 0)
  if is_new and waiting > 0 and opens > hold.now then
    call('ZADD', K.opening(root), string.format('%.17g', opens), '=@')
    ring(root, 'd', due_in(root))
  end
  return 0
end

--- The largest priority of which a Queue's lists or fair gates hold anything; nil when they are empty.
function TIES.highest_of(root, queue)
  local highest
  local names, priorities = lists_of(root, queue)
  for l, name in ipairs(names) do
    if call('EXISTS', name) == 1 then
      highest = priorities[l]
      break
    end
  end
  local fair = tonumber(call('ZREVRANGE', K.fair(root, queue), 0, 0)[1])
  if not highest or fair and fair > highest then return fair end
  return highest
end

--- Rings for each Queue that has something to claim.
function TIES.ring_queues(root)
  local queues = call('HGETALL', K.queues(root))
  for i = 1, #queues, 2 do
    local queue = queues[i]
    if not TIES.PAUSED[queues[i + 1]] and call('EXISTS', K.ready(root, queue, 0), K.priorities(root, queue), K.fair(root, queue)) > 0 then
      ring(root, 'b', queue, TIES.highest_of(root, queue))
    end
  end
end

--- Something runs no more: where only so many may, others can be claimed.
function TIES.freed(root)
  if call('HEXISTS', K.live(root), '=#') == 1 then TIES.ring_queues(root) end
end
