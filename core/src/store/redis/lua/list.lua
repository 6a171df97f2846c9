--- Reads a page of what is in one state; goes on where the last page ended, at any depth for the same cost.
-- root     the Segment
-- args     r (ready), p (ready and parked), s (scheduled), u (running), f (failed), c (completed), x (cancelled) or k (skipped) · cursor,
--          empty at the beginning · most elements to look at · Queue, for r alone
-- returns  cursor, empty at the end · number of lanes · per lane: number, lane record · for r per Operation: the list
--          element, and after a bare address its static and dynamic record; else: address, what _view.lua writes
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   nothing
-- flags    no-writes
-- cost     O(max + owners + slices + priorities); O(depth / 80) to find the place in a list

--- The tables that _view.lua shows, for all states but ready: { address, here }.
function LIST.rows(root, state, cursor, max)
  local rows, bare, rest = {}, {}, nil
  if state == 's' or state == 'f' then
    local addresses, scores
    addresses, rest, scores = LIST.scored(state == 's' and K.due(root) or K.dead(root), cursor, max)
    for i, address in ipairs(addresses) do
      local here = { state = state == 's' and 'scheduled' or 'failed', due = state == 's' and scores[i] }
      rows[i] = { address, here }
      bare[i] = rows[i]
    end
  elseif state == 'p' then
    local page = call('HSCAN', K.parked(root), string.match(cursor, '^%d+$') or '0', 'COUNT', max)
    rest = page[1] == '0' and '' or page[1]
    for i = 1, #page[2], 2 do
      local row = { page[2][i], { state = 'ready', parked = page[2][i + 1] } }
      put(rows, row)
      put(bare, row)
    end
  else
    local found
    if state == 'u' then found, rest = LIST.running(root, cursor, max) else found, rest = LIST.finished(root, cursor, max) end
    for i = 1, #found, 3 do
      local address, record = found[i + 1], found[i + 2]
      if state == 'u' then
        local row = { address, { state = 'running', owner = found[i], entry = record } }
        rows[#rows + 1] = row
        if #record <= BARE_ENTRY then bare[#bare + 1] = row end
      elseif string.lower(sub(record, 1, 1)) == state then
        rows[#rows + 1] = { address, { state = 'finished', record = record } }
      end
    end
  end
  local addresses = {}
  for i, row in ipairs(bare) do addresses[i] = row[1] end
  local statics = hmget(K.operations(root), addresses, 1, #addresses)
  local metas = hmget(K.metas(root), addresses, 1, #addresses)
  for i, row in ipairs(bare) do
    row[2].static, row[2].meta = statics[i], metas[i]
    row.is_broken = not statics[i]
  end
  return rows, rest
end

local function list(root, args)
  local state, cursor, max, queue = args[1], args[2], tonumber(args[3]), args[4]
  if not cursor or not max or max < 1 or max > 1000 or not state or #state ~= 1 then return BADARGS end
  if not index_of('rpsufcxk', state, 1, true) or (state == 'r') ~= (queue ~= nil) then return BADARGS end
  local rows, rest, addresses = nil, nil, {}
  if state == 'r' then rows, rest = LIST.ready(root, queue, cursor, max) else rows, rest = LIST.rows(root, state, cursor, max) end
  for i, row in ipairs(rows) do addresses[i] = state == 'r' and sub(row, 1, 8) or row[1] end
  local reply, lanes = { rest, 0 }, nil
  reply[2], lanes = put_lanes(root, reply, addresses)
  if state ~= 'r' then
    for _, row in ipairs(rows) do
      local lane = lanes[sub(row[1], 1, 3)]
      row[2].lane = lane
      if lane and not row.is_broken then put(reply, row[1], view(root, row[1], row[2])) end
    end
    return reply
  end
  local n = #addresses
  local withdrawn = hmget(K.withdrawn(root), addresses, 1, n)
  local statics = hmget(K.operations(root), addresses, 1, n)
  local metas = hmget(K.metas(root), addresses, 1, n)
  for i, element in ipairs(rows) do
    local is_whole = #element > 8 or statics[i]
    if not withdrawn[i] and lanes[sub(element, 1, 3)] and is_whole then
      put(reply, element)
      if #element == 8 then put(reply, statics[i], metas[i] or '') end
    end
  end
  return reply
end
