--- Tied lanes: the fast path of what is tied to gates alone, so that a limit costs little more than none.
--
--   list element  | 8 B address | 2 B n | n B tie record | enqueued bytes |
--
-- The number of a tied lane has its highest bit set: an address says by itself what stands behind it. What a claim lets
-- through takes its slots and keeps its tie record in its entry, which says what to give back. What meets a full gate, or
-- goes on in any other way than by completing, becomes an Operation of the full path there and then, with its tie record
-- in `t`. A Queue with such a lane is known by its mark among the Queues: '2', or '3' if it is paused.

TIES.TIED = 0x800000
TIES.PAUSED = { ['1'] = true, ['3'] = true }

--- Whether an address (or what begins with one) is of a tied lane.
function TIES.is_tied(address) return (string.byte(address) or 0) >= 128 end

--- Marks a Queue as one with a tied lane; answers whether it was not. `only_asks`: changes nothing.
function TIES.note_tied(root, queue, only_asks)
  local mark = call('HGET', K.queues(root), queue)
  if mark == '2' or mark == '3' then return false end
  if not only_asks then call('HSET', K.queues(root), queue, mark == '1' and '3' or '2') end
  return true
end

--- What stands behind the address at place `at` of a fast element (1) or entry (11): its tie record, or nil, and its
--- enqueued bytes. The only one who knows, but for those who look for a known head in its place (TIES.met).
function TIES.behind(bytes, at)
  if string.byte(bytes, at) < 128 then return nil, sub(bytes, at + 8) end
  local n = unpack_bytes('>I2', bytes, at + 8)
  return sub(bytes, at + 10, at + 9 + n), sub(bytes, at + 10 + n)
end

--- Ties by what stands between address and enqueued bytes, for later calls; about KNOWN_MAX of them. Such a tie has at its
--- places 1, 2, … name, slots and cell of each gate that has slots: what is looked at most lies side by side. `cells`: by
--- gate, the one place where a call notes what it wants of it (TIES.new_tally).
TIES.heads, TIES.head_count, TIES.cells = {}, 0, {}

--- Before a call looks at heads, and not in between: a gate has one cell for all who are counted together.
function TIES.make_room()
  if TIES.head_count < TIES.KNOWN_MAX then return end
  TIES.heads, TIES.head_count, TIES.cells, TIES.known, TIES.known_count = {}, 0, {}, {}, 0
end

--- Adds a gate with slots to ties.
function TIES.add_slots(tie, name, slots)
  local cell = TIES.cells[name]
  if not cell then
    cell = { 0, 0 }
    TIES.cells[name] = cell
  end
  put(tie, name, slots)
  tie[#tie + 1] = cell
end

--- What most heads are, gates with slots alone: no more is kept of it than their names and numbers. Of a key there are many,
--- not all are known, and what is known is in the way of the rest in the processor's memory. Else nil.
function TIES.read_slots(head)
  if #head < 10 then return nil end
  local no_more, slots, n = unpack_bytes('>I2I4B', head, 3)
  local tie, at, last = {}, 5, #head
  if no_more ~= 0 then return nil end
  while slots > 0 and n > 0 do
    TIES.add_slots(tie, sub(head, at + 5, at + 4 + n), slots)
    at = at + 5 + n
    if at == last + 1 then return tie end
    if at + 4 > last then return nil end
    slots, n = unpack_bytes('>I4B', head, at)
  end
  return nil
end

--- Such ties with all that TIES.read says, for who looks at more than that.
function TIES.whole(tie)
  if tie.gates then return tie end
  local gates = {}
  for at = 1, #tie, 3 do gates[#gates + 1] = { name = tie[at], slots = tie[at + 1] } end
  tie.key, tie.line, tie.gates, tie.only = '', '', gates, #gates == 1 and gates[1] or nil
  return tie
end

--- Reads such a head into ties; nil if it is malformed, or ties to anything but gates.
function TIES.learn(head)
  local tie = TIES.read_slots(head)
  if not tie then
    if #head < 4 then return nil end
    local record, cache = sub(head, 3), {}
    if not TIES.is_tie(cache, record) then return nil end
    tie = cache[record]
    if tie.key ~= '' or tie.line ~= '' or tie.flow or tie.has_full or #tie.gates == 0 then return nil end
    for _, gate in ipairs(tie[1] and {} or tie.gates) do
      if not gate.every then TIES.add_slots(tie, gate.name, gate.slots) end
    end
  end
  TIES.heads[head], TIES.head_count = tie, TIES.head_count + 1
  return tie
end

--- The ties behind the address at place `at`, or nil if they are malformed; and where they end. Who walks over many
--- tries the end of the neighbour first: a head that is known by its bytes is known by its length, too.
function TIES.met(bytes, at)
  local high, low = string.byte(bytes, at + 8, at + 9)
  if not low then return nil, at + 9 end
  local to = at + 9 + 256 * high + low
  if #bytes < to then return nil, to end
  local head = sub(bytes, at + 8, to)
  return TIES.heads[head] or TIES.learn(head), to
end

--- The tie record of an entry, or nil.
function TIES.of_entry(entry)
  if #entry <= BARE_ENTRY then return nil end
  return (TIES.behind(entry, ENTRY_HEAD + 1))
end

--- The ties of an enqueue's elements, args[5..]: each that differs from the one before, and the place where it begins; none
--- if they are not `asked`, for nobody needs them; nil if an element is malformed.
function TIES.of_batch(args, asked)
  TIES.make_room()
  local heads, ties, places, g, to, last = TIES.heads, {}, {}, 0, 0, nil
  for i = 5, #args do
    local element = args[i]
    local tie = heads[sub(element, 9, to)]
    if not tie then
      tie, to = TIES.met(element, 1)
      if not tie then return nil end
    end
    if #element <= to then return nil end
    if asked and tie ~= last then
      g, last = g + 1, tie
      ties[g], places[g] = tie, i
    end
  end
  return ties, places
end

--- What was enqueued says how many slots its gates have: all but what ends before args[from].
function TIES.renew_batch(root, ties, places, from)
  local gated = {}
  for g = 1, #ties do
    if ties[g][1] and (not places[g + 1] or places[g + 1] > from) then gated[#gated + 1] = ties[g] end
  end
  if #gated == 0 then return end
  if call('EXISTS', K.parked(root)) == 0 then return TIES.renew_used(root, gated) end
  local pass, moves = new_pass(now_ms(root)), new_moves()
  for g = 1, #gated do TIES.whole(gated[g]) end
  look_at_gates(root, pass, gated)
  for g = 1, #gated do TIES.renew_limits(root, moves, pass, gated[g].gates) end
  commit(root, moves)
end

--- The same where nothing is parked, so that nobody goes on by it: all gates at once.
function TIES.renew_used(root, ties)
  local names, said, renewed = {}, {}, {}
  for g = 1, #ties do
    local tie = ties[g]
    for at = 1, #tie, 3 do
      local name = tie[at]
      if not said[name] then names[#names + 1] = name end
      said[name] = tie[at + 1]
    end
  end
  local used, known = hmget(K.slots(root), names, 1, #names), hmget(K.limits(root), names, 1, #names)
  for k = 1, #names do
    local name = names[k]
    if used[k] and tonumber(known[k]) ~= said[name] then put(renewed, name, TIES.texts[said[name]] or TIES.text_of(said[name])) end
  end
  hset_short(K.limits(root), renewed, #renewed)
end

--- What a call wants of slots. `new_tally` begins anew, `want` adds what ties want, so many times, and `wanted` answers names
--- of gates, how many of each, the smallest number of slots that is said of it, and how many gates. The lists are made once:
--- what is beyond that is of calls before. The cell of a gate says by the number of the tally whether it was met, and where
--- it stands.
do
  local names, by, least, n, number = {}, {}, {}, 0, 0

  function TIES.new_tally()
    TIES.make_room()
    n, number = 0, number + 1
  end

  function TIES.want(tie, times)
    local at, name = 1, tie[1]
    while name do
      local slots, cell = tie[at + 1], tie[at + 2]
      if cell[1] == number then
        local k = cell[2]
        by[k] = by[k] + times
        if slots < least[k] then least[k] = slots end
      else
        n = n + 1
        cell[1], cell[2] = number, n
        names[n], by[n], least[n] = name, times, slots
      end
      at = at + 3
      name = tie[at]
    end
  end

  function TIES.wanted() return names, by, least, n end
end

--- Writes how many slots of each gate are taken. Answers the gates where none is, any more, and how many those are: in a
--- list that the next call writes over.
TIES.used, TIES.free = {}, {}

function TIES.write_slots(root, names, counts, n)
  local used, free, u, f, texts = TIES.used, TIES.free, 0, 0, TIES.texts
  for k = 1, n do
    local count = counts[k]
    if count > 0 then
      used[u + 1], used[u + 2] = names[k], texts[count] or TIES.text_of(count)
      u = u + 2
    else
      f = f + 1
      free[f] = names[k]
    end
  end
  hset_short(K.slots(root), used, u)
  variadic('HDEL', K.slots(root), free, 1, f)
  return free, f
end

--- Lets a whole popped batch through, if nothing of it is bare and each gate has room for all; else changes nothing.
function TIES.all_through(root, pass, batch)
  if pass.has_looked then return false end
  TIES.new_tally()
  local want = TIES.want
  local byte, heads, number, to, last = string.byte, TIES.heads, 0, 0, nil
  for i = 1, #batch do
    local element = batch[i]
    if #element == 8 then return false end
    if byte(element) >= 128 then
      local tie = heads[sub(element, 9, to)]
      if not tie then tie, to = TIES.met(element, 1) end
      if tie == last then
        number = number + 1
      elseif not tie or tie.has_paces then
        return false
      else
        if last then want(last, number) end
        number, last = 1, tie
      end
    end
  end
  if not last then return true end
  want(last, number)
  local names, counts, least, n = TIES.wanted()
  local taken, known = hmget(K.slots(root), names, 1, n), TIES.numbers
  for k = 1, n do
    local text = taken[k]
    if text then counts[k] = counts[k] + (known[text] or TIES.number_of(text)) end
  end
  local has_limits = TIES.read_limits(root, pass, names, n)
  TIES.look_at_live(root, pass, names, n)
  local live, limits = pass.live, pass.limits
  for k = 1, n do
    local slots, name = least[k], names[k]
    if has_limits then slots = limits[name] or slots end
    if pass.has_live then slots = live[name] and live[name].slots or slots end
    if counts[k] > slots then return false end
  end
  TIES.write_slots(root, names, counts, n)
  return true
end

--- Of a popped batch without bare addresses, what may run; the rest is parked. `ties` by place, nil where there are none.
function TIES.through_fast(root, pass, queue, batch, ties, met)
  look_at_gates(root, pass, met)
  local counts, changed, now = pass.counts, pass.changed, pass.now
  local kept, n = nil, 0
  -- A gate that is the only one of its ties is counted aside, from the first to the last of neighbours.
  local last, name, value, limit, lead, every, is_open
  for i = 1, #batch do
    local tie, may_pass = ties[i], true
    if tie then
      if tie ~= last then
        if lead then
          pass.taken[name], pass.paced[name] = value, true
        elseif name then
          counts[name], changed[name] = value, true
        end
        local gate = tie.only
        last, name, lead, is_open = tie, gate and gate.name, nil, false
        if gate and gate.every then
          local pace = TIES.pace_of(pass, gate)
          every = pace.every
          if every > 0 then
            lead, value = (pace.burst - 1) * every, pass.taken[name]
          else
            is_open, name = true, nil
          end
        elseif gate then
          value, limit = counts[name], TIES.slots_of(pass, gate)
        end
      end
      if is_open then
        may_pass = true
      elseif lead and value - lead <= now then
        value = value + every
      elseif not lead and name and value < limit then
        value = value + 1
      else
        if lead then
          pass.taken[name], pass.paced[name] = value, true
        elseif name then
          counts[name], changed[name] = value, true
        end
        last, name, lead = nil, nil, nil
        may_pass = passes(root, pass, sub(batch[i], 1, 8), tie, false)
        if not may_pass then TIES.own_parked(pass, queue, batch[i]) end
      end
    end
    if may_pass then
      n = n + 1
      if kept then kept[n] = batch[i] end
    elseif not kept then
      kept = {}
      for k = 1, n do kept[k] = batch[k] end
    end
  end
  if lead then
    pass.taken[name], pass.paced[name] = value, true
  elseif name then
    counts[name], changed[name] = value, true
  end
  return kept or batch
end

--- What was parked from a tied lane has a record of its own from now on, and lies below its lane's claimed mark.
function TIES.own_parked(pass, queue, element)
  local address = sub(element, 1, 8)
  local record, body = TIES.behind(element, 1)
  put(pass.statics, address, write_static(queue, 0, body))
  put(pass.bound, address, record)
  pass.marks[sub(address, 1, 3)] = address
end

--- Raises the claimed marks of lanes over what was parked: those in `highest`, which are yet to be written, or else at
--- once.
function TIES.mark_parked(root, pass, highest)
  local alone = {}
  for lane, address in pairs(pass.marks) do
    local other = highest[lane]
    if other == nil then
      alone[lane] = address
    elseif not other or unpack_bytes('>I5', other, 4) < unpack_bytes('>I5', address, 4) then
      highest[lane] = address
    end
  end
  raise_claimed(root, alone)
end

--- What completed on tied lanes gives its slots back, and what waited for them moves on.
function TIES.give_back(root)
  local names, by, counts, n = TIES.wanted()
  if n == 0 then return end
  local taken, known = hmget(K.slots(root), names, 1, n), TIES.numbers
  for k = 1, n do
    local text = taken[k]
    counts[k] = text and (known[text] or TIES.number_of(text)) - by[k] or 0
  end
  local free, idle = TIES.write_slots(root, names, counts, n)
  if call('EXISTS', K.parked(root), K.limits(root)) == 0 then return end
  -- Where nothing is parked, a gate is idle that has no slot taken.
  if call('EXISTS', K.parked(root)) == 0 then
    variadic('HDEL', K.limits(root), free, 1, idle)
    return
  end
  local wakes, woken = {}, {}
  for k = 1, n do
    wakes[k] = names[k]
    wakes[names[k]] = by[k]
  end
  let_on(root, wakes, woken)
  if #woken > 0 then
    local moves = new_moves()
    put_woken(root, moves, woken)
    commit(root, moves)
  end
end

--- How many elements of a list are looked through for one that waits there, at most.
TIES.LOOKS = 2000

--- The tie record of an element that waits on the list of a tied lane; nil if it does not, or stands further back.
function TIES.of_waiting(root, address)
  local lane = call('HGET', K.marks(root), sub(address, 1, 3))
  if not lane or call('HEXISTS', K.withdrawn(root), address) == 1 then return nil end
  local accepted, claimed, queue = read_lane(lane)
  local counter = unpack_bytes('>I5', address, 4)
  if counter <= claimed or counter > accepted then return nil end
  for from = 0, TIES.LOOKS - 1, 1000 do
    local page = call('LRANGE', K.ready(root, queue, 0), from, from + 999)
    for _, element in ipairs(page) do
      if #element > 8 and sub(element, 1, 8) == address then return (TIES.behind(element, 1)) end
    end
    if #page < 1000 then return nil end
  end
end

--- The tie record of an Operation that has not ended, wherever it is kept; or nil.
function TIES.find(root, address)
  local record = call('HGET', K.ties(root), address)
  if record or not TIES.is_tied(address) then return record or nil end
  if call('HEXISTS', K.operations(root), address) == 1 then return nil end
  for _, owner in ipairs(call('HKEYS', K.owners(root))) do
    local entry = call('HGET', K.flight(root, owner), address)
    if entry then return TIES.of_entry(entry) end
  end
  return TIES.of_waiting(root, address)
end
