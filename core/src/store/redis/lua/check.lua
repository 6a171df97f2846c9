--- Looks for what contradicts itself, a part at a time; called as `mend`, also repairs what it finds in the same call.
-- root     the Segment
-- args     1 to mend · cursor, empty at the beginning, `suspects` for the dots that follow · most elements to look at ·
--          per suspect: lane name, counter (5 bytes)
-- returns  cursor, empty at the end · elements looked at · number of lanes · per lane: number, lane record · number of
--          findings · per finding: kind, address or empty, what it is about · then addresses: of what must be on a
--          list (parts `records` and `withdrawn`), of those met on one (part `ready`)
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   to mend: whatever is wrong
-- flags    no-writes, mend: allow-oom
-- cost     O(max × (slices + owners)); a Queue's priorities 2001 names; a suspect and a repair of a list O(its length)
local CHECK = {
  order = { 'lanes', 'names', 'queues', 'marks', 'held', 'records', 'metas', 'due', 'dead', 'slices', 'finished',
    'withdrawn', 'ready', 'waiters', 'slots', 'ties', 'parked', 'candidates', 'gates', 'live', 'keys', 'expiries',
    'lapses', 'lapsing' },
  RECOUNT_MAX = 10000,
}

local note = SOUND.note

--- A page of a hash: a flat list of field and value, and where to go on.
local function hash_page(run, key, place)
  local page = call('HSCAN', key, string.match(place, '^%d+$') or '0', 'COUNT', run.max)
  run.looked = run.looked + #page[2] / 2
  return page[2], page[1] == '0' and '' or page[1]
end

--- Who holds each of the addresses: lists of { owner, entry }.
local function holders_of(root, addresses)
  local holders = {}
  for i = 1, #addresses do holders[i] = {} end
  for _, owner in ipairs(call('HKEYS', K.owners(root))) do
    for i, entry in ipairs(hmget(K.flight(root, owner), addresses, 1, #addresses)) do
      if entry then holders[i][#holders[i] + 1] = { owner = owner, entry = entry } end
    end
  end
  return holders
end

--- Lanes: marks, names, Queues, and owners of whom only what they hold is left.
function CHECK.lanes(run, place)
  local root = run.root
  local page, rest = hash_page(run, K.marks(root), place)
  local last = tonumber(call('HGET', root, 'lanes') or 0)
  for i = 1, #page, 2 do
    local number, record = page[i], page[i + 1]
    local accepted, claimed, queue, name = read_lane(record)
    if claimed > accepted and note(run, 'lane_marks', '', name) then
      call('HSET', K.marks(root), number, pack('>I5', claimed) .. sub(record, 6))
    end
    if not call('HGET', K.lanes(root), name) and note(run, 'lane_name', '', name) then
      call('HSET', K.lanes(root), name, number)
    end
    local is_unmarked = TIES.is_tied(number) and TIES.note_tied(root, queue, true)
    if queue ~= '' and (is_unmarked or not call('HGET', K.queues(root), queue)) and note(run, 'lane_queue', '', queue) then
      call('HSETNX', K.queues(root), queue, '0')
      if is_unmarked then TIES.note_tied(root, queue) end
    end
    if unpack_bytes('>I3', number) % TIES.TIED > last then
      last = unpack_bytes('>I3', number) % TIES.TIED
      if note(run, 'lane_count', '', name) then call('HSET', root, 'lanes', last) end
    end
    local owner = string.match(name, '^(.*)%.') or name
    if call('EXISTS', K.flight(root, owner)) == 1 and not call('HGET', K.owners(root), owner)
      and note(run, 'owner_hidden', '', owner) then
      call('HSET', K.owners(root), owner, write_owner(0, 0, ZERO_TOKEN))
    end
  end
  return rest
end

--- Names of lanes that lead nowhere.
function CHECK.names(run, place)
  local page, rest = hash_page(run, K.lanes(run.root), place)
  for i = 1, #page, 2 do
    if not call('HGET', K.marks(run.root), page[i + 1]) and note(run, 'lane_gone', '', page[i]) then
      call('HDEL', K.lanes(run.root), page[i])
    end
  end
  return rest
end

--- The next name of a small hash behind a place, and the place to go on from: '' behind the last.
function CHECK.next_of(key, place)
  local names = call('HKEYS', key)
  table.sort(names)
  local at = 1
  while names[at] and names[at] <= place do at = at + 1 end
  return names[at], names[at + 1] and names[at] or ''
end

--- Queues one by one: priorities and their lists, the count of what is withdrawn.
function CHECK.queues(run, place)
  local root = run.root
  local queue, rest = CHECK.next_of(K.queues(root), place)
  if not queue then return '' end
  run.looked = run.looked + 1
  local known = {}
  for _, text in ipairs(call('ZRANGE', K.priorities(root, queue), 0, -1)) do
    known[tonumber(text)] = true
    if call('EXISTS', K.ready(root, queue, tonumber(text))) == 0 and note(run, 'priority_empty', '', queue .. ' ' .. text) then
      call('ZREM', K.priorities(root, queue), text)
    end
  end
  for priority = -1000, 1000 do
    if priority ~= 0 and not known[priority] and call('EXISTS', K.ready(root, queue, priority)) == 1
      and note(run, 'priority_hidden', '', queue .. ' ' .. priority) then
      call('ZADD', K.priorities(root, queue), priority, priority)
    end
  end
  if call('HLEN', K.withdrawn(root)) <= CHECK.RECOUNT_MAX then
    local count = 0
    for _, of in ipairs(call('HVALS', K.withdrawn(root))) do
      if of == queue then count = count + 1 end
    end
    if count ~= tonumber(call('HGET', K.withdrawn_counts(root), queue) or 0) and note(run, 'withdrawn_count', '', queue) then
      call('HSET', K.withdrawn_counts(root), queue, count)
    end
  end
  return rest
end

--- Cancel marks and progress of what an owner does not hold, owner by owner.
function CHECK.marks(run, place)
  local root = run.root
  local owner, rest = CHECK.next_of(K.owners(root), place)
  if not owner then return '' end
  for _, key in ipairs({ K.cancels(root, owner), K.progress(root, owner) }) do
    local marked = call('HKEYS', key)
    run.looked = run.looked + #marked
    for i, entry in ipairs(hmget(K.flight(root, owner), marked, 1, #marked)) do
      if not entry and note(run, 'mark_stale', marked[i], owner) then call('HDEL', key, marked[i]) end
    end
  end
  return rest
end

--- What runs: it has its record, one owner, no outcome, and is nowhere else.
function CHECK.held(run, place)
  local root = run.root
  local found, rest = LIST.running(root, place, run.max)
  local addresses = {}
  for i = 2, #found, 3 do addresses[#addresses + 1] = found[i] end
  local n = #addresses
  run.looked = run.looked + n
  local statics = hmget(K.operations(root), addresses, 1, n)
  local due, dead = read_many('ZMSCORE', K.due(root), addresses, 1, n), read_many('ZMSCORE', K.dead(root), addresses, 1, n)
  local finished, holders, lanes = find_finished(root, addresses), holders_of(root, addresses), lanes_of(root, addresses)
  for i, address in ipairs(addresses) do
    local owner, entry = found[3 * i - 2], found[3 * i]
    local is_fast, flight = #entry > BARE_ENTRY, K.flight(root, owner)
    local high, low = unpack_bytes('>I4I4', entry)
    local token, lane = high * 4294967296 + low, lanes[sub(address, 1, 3)]
    local is_mine = true
    for _, other in ipairs(holders[i]) do
      if other.owner ~= owner and sub(other.entry, 1, 8) > sub(entry, 1, 8) then is_mine = false end
    end
    if not is_mine then
      if note(run, 'held_twice', address, owner) then let_go(root, owner, { address }) end
    elseif not is_fast and not statics[i] then
      if note(run, 'held_recordless', address, owner) then call('HDEL', flight, address) end
    elseif finished[i] then
      if note(run, 'held_finished', address, owner) then let_go(root, owner, { address }) end
    else
      if due[i] and note(run, 'held_scheduled', address, owner) then call('ZREM', K.due(root), address) end
      if dead[i] and note(run, 'held_dead', address, owner) then call('ZREM', K.dead(root), address) end
      if is_fast and lane then
        local _, claimed = read_lane(lane)
        if unpack_bytes('>I5', address, 4) > claimed and note(run, 'held_unclaimed', address, owner) then
          raise_claimed(root, { [sub(address, 1, 3)] = address })
        end
      end
      if token > run.token then
        run.token = token
        if note(run, 'token_behind', address, owner) then call('HSET', root, 'token', string.format('%.0f', token)) end
      end
    end
  end
  return rest
end

--- Records of the full path: in one place, and not of what is over. Those in no place must be on a list.
function CHECK.records(run, place)
  local root = run.root
  local page, rest = hash_page(run, K.operations(root), place)
  local addresses = {}
  for i = 1, #page, 2 do addresses[#addresses + 1] = page[i] end
  local n = #addresses
  local due, dead = read_many('ZMSCORE', K.due(root), addresses, 1, n), read_many('ZMSCORE', K.dead(root), addresses, 1, n)
  local finished, holders = find_finished(root, addresses), holders_of(root, addresses)
  local metas, parked = hmget(K.metas(root), addresses, 1, n), hmget(K.parked(root), addresses, 1, n)
  for i, address in ipairs(addresses) do
    if #holders[i] == 0 then
      if finished[i] then
        if note(run, 'finished_alive', address) then
          call('HDEL', K.operations(root), address)
          call('HDEL', K.metas(root), address)
          call('ZREM', K.due(root), address)
          call('ZREM', K.dead(root), address)
        end
      elseif due[i] and dead[i] then
        if note(run, 'scheduled_dead', address) then
          call('ZREM', read_meta(metas[i]).finished > 0 and K.due(root) or K.dead(root), address)
        end
      elseif not due[i] and not dead[i] and not parked[i] then
        put(run.met, address)
      end
    end
  end
  return rest
end

--- Counters of what has no record.
function CHECK.metas(run, place)
  local page, rest = hash_page(run, K.metas(run.root), place)
  local addresses = {}
  for i = 1, #page, 2 do addresses[#addresses + 1] = page[i] end
  for i, static in ipairs(hmget(K.operations(run.root), addresses, 1, #addresses)) do
    if not static and note(run, 'counters_recordless', addresses[i]) then call('HDEL', K.metas(run.root), addresses[i]) end
  end
  return rest
end

local function check_scored(run, place, key, kind)
  local addresses, rest = LIST.scored(key, place, run.max)
  run.looked = run.looked + #addresses
  for i, static in ipairs(hmget(K.operations(run.root), addresses, 1, #addresses)) do
    if not static and note(run, kind, addresses[i]) then call('ZREM', key, addresses[i]) end
  end
  return rest
end

--- Due times of what has no record.
function CHECK.due(run, place) return check_scored(run, place, K.due(run.root), 'scheduled_recordless') end
--- Dead letters without a letter.
function CHECK.dead(run, place) return check_scored(run, place, K.dead(run.root), 'dead_recordless') end

--- When slices expire.
function CHECK.slices(run)
  local key = K.slices(run.root)
  local flat = call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #flat, 2 do
    local k, number = string.match(flat[i], '^(%d+):(%d+)$')
    local expiry = k and string.format('%.0f', tonumber(number) * 2 ^ tonumber(k))
    if expiry and tonumber(expiry) ~= tonumber(flat[i + 1]) and note(run, 'slice_expiry', '', flat[i]) then
      call('ZADD', key, expiry, flat[i])
    end
  end
  run.looked = run.looked + #flat / 2
  return ''
end

local function ended_at(record) return (unpack_bytes('>I6', record, 2)) end

--- What is over is so once.
function CHECK.finished(run, place)
  local root = run.root
  local found, rest = LIST.finished(root, place, run.max)
  local of_slice = {}
  for i = 1, #found, 3 do
    if found[i + 2] ~= '' then
      local list = of_slice[found[i]] or { addresses = {}, records = {} }
      of_slice[found[i]] = list
      put(list.addresses, found[i + 1])
      put(list.records, found[i + 2])
      run.looked = run.looked + 1
    end
  end
  local slices = call('ZRANGE', K.slices(root), 0, -1)
  for slice, list in pairs(of_slice) do
    for _, other in ipairs(slices) do
      if other ~= slice then
        for i, record in ipairs(hmget(K.slice(root, other), list.addresses, 1, #list.addresses)) do
          local is_older = record and record ~= '' and (ended_at(record) > ended_at(list.records[i])
            or (ended_at(record) == ended_at(list.records[i]) and other > slice))
          if is_older and note(run, 'finished_twice', list.addresses[i], slice) then
            call('HDEL', K.slice(root, slice), list.addresses[i])
          end
        end
      end
    end
  end
  return rest
end

--- Takes one element off a list, and its priority with the last.
local function take_off(run, queue, priority, element)
  local name = K.ready(run.root, queue, priority)
  call('LREM', name, 1, element)
  if priority ~= 0 and call('EXISTS', name) == 0 then call('ZREM', K.priorities(run.root, queue), priority) end
end

--- One list element, with all that is known of its address.
local function check_element(run, queue, priority, element, known)
  local root, address = run.root, sub(element, 1, 8)
  local kind
  if known.is_twice then kind = 'ready_twice'
  elseif known.withdrawn then return
  elseif known.holder then kind = 'ready_held'
  elseif known.due then kind = 'ready_scheduled'
  elseif known.dead then kind = 'ready_dead'
  elseif #element == 8 and not known.static then kind = 'ready_recordless' end
  if kind then
    if note(run, kind, address, queue) then take_off(run, queue, priority, element) end
    return
  end
  local counter, accepted, claimed = unpack_bytes('>I5', address, 4), nil, nil
  if known.lane then accepted, claimed = read_lane(known.lane) end
  -- The first doubt comes first: what was claimed before may well be over.
  if #element > 8 and claimed and counter <= claimed then
    if note(run, 'ready_claimed', address, queue) then take_off(run, queue, priority, element) end
  elseif known.finished then
    if note(run, 'ready_finished', address, queue) then
      call('HSET', K.withdrawn(root), address, queue)
      call('HINCRBY', K.withdrawn_counts(root), queue, 1)
    end
  elseif #element == 8 then
    local own, own_priority = read_static(known.static)
    if (own ~= queue or own_priority ~= priority) and note(run, 'ready_elsewhere', address, queue) then
      take_off(run, queue, priority, element)
      if not call('LPOS', K.ready(root, own, own_priority), element) then
        local moves = new_moves()
        put_ready(moves, 'back', address, own, own_priority)
        commit(root, moves)
      end
    end
  elseif accepted and counter > accepted and note(run, 'ready_beyond', address, queue) then
    local number = sub(address, 1, 3)
    call('HSET', K.marks(root), number, sub(address, 4) .. sub(call('HGET', K.marks(root), number), 6))
  end
end

--- What is ready, Queue by Queue. Place: Queue, and the cursor in it.
function CHECK.ready(run, place)
  local root = run.root
  local queues = call('HKEYS', K.queues(root))
  table.sort(queues)
  local queue, cursor = string.match(place, '^([^|]*)|(.*)$')
  local at = 1
  while queue and queues[at] and queues[at] < queue do at = at + 1 end
  if not queues[at] then return '' end
  if queues[at] ~= queue then queue, cursor = queues[at], '' end
  -- The page may go over several lists: where each begins is found again by walking it like LIST.ready does.
  local elements, rest, priorities = LIST.ready(root, queue, cursor, run.max)
  run.looked = run.looked + #elements
  local addresses, seen = {}, {}
  for i, element in ipairs(elements) do addresses[i] = sub(element, 1, 8) end
  local n = #addresses
  local statics, withdrawn = hmget(K.operations(root), addresses, 1, n), hmget(K.withdrawn(root), addresses, 1, n)
  local due, dead = read_many('ZMSCORE', K.due(root), addresses, 1, n), read_many('ZMSCORE', K.dead(root), addresses, 1, n)
  local finished, holders, lanes = find_finished(root, addresses), holders_of(root, addresses), lanes_of(root, addresses)
  for i, element in ipairs(elements) do
    local address = addresses[i]
    check_element(run, queue, priorities[i], element, {
      is_twice = seen[address], withdrawn = withdrawn[i], holder = holders[i][1], due = due[i], dead = dead[i],
      static = statics[i], finished = finished[i], lane = lanes[sub(address, 1, 3)],
    })
    seen[address] = true
    if #element == 8 then put(run.met, address) end
  end
  if rest ~= '' then return queue .. '|' .. rest end
  return queues[at + 1] and queues[at + 1] .. '|' or ''
end

--- What was withdrawn and is on no list any more: what its lane does not show, the lists must.
function CHECK.withdrawn(run, place)
  local root = run.root
  local page, rest = hash_page(run, K.withdrawn(root), place)
  local addresses = {}
  for i = 1, #page, 2 do addresses[#addresses + 1] = page[i] end
  local lanes = lanes_of(root, addresses)
  for i, address in ipairs(addresses) do
    local lane = lanes[sub(address, 1, 3)]
    if not lane then
      CHECK.withdrawn_from(run, address, page[2 * i])
    else
      local accepted, claimed, of = read_lane(lane)
      local counter = unpack_bytes('>I5', address, 4)
      if of == '' or counter <= claimed or counter > accepted then put(run.met, address) end
    end
  end
  return rest
end

--- Forgets what was withdrawn if no list of its Queue has it.
function CHECK.withdrawn_from(run, address, queue)
  for _, name in ipairs((lists_of(run.root, queue))) do
    if call('LPOS', name, address) then return end
  end
  if note(run, 'withdrawn_stale', address, queue) then
    call('HDEL', K.withdrawn(run.root), address)
    call('HINCRBY', K.withdrawn_counts(run.root), queue, -1)
  end
end

--- Those who wait for what is over: they were told, or will read it.
function CHECK.waiters(run, place)
  local root = run.root
  local page, rest = hash_page(run, K.waiters(root), place)
  local addresses = {}
  for i = 1, #page, 2 do addresses[#addresses + 1] = page[i] end
  for i, here in ipairs(look_up(root, addresses, run.now)) do
    local is_open = here.state == 'scheduled' or here.state == 'ready' or here.state == 'running'
    if not is_open and note(run, 'waiter_stale', addresses[i]) then call('HDEL', K.waiters(root), addresses[i]) end
  end
  return rest
end

--- Records in no place, and what was withdrawn, met on no list: looked for in the list that is theirs.
function CHECK.suspects(run, addresses)
  local root = run.root
  local n = #addresses
  run.looked = n
  local statics = hmget(K.operations(root), addresses, 1, n)
  local due, dead = read_many('ZMSCORE', K.due(root), addresses, 1, n), read_many('ZMSCORE', K.dead(root), addresses, 1, n)
  local holders, parked = holders_of(root, addresses), hmget(K.parked(root), addresses, 1, n)
  local ties, withdrawn = ties_of(root, addresses), hmget(K.withdrawn(root), addresses, 1, n)
  for i, address in ipairs(addresses) do
    if withdrawn[i] then
      CHECK.withdrawn_from(run, address, withdrawn[i])
    elseif statics[i] and not due[i] and not dead[i] and not parked[i] and #holders[i] == 0 then
      local queue, priority = read_static(statics[i])
      if not call('LPOS', K.ready(root, queue, priority), address) and note(run, 'lost', address, queue) then
        local moves = new_moves()
        make_ready(moves, 'back', address, queue, priority, flow_of(ties[i]))
        commit(root, moves)
      end
    end
  end
end

local function check(root, args, last_token)
  local cursor, max = args[2], tonumber(args[3])
  if not cursor or not max or max < 1 or max > 1000 then return BADARGS end
  local run = { root = root, mend = args[1] == '1', max = max, looked = 0, findings = {}, met = {}, now = now_ms(root),
    token = last_token, holders_of = holders_of }
  local rest = ''
  if cursor == 'suspects' then
    CHECK.suspects(run, addresses_of(root, args, 4))
  else
    local part, place = string.match(cursor, '^(%l+):(.*)$')
    local at = 1
    for i, name in ipairs(CHECK.order) do
      if name == part then at = i end
    end
    if CHECK.order[at] ~= part then place = '' end
    rest = (CHECK[CHECK.order[at]] or SOUND[CHECK.order[at]])(run, place)
    if rest ~= '' then
      rest = CHECK.order[at] .. ':' .. rest
    elseif CHECK.order[at + 1] then
      rest = CHECK.order[at + 1] .. ':'
    end
  end
  local addresses = {}
  for _, finding in ipairs(run.findings) do
    if finding[2] ~= '' then put(addresses, finding[2]) end
  end
  for _, address in ipairs(run.met) do put(addresses, address) end
  local reply = { rest, run.looked, 0 }
  reply[3] = put_lanes(root, reply, addresses)
  put(reply, #run.findings)
  for _, finding in ipairs(run.findings) do
    for _, field in ipairs(finding) do put(reply, field) end
  end
  for _, address in ipairs(run.met) do put(reply, address) end
  return reply
end
