--- Full gates that do more than keep one waiting: who ends for meeting one, and whose place goes to who came.
--
-- Only newcomers are judged: what has run in this generation waits like others. What a call meets is noted in `pass.met`, as
-- { address, gate, does }, and dealt with at its end.

--- What full gates mean for a newcomer: `end`, `displace` or `wait`, and which gate says so; nil if none is full.
function TIES.judge(pass, gates)
  local waits, displaces = nil, nil
  for i = 1, #gates do
    local gate = gates[i]
    if is_full(pass, gate) then
      if not gate.full then
        waits = waits or gate
      elseif gate.full ~= 3 then
        return 'end', gate
      else
        displaces = displaces or gate
      end
    end
  end
  if waits then return 'wait', waits end
  return displaces and 'displace', displaces
end

--- Whether one that was let on from a gate, by its record as a candidate, had its cancel there already, or waits its turn.
function TIES.had_its_cancel(gates, candidate)
  local name = candidate and sub(candidate, 9)
  for i = 1, name and #gates or 0 do
    if gates[i].name == name and gates[i].full == 3 then return true end
  end
  return false
end

--- Notes what full gates do to one that met them, `closed` being the first; answers the one it is parked at, nil if it ends.
function TIES.meet(root, pass, address, tie, candidate, closed)
  local meta = call('HGET', K.metas(root), address)
  if meta and unpack_bytes('>I4', meta, 13) > 0 then return closed end
  local does, gate = TIES.judge(pass, tie.gates)
  if does == 'wait' then return gate end
  if does == 'end' or not TIES.had_its_cancel(tie.gates, candidate) then
    pass.met = pass.met or {}
    pass.met[#pass.met + 1] = { address = address, gate = gate, does = does }
  end
  if does == 'displace' then return gate end
  if candidate then add_wake(pass.wakes, sub(candidate, 9)) end
  return nil
end

--- Ends one that is enqueued, has no ties but gates and might go on at once, if it meets a full one that ends it; answers
--- whether. `moves` are to be written with ID_MEMORY_MS.
function TIES.ends_at_once(moves, pass, address, tie, now)
  if not tie.has_full then return false end
  local does, gate = TIES.judge(pass, tie.gates)
  if does ~= 'end' then return false end
  put_finished(moves, address, gate.full == 1 and 'k' or 'x', read_meta(false), 0, gate.value, now)
  count(moves, gate.full == 1 and 'skipped' or 'cancelled')
  return true
end

--- Whether one that is enqueued and might go on at once ends instead, or is parked in another's place.
function TIES.stops(pass, tie)
  local does = TIES.judge(pass, tie.gates)
  return does == 'end' or does == 'displace' and not tie.flow
end

--- The same one, written already: ends or parks it. Answers the addresses of what ended.
function TIES.stop(root, address, tie, now)
  local pass = new_pass(now)
  look_at_gates(root, pass, { tie })
  passes(root, pass, address, tie, false)
  write_gates(root, pass)
  return pass.met and TIES.settle_met(root, pass, nil, {}) or {}
end

--- Ends what waits and is on no list: each of `list` at its `gate`; adds the addresses to `gone`.
function TIES.end_met(root, list, now, gone)
  if #list == 0 then return end
  local addresses, moves, loose = {}, new_moves(), {}
  for i, one in ipairs(list) do
    addresses[i] = one.address
    put(gone, one.address)
  end
  local metas, ties = hmget(K.metas(root), addresses, 1, #list), hmget(K.ties(root), addresses, 1, #list)
  for i, one in ipairs(list) do
    local meta = read_meta(metas[i])
    local element = { address = one.address, ties = ties[i], is_skipped = one.gate.full == 1 }
    end_cancelled(moves, element, meta, meta.attempts, one.gate.value, now)
    loose[i] = element
  end
  untie(root, moves, loose, now)
  commit(root, moves, now, ID_MEMORY_MS)
end

--- By gate, who has a slot of one of `names` (a list, and by name true) and was not told to end, oldest first; those that
--- `owner` claims just now stand in `elements`.
function TIES.unmarked(root, names, owner, elements)
  local found, addresses = {}, {}
  for _, name in ipairs(names) do found[name] = {} end
  local only = #names == 1 and names[1] or nil
  local function held_in(record)
    if not record or only and not string.find(record, only, 1, true) then return nil end
    local _, _, gates = read_ties(record)
    local held
    for _, gate in ipairs(gates) do
      if names[gate.name] then held = held or {}; held[#held + 1] = gate.name end
    end
    return held
  end
  local function note(held, one)
    for _, name in ipairs(held) do
      local list = found[name]
      if list[#list] ~= one then put(list, one) end
    end
  end
  for _, other in ipairs(call('HKEYS', K.owners(root))) do
    local held = call('HKEYS', K.flight(root, other))
    local ties, marks = hmget(K.ties(root), held, 1, #held), hmget(K.cancels(root, other), held, 1, #held)
    for i, address in ipairs(held) do
      if not marks[i] and (ties[i] or TIES.is_tied(address)) then
        local at = ties[i] and held_in(ties[i])
        local entry = (not ties[i] or at) and call('HGET', K.flight(root, other), address)
        if entry and not ties[i] then at = held_in(TIES.of_entry(entry)) end
        if entry and at then note(at, { address = address, owner = other, order = sub(entry, 1, ENTRY_HEAD) }) end
      end
    end
  end
  for _, name in ipairs(names) do table.sort(found[name], function(a, b) return a.order < b.order end) end
  for i, element in ipairs(elements) do addresses[i] = sub(element, 1, 8) end
  for i, record in ipairs(hmget(K.ties(root), addresses, 1, #addresses)) do
    local tied = #elements[i] > 8 and TIES.is_tied(addresses[i]) and TIES.behind(elements[i], 1)
    local at = held_in(record or tied)
    if at then note(at, { address = addresses[i], owner = owner }) end
  end
  return found
end

--- What is known of a gate while some are to have the places of others there: `pending` is who was not dealt with
--- yet, `n` and `parked` how many those are, and how many of them are parked.
function TIES.room_for(root, rooms, gate, holders, now)
  local room = rooms[gate.name]
  if room then return room end
  local pass = new_pass(now)
  look_at_gates(root, pass, { { gates = { gate } } })
  room = { slots = TIES.slots_of(pass, gate), holders = holders[gate.name], pending = {}, parked = 0, n = 0 }
  rooms[gate.name] = room
  return room
end

--- The first one parked at a gate that was there before those that came.
function TIES.first_before(root, name, room)
  for _, address in ipairs(call('ZRANGE', K.parked_at(root, name), 0, room.n)) do
    if not room.pending[address] then return address end
  end
end

--- Ends what met a full gate and is not to wait, then makes room for whom others are to go: the oldest that runs and was not
--- told to end is told, else the first that waits ends. Answers the addresses of what ended.
function TIES.settle_met(root, pass, owner, elements)
  local ends, comers, addresses, rooms, gone, told, now = {}, {}, {}, {}, {}, {}, pass.now
  for _, one in ipairs(pass.met) do
    local list = one.does == 'end' and ends or comers
    list[#list + 1] = one
    if one.does ~= 'end' then addresses[#comers] = one.address end
  end
  TIES.end_met(root, ends, now, gone)
  if #comers == 0 then return gone end
  local names = {}
  for _, one in ipairs(comers) do
    if not names[one.gate.name] then
      names[one.gate.name] = true
      names[#names + 1] = one.gate.name
    end
  end
  local holders = TIES.unmarked(root, names, owner, elements)
  for i, parked in ipairs(hmget(K.parked(root), addresses, 1, #addresses)) do
    local one = comers[i]
    local room = TIES.room_for(root, rooms, one.gate, holders, now)
    room.pending[one.address], room.n = true, room.n + 1
    one.is_parked = parked and sub(parked, 10) == one.gate.name
    if one.is_parked then room.parked = room.parked + 1 end
  end
  for _, one in ipairs(comers) do
    local name, room = one.gate.name, rooms[one.gate.name]
    local ahead = call('ZCARD', K.parked_at(root, name)) - room.parked
    if #room.holders + ahead >= room.slots then
      local oldest = table.remove(room.holders, 1)
      local first = not oldest and ahead > 0 and TIES.first_before(root, name, room)
      if oldest then
        call('HSETNX', K.cancels(root, oldest.owner), oldest.address, one.gate.value)
        told[oldest.owner] = true
      elseif first then
        TIES.end_met(root, { { address = first, gate = one.gate } }, now, gone)
      end
    end
    room.pending[one.address], room.n = nil, room.n - 1
    if one.is_parked then room.parked = room.parked - 1 end
  end
  for name in pairs(told) do ring(root, 'm', name) end
  return gone
end
