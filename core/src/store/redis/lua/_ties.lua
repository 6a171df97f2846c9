--- What some Operations of the full path must let go of: a key, a place in a line, slots of gates; and the flows they
-- are shared out by.
--
--   tie record     | 1 B n | n B key | 1 B n | n B line | per gate: 4 B slots, 1 B n, n B gate |       n = 0: none
--                  | of a pace: 4 B 0, 8 B milliseconds each (a double), 4 B burst, 1 B n, n B gate |
--                  | behind a gate that does more than keep one waiting when it is full: 4 B 0, 8 B 0, 4 B what, 1 B n, n B outcome |
--                  | of a flow: 4 B 0, 8 B -1 / weight (a double), 4 B 0, 1 B n, n B flow |
--   key record     | 'l' or 'e' | 8 B address | 8 B digest | 6 B expiry |       its holder lives, or only the expiry counts
--   parked record  | 'g' | 8 B ticket | gate |, or | 'l' | 8 B due time (a double) | line |       not on a ready list
--   candidate      | 8 B ticket | gate |       was parked there, is on its ready list, holds nothing yet
--                  of one with a flow the ticket is its tag (a double)
--
-- While a gate has slots free and something parked, at least as many candidates of it are on ready lists: each slot that
-- comes free, and each candidate that goes elsewhere, makes the next one a candidate.

--- Key, line ('' if none), gates { name, slots } or { name, every, burst } and flow { name, stride } or nil of a tie
--- record. A gate has `full` if it does more than keep one waiting when it is full: 1 skips, 2 cancels the newest, 3 the
--- oldest; and `value`, the outcome bytes of who ends for that.
local function read_ties(record)
  local n = unpack_bytes('>B', record)
  local key = sub(record, 2, 1 + n)
  local at = 2 + n
  n = unpack_bytes('>B', record, at)
  local line = sub(record, at + 1, at + n)
  at = at + 1 + n
  local gates, slots, flow = {}, 0, nil
  while at <= #record do
    slots, n = unpack_bytes('>I4B', record, at)
    local gate = { slots = slots }
    if slots == 0 then
      gate.every, gate.burst, n = unpack_bytes('>dI4B', record, at + 4)
      at = at + 12
    end
    gate.name = sub(record, at + 5, at + 4 + n)
    if gate.every and gate.every < 0 then
      flow = { name = gate.name, stride = -gate.every }
    elseif gate.every == 0 then
      if #gates > 0 then gates[#gates].full, gates[#gates].value = gate.burst, gate.name end
    else
      gates[#gates + 1] = gate
    end
    at = at + 5 + n
  end
  return key, line, gates, flow
end

--- Some of what is here, for a chunk has no more than 200 locals. `ticket_before`: the last ticket given before this call,
--- once it has given one; `entry` forgets it. `known`: ties to gates alone by their records, for later calls; at most
--- KNOWN_MAX of them.
local TIES = { known = {}, known_count = 0, KNOWN_MAX = 2048 }

--- Reads a tie record into a table. `only`: its one gate, if it has no more; `has_paces`: whether a gate of it has no slots;
--- `has_full`: whether one does more than keep waiting.
function TIES.read(record)
  local key, line, gates, flow = read_ties(record)
  local tie = { key = key, line = line, gates = gates, flow = flow, only = #gates == 1 and gates[1] or nil, has_paces = false }
  for g = 1, #gates do
    if gates[g].every then tie.has_paces = true end
    if gates[g].full then tie.has_full = true end
  end
  -- Keys and lines have too many names to be worth it.
  if key == '' and line == '' then
    if TIES.known_count >= TIES.KNOWN_MAX then TIES.known, TIES.known_count = {}, 0 end
    TIES.known[record], TIES.known_count = tie, TIES.known_count + 1
  end
  return tie
end

--- The same, made once for all records of a call that say the same. Nobody changes such a table.
local function tie_of(cache, record)
  local tie = cache[record]
  if not tie then
    tie = TIES.known[record] or TIES.read(record)
    cache[record] = tie
  end
  return tie
end

--- Whether a tie record is well formed; then `cache` has it as a table.
function TIES.is_tie(cache, record)
  if cache[record] then return true end
  if TIES.known[record] then
    cache[record] = TIES.known[record]
    return true
  end
  local at, n = 1, 0
  for _ = 1, 2 do
    if at > #record then return false end
    at = at + 1 + unpack_bytes('>B', record, at)
  end
  while at + 4 <= #record do
    if unpack_bytes('>I4', record, at) == 0 then at = at + 12 end
    if at + 4 > #record then return false end
    n = unpack_bytes('>B', record, at + 4)
    if n == 0 then return false end
    at = at + 5 + n
  end
  if at ~= #record + 1 then return false end
  tie_of(cache, record)
  return true
end

--- The tie records of many addresses; empty places where there is none. Nothing is asked where no Operation has ties.
local function ties_of(root, addresses)
  if #addresses == 0 or call('EXISTS', K.ties(root)) == 0 then return {} end
  return hmget(K.ties(root), addresses, 1, #addresses)
end

--- Numbers what waits, in the order it came.
local function next_ticket(root)
  local ticket = call('HINCRBY', root, 'ticket', 1)
  TIES.ticket_before = TIES.ticket_before or ticket - 1
  return ticket
end

-- Flows: what bears one is not on its ready list but parked at the fair gate beside it, by its *tag*: the time, on a
-- clock that runs by work and not by seconds, at which its flow is next to be served. A flow of weight 2 is charged half
-- as much for each. The clock stands at the highest tag that was let run, and who was away begins there. Tags meet
-- tickets and tags of other clocks where several wait for one gate of slots: a new clock begins where those stand.

--- The gate beside the list of a priority; no other begins with this sign.
local function fair_gate(queue, priority) return '~' .. queue .. ':' .. string.format('%d', priority) end

--- The flow of an Operation with this tie record, or none, or nil.
local function flow_of(record)
  if not record then return nil end
  local _, _, _, flow = read_ties(record)
  return flow
end

--- Makes an Operation ready: on the list of its priority or, if it bears a flow, at the gate beside it. There at the back
--- means charged; at the front, that it was before: it comes with its tag, or goes first.
local function make_ready(moves, side, address, queue, priority, flow, tag)
  if not flow then return put_ready(moves, side, address, queue, priority) end
  moves.fair[#moves.fair + 1] =
    { address = address, queue = queue, priority = priority, flow = flow, is_charged = side == 'front', tag = tag }
end

--- Where a new clock begins: at the highest ticket given before this call, or at the clock that is furthest.
function TIES.first_clock(root)
  local clock = TIES.ticket_before or tonumber(call('HGET', root, 'ticket') or 0)
  for _, other in ipairs(call('HVALS', K.clocks(root))) do clock = math.max(clock, tonumber(other)) end
  return clock
end

--- Parks what was collected at its fair gates. Answers those that were empty: their Queues and priorities.
local function push_fair(root, entries)
  local gates, filled = {}, {}
  for _, entry in ipairs(entries) do
    local name = fair_gate(entry.queue, entry.priority)
    local gate = gates[name]
    if not gate then
      gate = { name = name, queue = entry.queue, priority = entry.priority, entries = {}, flows = {}, served = {} }
      gates[name] = gate
      gates[#gates + 1] = gate
    end
    gate.entries[#gate.entries + 1] = entry
    if not entry.is_charged and not gate.served[entry.flow.name] then
      gate.served[entry.flow.name] = 0
      put(gate.flows, entry.flow.name)
    end
  end
  for _, gate in ipairs(gates) do
    local served, parked, scores, times = gate.served, {}, {}, {}
    local at = call('HGET', K.clocks(root), gate.name)
    local clock = at and tonumber(at) or TIES.first_clock(root)
    for i, time in ipairs(read_many('ZMSCORE', K.served(root, gate.name), gate.flows, 1, #gate.flows)) do
      served[gate.flows[i]] = math.max(clock, tonumber(time or 0))
    end
    for _, entry in ipairs(gate.entries) do
      local tag, flow = entry.tag or clock, entry.flow
      if not entry.is_charged then
        tag = served[flow.name]
        served[flow.name] = tag + flow.stride
      end
      put(parked, entry.address, 'g' .. pack('>d', tag) .. gate.name)
      put(scores, string.format('%.17g', tag), entry.address)
    end
    for _, flow in ipairs(gate.flows) do put(times, string.format('%.17g', served[flow]), flow) end
    if call('EXISTS', K.parked_at(root, gate.name)) == 0 then
      call('ZADD', K.fair(root, gate.queue), gate.priority, gate.priority)
      put(filled, gate)
    end
    if not at then call('HSET', K.clocks(root), gate.name, string.format('%.17g', clock)) end
    hset_short(K.parked(root), parked, #parked)
    variadic('ZADD', K.parked_at(root, gate.name), scores, 1, #scores)
    variadic('ZADD', K.served(root, gate.name), times, 1, #times)
  end
  return filled
end

--- Flows known at a gate before any is forgotten; whatever waits there, twice as many may be known as work waits.
TIES.FLOWS_MIN = 64
TIES.FLOWS_MAX = 10000
--- How many are forgotten in one call.
TIES.FLOWS_SWEPT = 2000

--- Forgets flows that the clock has passed; beyond the bound those, too, that are least ahead of it.
function TIES.forget_flows(root, gate, clock)
  local key = K.served(root, gate)
  local known = call('ZCARD', key)
  if known <= TIES.FLOWS_MIN then return end
  local over = call('ZCOUNT', key, '-inf', clock)
  if known > TIES.FLOWS_MAX then
    over = math.max(over, known - math.max(TIES.FLOWS_MAX, 2 * call('ZCARD', K.parked_at(root, gate))))
  end
  if over > 0 then call('ZREMRANGEBYRANK', key, 0, math.min(over, TIES.FLOWS_SWEPT) - 1) end
end

--- Notes that a fair gate may have lost its last one.
local function forget_fair(root, gate)
  if sub(gate, 1, 1) ~= '~' or call('EXISTS', K.parked_at(root, gate)) == 1 then return end
  local queue, priority = string.match(gate, '^~(.*):(-?%d+)$')
  call('ZREM', K.fair(root, queue), priority)
end

-- Slots ---------------------------------------------------------------------------------------------------------------

--- Reads the newest numbers of slots of n gates; of many it is asked first whether there are any. Answers false if not.
function TIES.read_limits(root, pass, names, n)
  if n >= 8 and call('EXISTS', K.limits(root)) == 0 then return false end
  for i, limit in ipairs(hmget(K.limits(root), names, 1, n)) do pass.limits[names[i]] = limit and tonumber(limit) end
  return true
end

--- Looks up how full the gates of these ties are, those that `pass` does not know yet. `is_leaving`: their limits do not
--- matter.
local function look_at_gates(root, pass, ties, is_leaving)
  pass.has_looked = true
  local slots, paces, counts, n = {}, {}, pass.counts, 0
  for i = 1, #ties do
    local gates = ties[i].gates
    for g = 1, #gates do
      local gate = gates[g]
      local name = gate.name
      if gate.every then
        if not pass.taken[name] then
          pass.taken[name] = pass.now
          paces[#paces + 1] = name
        end
      elseif not counts[name] then
        counts[name] = 0
        n = n + 1
        slots[n] = name
      end
    end
  end
  local used = hmget(K.slots(root), slots, 1, n)
  for i = 1, n do
    local text = used[i]
    if text then counts[slots[i]] = TIES.numbers[text] or TIES.number_of(text) end
  end
  if not is_leaving then TIES.read_limits(root, pass, slots, n) end
  for i, taken in ipairs(read_many('ZMSCORE', K.paces(root), paces, 1, #paces)) do
    pass.taken[paces[i]] = math.max(pass.now, tonumber(taken or 0))
  end
  if not is_leaving then
    TIES.look_at_live(root, pass, slots, n)
    TIES.look_at_live(root, pass, paces, #paces)
  end
end

--- Small whole numbers and their texts, made once: the server writes a number with all its digits, and slowly.
TIES.texts, TIES.numbers = {}, {}

function TIES.text_of(count)
  local text = string.format('%.0f', count)
  if count < 1000 then TIES.texts[count], TIES.numbers[text] = text, count end
  return text
end

function TIES.number_of(text)
  local count = tonumber(text)
  TIES.text_of(count)
  return count
end

--- Takes or gives back a slot; `write_gates` writes it down.
local function add_used(pass, gate, by)
  pass.counts[gate] = pass.counts[gate] + by
  pass.changed[gate] = true
end

--- Counts for each gate of `wakes` how many may move on; keeps the order in which gates were named.
local function add_wake(wakes, gate)
  if not wakes[gate] then
    wakes[gate] = 0
    wakes[#wakes + 1] = gate
  end
  wakes[gate] = wakes[gate] + 1
end

--- Forgets the limits of those of these gates where no slot is taken and nothing is parked.
function TIES.forget_limits(root, gates)
  if #gates == 0 or call('EXISTS', K.limits(root)) == 0 then return end
  local idle = {}
  for i, used in ipairs(hmget(K.slots(root), gates, 1, #gates)) do
    if not used and call('EXISTS', K.parked_at(root, gates[i])) == 0 then put(idle, gates[i]) end
  end
  variadic('HDEL', K.limits(root), idle, 1, #idle)
end

--- Takes the first ones parked at each gate of `wakes` away from there and adds them to `woken`.
local function let_on(root, wakes, woken)
  if #wakes == 0 then return end
  if call('EXISTS', K.parked(root)) == 0 then return TIES.forget_limits(root, wakes) end
  local marks = {}
  for _, gate in ipairs(wakes) do
    local last, behind = TIES.let_some_on(root, gate, wakes[gate], woken, marks)
    local more = behind and TIES.agree(root, gate, last, behind) or 0
    if more > 0 then TIES.let_some_on(root, gate, more, woken, marks) end
  end
  TIES.forget_limits(root, wakes)
end

--- Most that go on at a gate, beyond those meant to, for being of paused Queues.
TIES.PASSED_OVER_MAX = 1000

--- Whether an Operation with this static record is of a paused Queue; `marks` keeps what Queues say.
function TIES.is_in_paused(root, static, marks)
  local queue = static and read_static(static) or ''
  if marks[queue] == nil then marks[queue] = TIES.PAUSED[call('HGET', K.queues(root), queue)] or false end
  return marks[queue]
end

--- How many of these addresses, which are parked, are of Queues that are not paused. `woken` keeps their static records.
function TIES.count_unpaused(root, addresses, marks, woken)
  local count = 0
  woken.statics = woken.statics or {}
  for i, static in ipairs(hmget(K.operations(root), addresses, 1, #addresses)) do
    woken.statics[addresses[i]] = static
    if not TIES.is_in_paused(root, static, marks) then count = count + 1 end
  end
  return count
end

--- Takes the first `count` ones parked at a gate away from there, those of paused Queues not counted, which go on beside
--- them. Answers the last of them, and who is behind it if any is.
function TIES.let_some_on(root, gate, count, woken, marks)
  local popped, behind, open = {}, nil, 0
  repeat
    local n = math.min(count - open, TIES.PASSED_OVER_MAX - (#popped - open))
    local page = call('ZRANGE', K.parked_at(root, gate), #popped, #popped + n)
    behind = page[n + 1]
    page[n + 1] = nil
    open = open + TIES.count_unpaused(root, page, marks, woken)
    for _, address in ipairs(page) do popped[#popped + 1] = address end
  until open == count or not behind or #popped - open >= TIES.PASSED_OVER_MAX
  if #popped == 0 then return nil end
  local candidates = {}
  for i, record in ipairs(hmget(K.parked(root), popped, 1, #popped)) do
    put(candidates, popped[i], record and sub(record, 2) or ZERO_TOKEN .. gate)
    put(woken, popped[i])
    woken[popped[i]] = record
  end
  variadic('ZREM', K.parked_at(root, gate), popped, 1, #popped)
  variadic('HDEL', K.parked(root), popped, 1, #popped)
  hset_short(K.candidates(root), candidates, #candidates)
  return popped[#popped], behind
end

--- Numbers of slots that came while a gate was not in use count for whoever says them, until one of another number is
--- behind the last that went on: then that of the one parked last counts for all. Else who says the smaller one would keep
--- back all behind it. Answers how many more go on.
function TIES.agree(root, name, last, behind)
  local records = call('HMGET', K.ties(root), last, behind)
  if records[1] == records[2] then return 0 end
  local said, other = TIES.said_in(records[1], name), TIES.said_in(records[2], name)
  local before = said and said.slots or 0
  if before == 0 or not other or other.slots == 0 or other.slots == before then return 0 end
  if call('HEXISTS', K.limits(root), name) == 1 then return 0 end
  local limit = TIES.slots_said(root, call('ZRANGE', K.parked_at(root, name), -1, -1)[1], name)
  if limit == 0 then return 0 end
  local pass, more = { live = {} }, 0
  TIES.look_at_live(root, pass, { name }, 1)
  local live = pass.live[name]
  if not (live and live.slots) then
    local reach = math.max(before, tonumber(call('HGET', K.slots(root), name) or 0))
    limit = math.min(limit, reach + TIES.RAISE_MAX)
    more = math.max(0, limit - reach)
  end
  call('HSET', K.limits(root), name, string.format('%.0f', limit))
  return more
end

--- Puts what was woken in front of its lists, the first one foremost.
local function put_woken(root, moves, woken)
  local ties, known, unknown = hmget(K.ties(root), woken, 1, #woken), woken.statics or {}, {}
  for _, address in ipairs(woken) do
    if not known[address] then unknown[#unknown + 1] = address end
  end
  for i, static in ipairs(hmget(K.operations(root), unknown, 1, #unknown)) do known[unknown[i]] = static end
  for i = #woken, 1, -1 do
    local address, flow = woken[i], flow_of(ties[i])
    local queue, priority = read_static(known[address])
    local parked = flow and woken[address]
    -- Who comes from a line has not been charged yet.
    local side = flow and not parked and 'back' or 'front'
    make_ready(moves, side, address, queue, priority, flow, parked and unpack_bytes('>d', parked, 2))
  end
end

-- Paces: a gate lets one through every `every` milliseconds, and up to `burst` at once after a pause. What is kept is the
-- time at which it would stand still again if nothing came any more; up to `burst` times `every` it may lie ahead.

--- The numbers of a pace: the live ones, if somebody has set them; else what is judged says them itself.
function TIES.pace_of(pass, gate)
  local live = pass.live[gate.name]
  return live and live.every and live or gate
end

--- When the next one may pass.
local function opens_at(pass, gate)
  local pace = TIES.pace_of(pass, gate)
  if pace.every == 0 then return pass.now end
  return pass.taken[gate.name] - (pace.burst - 1) * pace.every
end

--- How many slots a gate has: the live number, if somebody has set one; the newest, if one came while it was in use; else
--- what is judged says it itself.
function TIES.slots_of(pass, gate)
  local live = pass.live[gate.name]
  return live and live.slots or pass.limits[gate.name] or gate.slots
end

local function is_full(pass, gate)
  if gate.every then return opens_at(pass, gate) > pass.now end
  return pass.counts[gate.name] >= TIES.slots_of(pass, gate)
end

--- What one call knows and changes of gates. `cache`: ties by their records; `parked`, `parked_at`, `gone`: who is parked
--- anew, where, and who is a candidate no more; `opening`: paces where something is parked now; `statics`, `bound`, `marks`:
--- of what was parked from tied lanes, its records, and how far each lane was popped.
local function new_pass(now)
  return { now = now, cache = {}, counts = {}, limits = {}, live = {}, taken = {}, changed = {}, paced = {}, wakes = {}, parked = {}, parked_at = {},
    gone = {}, opening = {}, lapsed = {}, statics = {}, bound = {}, marks = {} }
end

--- Writes down what a call has changed of gates.
local function write_gates(root, pass)
  local used, free, taken, u, f = {}, {}, {}, 0, 0
  for gate in pairs(pass.changed) do
    local count = pass.counts[gate]
    if count > 0 then
      used[u + 1], used[u + 2] = gate, TIES.texts[count] or TIES.text_of(count)
      u = u + 2
    else
      f = f + 1
      free[f] = gate
    end
  end
  for gate in pairs(pass.paced) do put(taken, string.format('%.17g', pass.taken[gate]), gate) end
  hset_short(K.slots(root), used, u)
  variadic('HDEL', K.slots(root), free, 1, f)
  variadic('ZADD', K.paces(root), taken, 1, #taken)
  variadic('HDEL', K.candidates(root), pass.gone, 1, #pass.gone)
  variadic('HSET', K.operations(root), pass.statics, 1, #pass.statics)
  hset_short(K.ties(root), pass.bound, #pass.bound)
  hset_short(K.parked(root), pass.parked, #pass.parked)
  for gate, members in pairs(pass.parked_at) do variadic('ZADD', K.parked_at(root, gate), members, 1, #members) end
  for gate, at in pairs(pass.opening) do call('ZADD', K.opening(root), string.format('%.17g', at), gate) end
end

--- By how much a limit rises at once, at most, where something is parked: the next enqueue goes on from there.
TIES.RAISE_MAX = 1000

--- A gate as a tie record says it, or nil.
function TIES.said_in(record, name)
  local _, _, gates = read_ties(record or '\0\0')
  for _, gate in ipairs(gates) do
    if gate.name == name then return gate end
  end
end

--- A gate as one parked there says it, or nil.
function TIES.gate_said(root, address, name)
  return TIES.said_in(address and call('HGET', K.ties(root), address), name)
end

--- How many slots a gate has by what one parked there says.
function TIES.slots_said(root, address, name)
  local gate = TIES.gate_said(root, address, name)
  return gate and gate.slots or 0
end

--- Somebody new says how many slots these gates have: where they are in use, that counts for all from now on. What is
--- parked there moves on at once if there are more. Where a live number stands, this one waits until that is taken back.
function TIES.renew_limits(root, moves, pass, gates)
  local wakes, woken = {}, {}
  if pass.has_parked == nil then pass.has_parked = call('EXISTS', K.parked(root)) == 1 end
  for _, gate in ipairs(gates) do
    local name, limit = gate.name, gate.slots
    local known, used = pass.limits[name], pass.counts[name]
    if not gate.every and known ~= limit and (used > 0 or pass.has_parked) then
      local first = pass.has_parked and call('ZRANGE', K.parked_at(root, name), 0, 0)[1]
      local live = pass.live[name]
      if first and not (live and live.slots) then
        local reach = math.max(known or TIES.slots_said(root, first, name), used)
        limit = math.min(limit, reach + TIES.RAISE_MAX)
        if limit > reach then
          wakes[#wakes + 1] = name
          wakes[name] = limit - reach
        end
      end
      if (first or used > 0) and limit ~= known then
        pass.limits[name] = limit
        call('HSET', K.limits(root), name, string.format('%.0f', limit))
      end
    end
  end
  let_on(root, wakes, woken)
  if #woken > 0 then put_woken(root, moves, woken) end
end

--- Lets what is parked at paces go on, up to `max` in all. A pace that has no share of them stays due.
local function open_paces(root, max, now, woken)
  local pass, left = new_pass(now), max
  for _, name in ipairs(call('ZRANGEBYSCORE', K.opening(root), '-inf', now, 'LIMIT', 0, max)) do
    local first = call('ZRANGE', K.parked_at(root, name), 0, 0)[1]
    local gate = TIES.gate_said(root, first, name)
    if name == '=@' then TIES.ring_queues(root) end
    if gate and gate.every then
      look_at_gates(root, pass, { { gates = { gate } } })
      local every = TIES.pace_of(pass, gate).every
      local free = every == 0 and left or math.floor((now - opens_at(pass, gate)) / every) + 1
      local count, before = math.max(0, math.min(free, left)), #woken
      if count > 0 then let_on(root, { name, [name] = count }, woken) end
      left = left - (#woken - before)
      local next_at = opens_at(pass, gate) + count * every
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

--- Whether an Operation that a claim popped may run: then it takes its slots. Else it is parked at the first full gate,
--- by its tag if it has one.
local function passes(root, pass, address, tie, candidate, tag)
  local gates, closed = tie.gates, nil
  if candidate then pass.gone[#pass.gone + 1] = address end
  for i = 1, #gates do
    if is_full(pass, gates[i]) then
      closed = gates[i]
      break
    end
  end
  if not closed then
    for i = 1, #gates do
      local gate = gates[i]
      local every = gate.every and TIES.pace_of(pass, gate).every
      if every and every > 0 then
        pass.taken[gate.name] = pass.taken[gate.name] + every
        pass.paced[gate.name] = true
      elseif not every then
        add_used(pass, gate.name, 1)
      end
    end
    return true
  end
  if tie.has_full then
    closed = TIES.meet(root, pass, address, tie, candidate, closed)
    if not closed then return false end
  end
  local name = closed.name
  local ticket = tag or candidate and unpack_bytes('>I8', candidate) or next_ticket(root)
  local members = pass.parked_at[name]
  if not members then
    members = {}
    pass.parked_at[name] = members
  end
  put(members, string.format('%.17g', ticket), address)
  put(pass.parked, address, 'g' .. pack(tag and '>d' or '>I8', ticket) .. name)
  if closed.every then
    pass.opening[name] = opens_at(pass, closed)
    pass.is_paced = true
  end
  if candidate and sub(candidate, 9) ~= name then add_wake(pass.wakes, sub(candidate, 9)) end
  return false
end

--- Notes in `held`, by place, which of these have to wait at a gate.
local function through_ties(root, pass, tied, places, names, tags, held)
  look_at_gates(root, pass, tied)
  local candidates = hmget(K.candidates(root), names, 1, #names)
  for n = 1, #tied do
    local tag = tags and tags[places[n]]
    if not passes(root, pass, names[n], tied[n], candidates[n], tag) then held[places[n]] = true end
  end
end

--- Of addresses with their tie records, a table of what may not run, by place: that is parked, or has lapsed. `tags`:
--- those of a fair gate. `ties`: by place, of those of tied lanes.
local function not_through(root, pass, addresses, records, tags, ties)
  local tied, places, names, held = {}, {}, {}, {}
  local lapses = lapses_of(root, addresses)
  for i, record in ipairs(records) do
    local tie = record and tie_of(pass.cache, record) or ties and ties[i]
    if lapses[i] and lapses_at(lapses[i]) <= pass.now then
      put(pass.lapsed, addresses[i])
      held[i] = true
    elseif tie and #tie.gates > 0 then
      local n = #tied + 1
      tied[n], places[n], names[n] = tie, i, addresses[i]
    end
  end
  if #tied > 0 then through_ties(root, pass, tied, places, names, tags, held) end
  if #lapses > 0 then
    for i, address in ipairs(addresses) do
      if lapses[i] and not held[i] then lapse_claimed(root, address, lapses[i]) end
    end
  end
  return held
end

--- Of a popped batch, what may run; the rest is parked.
local function through_gates(root, pass, queue, batch)
  if TIES.all_through(root, pass, batch) then return batch end
  local byte, bare, ties, met, last = string.byte, {}, {}, {}, nil
  for i = 1, #batch do
    local element = batch[i]
    if #element == 8 then
      bare[#bare + 1] = element
    elseif byte(element) >= 128 then
      local tie = TIES.met(element, 1)
      if tie ~= last then
        last = tie
        if tie then met[#met + 1] = TIES.whole(tie) end
      end
      ties[i] = tie
    end
  end
  if #bare == 0 then return #met == 0 and batch or TIES.through_fast(root, pass, queue, batch, ties, met) end
  -- In the order they stood: each finds what those before it have left.
  local records, addresses, places, known, fast = hmget(K.ties(root), bare, 1, #bare), {}, {}, {}, {}
  local at = 0
  for i = 1, #batch do
    local n, is_bare = #places + 1, #batch[i] == 8
    if is_bare then at = at + 1 end
    if is_bare or ties[i] then
      addresses[n], places[n] = sub(batch[i], 1, 8), i
      known[n], fast[n] = is_bare and records[at], ties[i]
    end
  end
  local held, out, kept = not_through(root, pass, addresses, known, nil, fast), {}, {}
  for place in pairs(held) do out[places[place]] = true end
  for i = 1, #batch do
    if not out[i] then
      kept[#kept + 1] = batch[i]
    elseif ties[i] then
      TIES.own_parked(pass, queue, batch[i])
    end
  end
  return kept
end

--- Of up to n Operations that are next at the fair gate of a list, what may run; the rest is parked. Also answers how
--- many were looked at.
local function through_fair_gate(root, pass, queue, priority, n)
  local name = fair_gate(queue, priority)
  local popped = call('ZRANGE', K.parked_at(root, name), 0, n - 1, 'WITHSCORES')
  if #popped == 0 then return popped, 0 end
  local addresses, tags, kept, last = {}, {}, {}, nil
  for i = 1, #popped, 2 do
    addresses[#addresses + 1] = popped[i]
    tags[#tags + 1] = tonumber(popped[i + 1])
  end
  -- Without a parked record it is elsewhere, or gone: it must not run a second time.
  local parked, there, their_tags, looked = hmget(K.parked(root), addresses, 1, #addresses), {}, {}, #addresses
  for i = 1, looked do
    if parked[i] then
      there[#there + 1] = addresses[i]
      their_tags[#there] = tags[i]
    end
  end
  variadic('ZREM', K.parked_at(root, name), addresses, 1, looked)
  addresses, tags = there, their_tags
  variadic('HDEL', K.parked(root), addresses, 1, #addresses)
  local held = not_through(root, pass, addresses, hmget(K.ties(root), addresses, 1, #addresses), tags)
  for i = 1, #addresses do
    if not held[i] then
      kept[#kept + 1] = addresses[i]
      last = tags[i]
    end
  end
  if last then
    local clock = call('HGET', K.clocks(root), name) or '0'
    if last > tonumber(clock) then
      clock = string.format('%.17g', last)
      call('HSET', K.clocks(root), name, clock)
    end
    TIES.forget_flows(root, name, clock)
  end
  forget_fair(root, name)
  return kept, looked
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
-- 'failed' (it stays) or nil (it waits again); `is_unbound` if its tie record stood in its entry.
local function untie(root, moves, loose, now)
  local pass, tied, gone, ended, lines, woken, bound = new_pass(now), {}, {}, {}, {}, {}, {}
  for _, one in ipairs(loose) do
    if one.ties then
      one.tie = tie_of(pass.cache, one.ties)
      if one.entry then tied[#tied + 1] = one.tie end
    end
  end
  look_at_gates(root, pass, tied, true)
  local wakes = pass.wakes
  for _, one in ipairs(loose) do
    if one.ties then
      local key, line, gates = one.tie.key, one.tie.line, one.tie.gates
      if one.entry then
        for i = 1, #gates do
          local gate = gates[i]
          if not gate.every then
            add_used(pass, gate.name, -1)
            add_wake(wakes, gate.name)
          end
        end
      else
        local parked = call('HGET', K.parked(root), one.address)
        local candidate = call('HGET', K.candidates(root), one.address)
        if parked then
          call('HDEL', K.parked(root), one.address)
          if sub(parked, 1, 1) == 'g' then
            call('ZREM', K.parked_at(root, sub(parked, 10)), one.address)
            forget_fair(root, sub(parked, 10))
            TIES.forget_limits(root, { sub(parked, 10) })
          end
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
        if one.fate == 'end' then gone[#gone + 1] = one.address end
      end
      if one.is_unbound and one.fate ~= 'end' then put(bound, one.address, one.ties) end
    end
  end
  hset_short(K.ties(root), bound, #bound)
  drop_lapses(root, ended)
  variadic('HDEL', K.ties(root), gone, 1, #gone)
  write_gates(root, pass)
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
