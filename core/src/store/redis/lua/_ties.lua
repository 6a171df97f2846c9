--- What some Operations of the full path must let go of: a key, a place in a line, slots of gates.
--
--   tie record     | 1 B n | n B key | 1 B n | n B line | per gate: 4 B slots, 1 B n, n B gate |       n = 0: none
--                  | of a pace: 4 B 0, 8 B milliseconds each (a double), 4 B burst, 1 B n, n B gate |
--   key record     | 'l' or 'e' | 8 B address | 8 B digest | 6 B expiry |       its holder lives, or only the expiry counts
--   parked record  | 'g' | 8 B ticket | gate |, or | 'l' | 8 B due time (a double) | line |       not on a ready list
--   candidate      | 8 B ticket | gate |       was parked there, is on its ready list, holds nothing yet
--
-- While a gate has slots free and something parked, at least as many candidates of it are on ready lists: each slot that
-- comes free, and each candidate that goes elsewhere, makes the next one a candidate.

--- Key, line ('' if none) and gates { name, slots } or { name, every, burst } of a tie record.
local function read_ties(record)
  local n = unpack_bytes('>B', record)
  local key = sub(record, 2, 1 + n)
  local at = 2 + n
  n = unpack_bytes('>B', record, at)
  local line = sub(record, at + 1, at + n)
  at = at + 1 + n
  local gates, slots = {}, 0
  while at <= #record do
    slots, n = unpack_bytes('>I4B', record, at)
    local gate = { slots = slots }
    if slots == 0 then
      gate.every, gate.burst, n = unpack_bytes('>dI4B', record, at + 4)
      at = at + 12
    end
    gate.name = sub(record, at + 5, at + 4 + n)
    gates[#gates + 1] = gate
    at = at + 5 + n
  end
  return key, line, gates
end

--- The tie records of many addresses; empty places where there is none. Nothing is asked where no Operation has ties.
local function ties_of(root, addresses)
  if #addresses == 0 or call('EXISTS', K.ties(root)) == 0 then return {} end
  return hmget(K.ties(root), addresses, 1, #addresses)
end

--- Numbers what waits, in the order it came.
local function next_ticket(root) return call('HINCRBY', root, 'ticket', 1) end

-- Slots ---------------------------------------------------------------------------------------------------------------

--- How many slots of a gate are taken; `counts` remembers it for the rest of the call.
local function used_of(root, counts, gate)
  local used = counts[gate]
  if not used then
    used = tonumber(call('HGET', K.slots(root), gate) or 0)
    counts[gate] = used
  end
  return used
end

local function add_used(root, counts, gate, by)
  local used = used_of(root, counts, gate) + by
  counts[gate] = used
  if used > 0 then call('HSET', K.slots(root), gate, used) else call('HDEL', K.slots(root), gate) end
end

--- Counts for each gate of `wakes` how many may move on; keeps the order in which gates were named.
local function add_wake(wakes, gate)
  if not wakes[gate] then
    wakes[gate] = 0
    wakes[#wakes + 1] = gate
  end
  wakes[gate] = wakes[gate] + 1
end

--- Takes the first ones parked at each gate of `wakes` away from there and adds them to `woken`.
local function let_on(root, wakes, woken)
  for _, gate in ipairs(wakes) do
    local popped = call('ZRANGE', K.parked_at(root, gate), 0, wakes[gate] - 1, 'WITHSCORES')
    for i = 1, #popped, 2 do
      call('ZREM', K.parked_at(root, gate), popped[i])
      call('HDEL', K.parked(root), popped[i])
      call('HSET', K.candidates(root), popped[i], pack('>I8', tonumber(popped[i + 1])) .. gate)
      put(woken, popped[i])
    end
  end
end

--- Puts what was woken in front of its lists, the first one foremost.
local function put_woken(root, moves, woken)
  local statics = hmget(K.operations(root), woken, 1, #woken)
  for i = #woken, 1, -1 do
    local queue, priority = read_static(statics[i])
    put_ready(moves, 'front', woken[i], queue, priority)
  end
end

-- Paces: a gate lets one through every `every` milliseconds, and up to `burst` at once after a pause. What is kept is the
-- time at which it would stand still again if nothing came any more; up to `burst` times `every` it may lie ahead.

--- Until when a pace is taken up; not before now.
local function taken_until(root, pass, gate)
  local taken = pass.taken[gate.name]
  if not taken then
    taken = math.max(pass.now, tonumber(call('ZMSCORE', K.paces(root), gate.name)[1] or 0))
    pass.taken[gate.name] = taken
  end
  return taken
end

local function take_pace(root, pass, gate)
  local taken = taken_until(root, pass, gate) + gate.every
  pass.taken[gate.name] = taken
  call('ZADD', K.paces(root), string.format('%.17g', taken), gate.name)
end

--- When the next one may pass.
local function opens_at(root, pass, gate) return taken_until(root, pass, gate) - (gate.burst - 1) * gate.every end

local function is_full(root, pass, gate)
  if gate.every then return opens_at(root, pass, gate) > pass.now end
  return used_of(root, pass.counts, gate.name) >= gate.slots
end

--- Lets what is parked at paces go on, of up to `max` of them that are due, up to `max` at each.
local function open_paces(root, max, now, woken)
  local pass = { taken = {}, now = now }
  for _, name in ipairs(call('ZRANGEBYSCORE', K.opening(root), '-inf', now, 'LIMIT', 0, max)) do
    local first = call('ZRANGE', K.parked_at(root, name), 0, 0)[1]
    local gate
    if first then
      local _, _, gates = read_ties(call('HGET', K.ties(root), first))
      for _, one in ipairs(gates) do
        if one.name == name and one.every then gate = one end
      end
    end
    if gate then
      local free = math.floor((now - opens_at(root, pass, gate)) / gate.every) + 1
      local count = math.max(0, math.min(free, max))
      if count > 0 then let_on(root, { name, [name] = count }, woken) end
      local next_at = opens_at(root, pass, gate) + count * gate.every
      if call('EXISTS', K.parked_at(root, name)) == 1 then
        call('ZADD', K.opening(root), string.format('%.17g', next_at), name)
      else
        call('ZREM', K.opening(root), name)
      end
    else
      call('ZREM', K.opening(root), name)
    end
  end
end

--- Whether an Operation that a claim popped may run: then it takes its slots. Else it is parked at the first full gate.
local function passes(root, pass, address, record)
  local _, _, gates = read_ties(record)
  if #gates == 0 then return true end
  local candidate = call('HGET', K.candidates(root), address)
  local closed
  for _, gate in ipairs(gates) do
    if not closed and is_full(root, pass, gate) then closed = gate end
  end
  if candidate then call('HDEL', K.candidates(root), address) end
  if not closed then
    for _, gate in ipairs(gates) do
      if gate.every then take_pace(root, pass, gate) else add_used(root, pass.counts, gate.name, 1) end
    end
    return true
  end
  local ticket = candidate and unpack_bytes('>I8', candidate) or next_ticket(root)
  call('ZADD', K.parked_at(root, closed.name), ticket, address)
  call('HSET', K.parked(root), address, 'g' .. pack('>I8', ticket) .. closed.name)
  if closed.every then
    call('ZADD', K.opening(root), string.format('%.17g', opens_at(root, pass, closed)), closed.name)
    pass.is_paced = true
  end
  if candidate and sub(candidate, 9) ~= closed.name then add_wake(pass.wakes, sub(candidate, 9)) end
  return false
end

--- Of a popped batch, what may run; the rest is parked.
local function through_gates(root, pass, batch)
  local bare, kept, at = {}, {}, 0
  for i = 1, #batch do
    if #batch[i] == 8 then bare[#bare + 1] = batch[i] end
  end
  if #bare == 0 then return batch end
  local ties, lapses = hmget(K.ties(root), bare, 1, #bare), lapses_of(root, bare)
  for i = 1, #batch do
    local element, record, lapse = batch[i], false, false
    if #element == 8 then
      at = at + 1
      record, lapse = ties[at], lapses[at]
    end
    if lapse and lapses_at(lapse) <= pass.now then
      put(pass.lapsed, element)
    elseif not record or passes(root, pass, element, record) then
      kept[#kept + 1] = element
      if lapse then lapse_claimed(root, element, lapse) end
    end
  end
  return kept
end

-- Lines ---------------------------------------------------------------------------------------------------------------

--- Goes to the end of a line; answers whether it is the first there. Else it is parked, to go on at `due` or later.
local function join_line(root, line, address, due)
  call('ZADD', K.line(root, line), next_ticket(root), address)
  if call('ZCARD', K.line(root, line)) == 1 then return true end
  call('HSET', K.parked(root), address, 'l' .. pack('>d', due) .. line)
  return false
end

--- Whether an Operation with this tie record, or none, that opens a new generation may go on: else it is parked.
local function may_go_on(root, address, record)
  if not record then return true end
  local _, line = read_ties(record)
  return line == '' or join_line(root, line, address, 0)
end

--- The first of a line goes on, if it has not yet: to its due time, or to `woken`.
local function advance(root, moves, line, woken, now)
  local first = call('ZRANGE', K.line(root, line), 0, 0)[1]
  local parked = first and call('HGET', K.parked(root), first)
  if not parked or sub(parked, 1, 1) ~= 'l' then return end
  call('HDEL', K.parked(root), first)
  local due = unpack_bytes('>d', parked, 2)
  if due > now then
    put(moves.due, string.format('%.17g', due), first)
  else
    put(woken, first)
  end
end

-- Keys ----------------------------------------------------------------------------------------------------------------

local function write_key(state, address, digest, expiry) return state .. address .. digest .. pack('>I6', expiry) end

--- Who holds a key at present: address and digest, or nil; also the record itself, which may be past its time.
local function holder_of(root, key, now)
  local record = call('HGET', K.keys(root), key)
  if not record then return nil end
  if sub(record, 1, 1) == 'e' and unpack_bytes('>I6', record, 18) <= now then return nil, nil, record end
  return sub(record, 2, 9), sub(record, 10, 17), record
end

--- Gives a key to an Operation, whoever had it; `before` is the record it had. A timed one does not mind its holder's end.
local function take_key(root, key, address, digest, expiry, before, is_timed)
  if before and sub(before, 1, 1) == 'e' then call('ZREM', K.expiries(root), sub(before, 2, 9) .. key) end
  call('HSET', K.keys(root), key, write_key(is_timed and 'e' or 'l', address, digest, expiry))
  if is_timed then call('ZADD', K.expiries(root), expiry, address .. key) end
end

--- The holder of a key has ended: it is free, or stays until its window is over. Not another holder's.
local function let_go_key(root, key, address, now)
  local record = call('HGET', K.keys(root), key)
  if not record or sub(record, 1, 9) ~= 'l' .. address then return end
  local expiry = unpack_bytes('>I6', record, 18)
  if expiry > now then
    call('HSET', K.keys(root), key, 'e' .. sub(record, 2))
    call('ZADD', K.expiries(root), expiry, address .. key)
  else
    call('HDEL', K.keys(root), key)
  end
end

-- Letting go ----------------------------------------------------------------------------------------------------------

--- What ended or went back lets go of its ties, and what waited for them moves on: part of the same call.
-- Each of `loose` has `address`, `ties` (nothing to do without), `entry` if it ran, `fate`: 'end' (its record goes),
-- 'failed' (it stays) or nil (it waits again).
local function untie(root, moves, loose, now)
  local counts, wakes, lines, woken, ended = {}, {}, {}, {}, {}
  for _, one in ipairs(loose) do
    if one.ties then
      local key, line, gates = read_ties(one.ties)
      if one.entry then
        for _, gate in ipairs(gates) do
          if not gate.every then
            add_used(root, counts, gate.name, -1)
            add_wake(wakes, gate.name)
          end
        end
      else
        local parked = call('HGET', K.parked(root), one.address)
        local candidate = call('HGET', K.candidates(root), one.address)
        if parked then
          call('HDEL', K.parked(root), one.address)
          if sub(parked, 1, 1) == 'g' then call('ZREM', K.parked_at(root, sub(parked, 10)), one.address) end
        end
        if candidate then
          call('HDEL', K.candidates(root), one.address)
          add_wake(wakes, sub(candidate, 9))
        end
      end
      if one.fate then
        ended[#ended + 1] = one.address
        if key ~= '' then let_go_key(root, key, one.address, now) end
        if line ~= '' then
          call('ZREM', K.line(root, line), one.address)
          if not lines[line] then
            lines[line] = true
            lines[#lines + 1] = line
          end
        end
        if one.fate == 'end' then call('HDEL', K.ties(root), one.address) end
      end
    end
  end
  drop_lapses(root, ended)
  for _, line in ipairs(lines) do advance(root, moves, line, woken, now) end
  let_on(root, wakes, woken)
  if #woken > 0 then put_woken(root, moves, woken) end
end

--- Cancels one that waits; `parked` is its parked record, if it has one. What it was tied to, `untie` lets go.
local function cancel_waiting(moves, address, here, parked, reason, now)
  local meta = read_meta(here.meta)
  end_cancelled(moves, { address = address }, meta, meta.attempts, reason, now)
  if here.state == 'scheduled' then
    put(moves.due_gone, address)
  elseif not parked then
    local queue
    if here.static then
      queue = read_static(here.static)
    else
      local _
      _, _, queue = read_lane(here.lane)
    end
    put(moves.withdrawn, address, queue)
    moves.withdrawn_counts[queue] = (moves.withdrawn_counts[queue] or 0) + 1
  end
end
