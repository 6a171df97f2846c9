--- What must be true of ties: check.lua walks these parts like its own, and mends what it finds in the same call.
local SOUND = { RECOUNT_MAX = 2000, CANDIDATES_MAX = 2000 }

--- Notes a finding; answers whether it is to be mended.
function SOUND.note(run, kind, address, about)
  run.findings[#run.findings + 1] = { kind, address or '', about or '' }
  return run.mend
end

--- A page of a hash: fields, values, and where to go on.
function SOUND.page(run, key, place)
  local page = call('HSCAN', key, string.match(place, '^%d+$') or '0', 'COUNT', run.max)
  local fields, values = {}, {}
  for i = 1, #page[2], 2 do
    fields[#fields + 1] = page[2][i]
    values[#values + 1] = page[2][i + 1]
  end
  run.looked = run.looked + #fields
  return fields, values, page[1] == '0' and '' or page[1]
end

--- Lets the first of a line go on if nothing else keeps it, and whatever is in `woken`.
function SOUND.move(run, line, woken)
  local moves = new_moves()
  if line then advance(run.root, moves, line, woken, run.now) end
  if #woken > 0 then put_woken(run.root, moves, woken) end
  commit(run.root, moves, run.now)
end

--- Takes one away from where it is parked.
function SOUND.unpark(root, address, parked)
  call('HDEL', K.parked(root), address)
  if sub(parked, 1, 1) ~= 'g' then return end
  call('ZREM', K.parked_at(root, sub(parked, 10)), address)
  forget_fair(root, sub(parked, 10))
end

--- Puts one that goes on behind the others of its line, wherever it waits.
function SOUND.park_in_line(run, one, line)
  local root, address = run.root, one.address
  local due = tonumber(one.due) or 0
  if one.parked then SOUND.unpark(root, address, one.parked) end
  if one.due then call('ZREM', K.due(root), address) end
  local queue, priority = read_static(one.static)
  local name = K.ready(root, queue, priority)
  if call('LREM', name, 1, address) > 0 and priority ~= 0 and call('EXISTS', name) == 0 then
    call('ZREM', K.priorities(root, queue), priority)
  end
  call('HDEL', K.candidates(root), address)
  call('HSET', K.parked(root), address, 'l' .. pack('>d', due) .. line)
end

--- What a line says of one that is in it, or should be.
function SOUND.in_line(run, one, line)
  local root, address = run.root, one.address
  local key = K.line(root, line)
  local rank = call('ZRANK', key, address)
  local is_parked = one.parked and sub(one.parked, 1, 1) == 'l'
  if one.dead then
    if rank and SOUND.note(run, 'line_stale', address, line) then
      call('ZREM', key, address)
      SOUND.move(run, line, {})
    end
  elseif not rank then
    if SOUND.note(run, 'line_missing', address, line) then
      local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
      call('ZADD', key, (is_parked or not first) and next_ticket(root) or tonumber(first) - 1, address)
      SOUND.move(run, line, {})
    end
  elseif rank > 0 and not is_parked and not one.holder then
    if SOUND.note(run, 'line_ahead', address, line) then SOUND.park_in_line(run, one, line) end
  elseif rank == 0 and is_parked and SOUND.note(run, 'line_stuck', address, line) then
    SOUND.move(run, line, {})
  end
end

--- Whoever stands at the head of a line without being tied to it.
function SOUND.line_head(run, line)
  local root, gone = run.root, false
  for _ = 1, run.max do
    local first = call('ZRANGE', K.line(root, line), 0, 0)[1]
    if not first or call('HEXISTS', K.ties(root), first) == 1 then break end
    if not SOUND.note(run, 'line_stale', first, line) then return end
    call('ZREM', K.line(root, line), first)
    gone = true
  end
  if gone then SOUND.move(run, line, {}) end
end

--- Enters a fair gate among those of its Queue that claims look at; answers whether it had to.
function SOUND.show_fair(root, gate, is_mending)
  if sub(gate, 1, 1) ~= '~' then return false end
  local queue, priority = string.match(gate, '^~(.*):(-?%d+)$')
  if call('ZSCORE', K.fair(root, queue), priority) then return false end
  if is_mending then
    call('ZADD', K.fair(root, queue), priority, priority)
    ring(root, 'b', queue, tonumber(priority))
  end
  return true
end

--- What a tied Operation is parked at, and what it is a candidate of.
function SOUND.at_gates(run, one, gates, flow)
  local root, address, parked = run.root, one.address, one.parked
  local is_elsewhere = one.holder or one.due or one.dead
  local at = parked and sub(parked, 1, 1) == 'g' and sub(parked, 10)
  if parked and is_elsewhere then
    if SOUND.note(run, 'parked_elsewhere', address) then
      SOUND.unpark(root, address, parked)
      one.parked, at = false, nil
    end
  elseif at and not call('ZSCORE', K.parked_at(root, at), address) and SOUND.note(run, 'parked_missing', address, at) then
    call('ZADD', K.parked_at(root, at), string.format('%.17g', (unpack_bytes(flow and '>d' or '>I8', parked, 2))), address)
    SOUND.show_fair(root, at, true)
  end
  for _, gate in ipairs(gates) do
    local name = K.parked_at(root, gate.name)
    if gate.name ~= at and call('ZSCORE', name, address) and SOUND.note(run, 'parked_stale', address, gate.name) then
      call('ZREM', name, address)
    end
  end
  -- At a fair gate a candidate waits as others do on their lists.
  local is_kept = one.parked and not (at and sub(at, 1, 1) == '~')
  if one.candidate and (is_elsewhere or is_kept) and SOUND.note(run, 'candidate_stale', address) then
    call('HDEL', K.candidates(root), address)
  end
end

--- Tied Operations one by one: where they are kept, and their place in a line.
function SOUND.ties(run, place)
  local root = run.root
  local addresses, records, rest = SOUND.page(run, K.ties(root), place)
  local n, lines = #addresses, {}
  local statics = hmget(K.operations(root), addresses, 1, n)
  local due, dead = read_many('ZMSCORE', K.due(root), addresses, 1, n), read_many('ZMSCORE', K.dead(root), addresses, 1, n)
  local parked, candidates = hmget(K.parked(root), addresses, 1, n), hmget(K.candidates(root), addresses, 1, n)
  local holders = run.holders_of(root, addresses)
  for i, address in ipairs(addresses) do
    if not statics[i] then
      if SOUND.note(run, 'tie_recordless', address) then call('HDEL', K.ties(root), address) end
    else
      local one = { address = address, static = statics[i], due = due[i], dead = dead[i], parked = parked[i],
        candidate = candidates[i], holder = holders[i][1] }
      local _, line, gates, flow = read_ties(records[i])
      SOUND.at_gates(run, one, gates, flow)
      if line ~= '' then
        if not lines[line] then SOUND.line_head(run, line) end
        lines[line] = true
        SOUND.in_line(run, one, line)
      end
    end
  end
  return rest
end

--- What is parked without a record, or without being tied.
function SOUND.parked(run, place)
  local root = run.root
  local addresses, records, rest = SOUND.page(run, K.parked(root), place)
  local statics = hmget(K.operations(root), addresses, 1, #addresses)
  local ties = hmget(K.ties(root), addresses, 1, #addresses)
  for i, address in ipairs(addresses) do
    local name = sub(records[i], 10)
    if not statics[i] then
      if SOUND.note(run, 'parked_recordless', address, name) then SOUND.unpark(root, address, records[i]) end
    elseif not ties[i] and SOUND.note(run, 'parked_tieless', address, name) then
      SOUND.unpark(root, address, records[i])
      SOUND.move(run, nil, { address })
    end
  end
  return rest
end

--- Candidates without a record or ties.
function SOUND.candidates(run, place)
  local root = run.root
  local addresses, _, rest = SOUND.page(run, K.candidates(root), place)
  for i, record in ipairs(hmget(K.ties(root), addresses, 1, #addresses)) do
    if not record and SOUND.note(run, 'candidate_stale', addresses[i]) then
      call('HDEL', K.candidates(root), addresses[i])
    end
  end
  return rest
end

--- Slots taken, against what runs; not where more runs than one call can count.
function SOUND.slots(run)
  local root, held, used = run.root, 0, {}
  local owners = call('HKEYS', K.owners(root))
  for _, owner in ipairs(owners) do held = held + call('HLEN', K.flight(root, owner)) end
  if held > SOUND.RECOUNT_MAX or call('HLEN', K.slots(root)) > SOUND.RECOUNT_MAX then return '' end
  run.looked = run.looked + held
  for _, owner in ipairs(owners) do
    local held, addresses = all_held(root, owner), {}
    for i, one in ipairs(held) do addresses[i] = one.address end
    for i, record in ipairs(hmget(K.ties(root), addresses, 1, #addresses)) do
      local _, _, gates = read_ties(record or TIES.of_entry(held[i].entry) or '\0\0')
      for _, gate in ipairs(gates) do
        if not gate.every then used[gate.name] = (used[gate.name] or 0) + 1 end
      end
    end
  end
  local stored = call('HGETALL', K.slots(root))
  local known = {}
  for i = 1, #stored, 2 do known[stored[i]] = tonumber(stored[i + 1]) end
  for gate, count in pairs(used) do known[gate] = known[gate] or 0 end
  for gate, count in pairs(known) do
    local right = used[gate] or 0
    if right ~= count and SOUND.note(run, 'slots_count', '', gate) then
      if right > 0 then call('HSET', K.slots(root), gate, right) else call('HDEL', K.slots(root), gate) end
    end
  end
  return ''
end

--- Whether a gate lets on as many as it has room for.
function SOUND.gate(run, name, candidates)
  local root, key = run.root, K.parked_at(run.root, name)
  local first, gate
  for _ = 1, run.max do
    first = call('ZRANGE', key, 0, 0)[1]
    local parked = first and call('HGET', K.parked(root), first)
    if not first or parked and sub(parked, 1, 1) == 'g' and sub(parked, 10) == name then break end
    if not SOUND.note(run, 'parked_stale', first, name) then return end
    call('ZREM', key, first)
  end
  if first and SOUND.show_fair(root, name, false) and SOUND.note(run, 'fair_hidden', '', name) then
    SOUND.show_fair(root, name, true)
  end
  gate = TIES.gate_said(root, first, name)
  if not gate then return end
  local pass = new_pass(run.now)
  look_at_gates(root, pass, { { gates = { gate } } })
  if gate.every then
    if not call('ZSCORE', K.opening(root), name) and SOUND.note(run, 'pace_hidden', '', name) then
      call('ZADD', K.opening(root), string.format('%.17g', opens_at(pass, gate)), name)
      ring(root, 'd', due_in(root))
    end
    return
  end
  local free = TIES.slots_of(pass, gate) - pass.counts[name]
  local missing = math.min(free - (candidates[name] or 0), call('ZCARD', key))
  -- What a live limit has changed is let on a part at a time.
  if missing > 0 and call('EXISTS', K.settling(root)) == 0 and SOUND.note(run, 'gate_idle', '', name) then
    local woken = {}
    let_on(root, { name, [name] = math.min(missing, run.max) }, woken)
    SOUND.move(run, nil, woken)
  end
end

--- Gates where something is parked.
function SOUND.gates(run, place)
  local root, seen = run.root, {}
  local _, records, rest = SOUND.page(run, K.parked(root), place)
  if call('HLEN', K.candidates(root)) > SOUND.CANDIDATES_MAX then return rest end
  local candidates = TIES.candidates_by_gate(root)
  for _, record in ipairs(records) do
    local name = sub(record, 10)
    if sub(record, 1, 1) == 'g' and not seen[name] then
      seen[name] = true
      SOUND.gate(run, name, candidates)
    end
  end
  return rest
end

--- Live limits: their numbers can be read.
function SOUND.live(run, place)
  local root = run.root
  local names, records, rest = SOUND.page(run, K.live(root), place)
  for i, record in ipairs(records) do
    if not TIES.read_live(record) and SOUND.note(run, 'live_unread', '', names[i]) then
      call('HDEL', K.live(root), names[i])
      TIES.begin_settling(root, names[i], 'k0')
    end
  end
  return rest
end

--- Keys: their holders live and know of them, or they are to expire.
function SOUND.keys(run, place)
  local root = run.root
  local names, records, rest = SOUND.page(run, K.keys(root), place)
  local addresses = {}
  for i, record in ipairs(records) do addresses[i] = sub(record, 2, 9) end
  local n = #addresses
  local ties, statics = hmget(K.ties(root), addresses, 1, n), hmget(K.operations(root), addresses, 1, n)
  local dead = read_many('ZMSCORE', K.dead(root), addresses, 1, n)
  for i, record in ipairs(records) do
    local name, address = names[i], addresses[i]
    if sub(record, 1, 1) == 'l' then
      local is_held = ties[i] and statics[i] and not dead[i] and read_ties(ties[i]) == name
      if not is_held and SOUND.note(run, 'key_stale', address, name) then call('HDEL', K.keys(root), name) end
    elseif not call('ZSCORE', K.expiries(root), address .. name) and SOUND.note(run, 'key_unending', address, name) then
      call('ZADD', K.expiries(root), (unpack_bytes('>I6', record, 18)), address .. name)
    end
  end
  return rest
end

--- Expiries of keys that are not there, or somebody else's.
function SOUND.expiries(run, place)
  local root = run.root
  local members, rest = LIST.scored(K.expiries(root), place, run.max)
  run.looked = run.looked + #members
  for _, member in ipairs(members) do
    local record = call('HGET', K.keys(root), sub(member, 9))
    if (not record or sub(record, 1, 9) ~= 'e' .. sub(member, 1, 8))
      and SOUND.note(run, 'key_expiry', sub(member, 1, 8), sub(member, 9)) then
      call('ZREM', K.expiries(root), member)
    end
  end
  return rest
end

--- Lapse records: of what has not ended, and planned for their time until they have marked what runs.
function SOUND.lapses(run, place)
  local root = run.root
  local addresses, records, rest = SOUND.page(run, K.lapses(root), place)
  local n = #addresses
  local statics, holders = hmget(K.operations(root), addresses, 1, n), run.holders_of(root, addresses)
  local dead = read_many('ZMSCORE', K.dead(root), addresses, 1, n)
  local times = read_many('ZMSCORE', K.lapsing(root), addresses, 1, n)
  for i, address in ipairs(addresses) do
    local holder, at = holders[i][1], lapses_at(records[i])
    if not statics[i] or dead[i] then
      if SOUND.note(run, 'lapse_stale', address) then drop_lapses(root, { address }) end
    elseif tonumber(times[i] or NEVER) ~= at then
      local is_marked = not times[i] and holder and call('HEXISTS', K.cancels(root, holder.owner), address) == 1
      if not is_marked and SOUND.note(run, 'lapse_time', address) then
        call('ZADD', K.lapsing(root), string.format('%.17g', at), address)
        ring(root, 'd', due_in(root))
      end
    end
  end
  return rest
end

--- Times of what lapses that have no record.
function SOUND.lapsing(run, place)
  local root = run.root
  local addresses, rest = LIST.scored(K.lapsing(root), place, run.max)
  run.looked = run.looked + #addresses
  for i, record in ipairs(hmget(K.lapses(root), addresses, 1, #addresses)) do
    if not record and SOUND.note(run, 'lapse_recordless', addresses[i]) then
      call('ZREM', K.lapsing(root), addresses[i])
    end
  end
  return rest
end
