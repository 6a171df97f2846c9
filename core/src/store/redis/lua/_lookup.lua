--- Where an Operation is, by address and without an index: the same order for find, cancel and requeue.
--
-- Answers per address a table with `state`:
--   missing | pruned | finished (record) | scheduled | ready | running | failed (static, meta, due, owner, entry)
-- Fast-path Operations have no `static`. One probe per owner and per slice, for those not found before.

--- Whether dots of the full path are remembered: digests by place, of the present window and the last one.
local function remembered(root, addresses, window)
  local digests = hmget(K.memory(root, window), addresses, 1, #addresses)
  for i, digest in ipairs(hmget(K.memory(root, window - 1), addresses, 1, #addresses)) do
    digests[i] = digests[i] or digest
  end
  return digests
end

-- Whether a dot lies in a gap of a lane: below a mark that `announce` raised, where nobody knows what there was.
local function is_in_gap(root, lane, counter, gaps)
  if not gaps[lane] then gaps[lane] = call('HGET', root, 'sealed:' .. lane) or '' end
  for at = 1, #gaps[lane], 10 do
    local first, last = unpack_bytes('>I5I5', gaps[lane], at)
    if counter >= first and counter <= last then return true end
  end
  return false
end

local function look_up(root, addresses, now)
  local n, found, gaps = #addresses, {}, {}
  local statics = hmget(K.operations(root), addresses, 1, n)
  local metas = hmget(K.metas(root), addresses, 1, n)
  local due = read_many('ZMSCORE', K.due(root), addresses, 1, n)
  local dead = read_many('ZMSCORE', K.dead(root), addresses, 1, n)
  local finished = find_finished(root, addresses)
  local withdrawn = hmget(K.withdrawn(root), addresses, 1, n)
  local lanes = lanes_of(root, addresses)
  for _, owner in ipairs(call('HKEYS', K.owners(root))) do
    for i, entry in ipairs(hmget(K.flight(root, owner), addresses, 1, n)) do
      if entry then found[i] = { state = 'running', owner = owner, entry = entry } end
    end
  end
  local memory = remembered(root, addresses, math.floor(now / ID_MEMORY_MS))
  for i, address in ipairs(addresses) do
    local lane = address ~= '' and lanes[sub(address, 1, 3)]
    local here = found[i] or {}
    found[i] = here
    here.lane = lane
    if statics[i] then
      here.static, here.meta = statics[i], metas[i]
      if not here.state then
        here.state = due[i] and 'scheduled' or dead[i] and 'failed' or 'ready'
        here.due = due[i]
      end
    elseif here.state then
      here.is_fast = true
    elseif finished[i] then
      here.state, here.record = 'finished', finished[i]
    elseif withdrawn[i] then
      here.state = 'pruned'
    elseif not lane then
      here.state = 'missing'
    else
      local accepted, claimed, queue = read_lane(lane)
      if queue == '' then
        here.state = memory[i] and 'pruned' or 'missing'
      else
        local counter = unpack_bytes('>I5', address, 4)
        here.state = (counter < 1 or counter > accepted) and 'missing' or counter > claimed and 'ready' or 'pruned'
        -- Claims of what came behind a gap raise the mark over it as well.
        if here.state ~= 'missing' and is_in_gap(root, sub(address, 1, 3), counter, gaps) then here.state = 'missing' end
        here.is_fast = true
      end
    end
  end
  return found
end
