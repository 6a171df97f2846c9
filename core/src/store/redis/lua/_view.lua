--- What a reader gets of one Operation: a kind, then fields; answers.ts reads it.
--
--   m | p                                                    missing, pruned
--   e · finished record                                      ended (completed or cancelled)
--   o · state · static · dynamic record or empty · due, parked record or empty · owner · token · 1 if marked · progress …   full path
--   u · lane record · owner · token · 1 if marked · enqueued bytes · progress …                              fast path, running
--   w · lane record                                                                                          fast path, waiting
--
-- Progress is left out when there is none. States: s (scheduled), r (ready), u (running), f (failed).
local STATE_LETTERS = { scheduled = 's', ready = 'r', running = 'u', failed = 'f' }

local function view(root, address, here)
  if here.state == 'missing' then return { 'm' } end
  if here.state == 'pruned' then return { 'p' } end
  if here.state == 'finished' then return { 'e', here.record } end
  local owner, token, mark, note = '', ZERO_TOKEN, 0, nil
  if here.owner then
    owner, token = here.owner, sub(here.entry, 1, 8)
    mark = call('HEXISTS', K.cancels(root, owner), address)
    note = call('HGET', K.progress(root, owner), address) or nil
  end
  if here.static then
    return { 'o', STATE_LETTERS[here.state], here.static, here.meta or '', here.due or here.parked or '', owner, token, mark, note }
  end
  if here.owner then
    local _, body = TIES.behind(here.entry, ENTRY_HEAD + 1)
    return { 'u', here.lane, owner, token, mark, body, note }
  end
  return { 'w', here.lane }
end

--- Notes an instance as waiter of everything that is not terminal yet.
local function wait_for(root, addresses, found, instance)
  local open, lines = {}, {}
  for i, address in ipairs(addresses) do
    local state = found[i].state
    if state == 'scheduled' or state == 'ready' or state == 'running' then put(open, address) end
  end
  for i, instances in ipairs(hmget(K.waiters(root), open, 1, #open)) do
    if not instances then
      put(lines, open[i], instance)
    elseif not string.find('\n' .. instances .. '\n', '\n' .. instance .. '\n', 1, true) then
      put(lines, open[i], instances .. '\n' .. instance)
    end
  end
  variadic('HSET', K.waiters(root), lines, 1, #lines)
end

--- Puts the lanes of many addresses that are known into a reply: number and record of each. Answers how many they are,
--- and the records by number.
local function put_lanes(root, reply, addresses)
  local lanes, order = lanes_of(root, addresses)
  local known = 0
  for _, lane in ipairs(order) do
    if lanes[lane] then
      put(reply, lane, lanes[lane])
      known = known + 1
    end
  end
  return known, lanes
end
