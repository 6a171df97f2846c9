--- Operations cancelled while they waited: they stay in their list until a claim meets them.

--- Takes the withdrawn elements out of a popped batch and forgets them; notes in `raised` how far each lane was popped.
local function without_withdrawn(root, queue, batch, raised)
  local addresses, kept, gone = {}, {}, {}
  for i = 1, #batch do addresses[i] = sub(batch[i], 1, 8) end
  local withdrawn = hmget(K.withdrawn(root), addresses, 1, #addresses)
  for i = 1, #batch do
    if #batch[i] > 8 then raised[sub(addresses[i], 1, 3)] = addresses[i] end
    if withdrawn[i] then
      put(gone, addresses[i])
    else
      put(kept, batch[i])
    end
  end
  if #gone > 0 then
    variadic('HDEL', K.withdrawn(root), gone, 1, #gone)
    call('HINCRBY', K.withdrawn_counts(root), queue, -#gone)
  end
  return kept
end

--- Withdrawn elements of what goes on, or comes anew.
local STALE = {}

--- A withdrawn element is withdrawn no more: it counts again, or is off its list.
function STALE.forget(root, address, queue)
  call('HDEL', K.withdrawn(root), address)
  call('HINCRBY', K.withdrawn_counts(root), queue, -1)
end

--- Takes an element off one list, and the priority with the last; answers whether it was there.
function STALE.take_off(root, queue, priority, address)
  local name = K.ready(root, queue, priority)
  if call('LREM', name, 1, address) == 0 then return false end
  if priority ~= 0 and call('EXISTS', name) == 0 then call('ZREM', K.priorities(root, queue), priority) end
  return true
end

--- Takes stale elements of dots that are enqueued anew, long after their memory ended, out of their lists.
function STALE.drop(root, addresses, queues)
  for i, address in ipairs(addresses) do
    local _, priorities = lists_of(root, queues[i])
    for _, priority in ipairs(priorities) do
      if STALE.take_off(root, queues[i], priority, address) then break end
    end
    STALE.forget(root, address, queues[i])
  end
end

--- A dead letter that lapsed on a list, and stands there still, goes on: in its old place if it may, else off that list.
-- Answers whether it is in place. The list is walked only for what goes elsewhere, or waits in a line.
function STALE.take_back(root, address, from, priority, to, may_go)
  local stays = may_go and from == to
  if not stays then STALE.take_off(root, from, priority, address) end
  STALE.forget(root, address, from)
  return stays
end

--- What `revive` needs of dead letters: their tie records, and the Queues of those that stand on a list still.
local function dead_of(root, addresses)
  local withdrawn = call('EXISTS', K.withdrawn(root)) == 1 and hmget(K.withdrawn(root), addresses, 1, #addresses) or {}
  return { addresses = addresses, ties = ties_of(root, addresses), withdrawn = withdrawn }
end

--- Opens the i-th dead letter's next generation: it goes on where it stands, or at the end of its list, or is parked.
-- `record` is its dynamic record; `static` the other one, if that changed.
local function revive(root, moves, dead, i, record, static, queue, priority)
  local address, meta = dead.addresses[i], read_meta(record)
  meta.generation, meta.attempts, meta.recoveries, meta.returns, meta.finished = meta.generation + 1, 0, 0, 0, 0
  keep_record(moves, address, static, meta)
  put(moves.dead_gone, address)
  local may_go = may_go_on(root, address, dead.ties[i])
  local from = dead.withdrawn[i]
  local is_in_place = from and STALE.take_back(root, address, from, priority, queue, may_go)
  if may_go and not is_in_place then make_ready(moves, 'back', address, queue, priority, flow_of(dead.ties[i])) end
end

--- Raises the claimed marks of lanes: a table from lane number to the highest address claimed.
local function raise_claimed(root, raised)
  local lanes, changes = {}, {}
  for lane in pairs(raised) do lanes[#lanes + 1] = lane end
  for i, record in ipairs(hmget(K.marks(root), lanes, 1, #lanes)) do
    put(changes, lanes[i], sub(record, 1, 5) .. sub(raised[lanes[i]], 4) .. sub(record, 11))
  end
  variadic('HSET', K.marks(root), changes, 1, #changes)
end

--- The same of claimed elements, when the lane records are at hand; `highest` is false where nothing had a body.
local function write_claimed(root, lanes, records, highest)
  local changes = {}
  for i, lane in ipairs(lanes) do
    local address = highest[lane]
    if address then put(changes, lane, sub(records[i], 1, 5) .. sub(address, 4) .. sub(records[i], 11)) end
  end
  variadic('HSET', K.marks(root), changes, 1, #changes)
end

local PLAIN = { 0 }

--- One call that settles nearly every claim: whether none of the Queues from args[4] on has another priority and nothing
--- in the Segment is withdrawn or tied, and no live limit is set. If something is withdrawn, also answers a table for `without_withdrawn`; if
--- something is tied, one for `through_gates`; and whether there are live limits.
local function look_ahead(root, args)
  local names = { K.withdrawn(root), K.ties(root), K.live(root) }
  for i = 4, #args do names[i] = K.priorities(root, args[i]) end
  if call('EXISTS', unpack(names)) == 0 then return true, nil, nil end
  local raised = call('EXISTS', names[1]) == 1 and {} or nil
  return false, raised, call('EXISTS', names[2]) == 1 and new_pass(now_ms(root)) or nil, call('EXISTS', names[3]) == 1
end

--- First 8 bytes of the SHA-1 of some bytes.
local function digest_of(bytes)
  return (string.gsub(sub(redis.sha1hex(bytes), 1, 16), '..', function(hex) return string.char(tonumber(hex, 16)) end))
end
