--- Reads live limits, and the gates that are in use.
-- root     the Segment
-- args     most gates
-- returns  now in milliseconds · number of live limits · per live limit: name, record (_live.lua), 1 while not all that is
--          parked was told · 1 if there are more gates · per gate: name · `s` or `p` · slots, or milliseconds each, or empty
--          if nobody there says it · burst of a pace or empty · slots taken · when a pace lets the next one through or
--          empty · how many are parked · 1 if its number is a live one
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   nothing
-- flags    no-writes
-- cost     O(live limits + max)

--- Names of the gates in use, with 's' or 'p' of each as far as its table says it; and whether there are more.
function TIES.gates_in_use(root, max, now)
  local kinds, names, is_more = {}, {}, false
  local function add(name, kind)
    if not kinds[name] and sub(name, 1, 1) ~= '~' then put(names, name) end
    kinds[name] = kinds[name] or kind
  end
  local used, parked = call('HSCAN', K.slots(root), '0', 'COUNT', max), call('HSCAN', K.parked(root), '0', 'COUNT', max)
  for i = 1, #used[2], 2 do add(used[2][i], 's') end
  for _, name in ipairs(call('ZRANGEBYSCORE', K.paces(root), '(' .. string.format('%.0f', now), '+inf', 'LIMIT', 0, max)) do
    add(name, 'p')
  end
  for i = 2, #parked[2], 2 do
    if sub(parked[2][i], 1, 1) == 'g' then add(sub(parked[2][i], 10), '') end
  end
  table.sort(names)
  is_more = used[1] ~= '0' or parked[1] ~= '0' or #names > max
  while #names > max do names[#names] = nil end
  return names, kinds, is_more
end

local function limits(root, args)
  local max = tonumber(args[1])
  if not max or max < 1 or max > 1000 then return BADARGS end
  local now = now_ms(root)
  local live, settling = call('HGETALL', K.live(root)), {}
  for _, name in ipairs(call('HKEYS', K.settling(root))) do settling[name] = true end
  local reply = { string.format('%.0f', now), #live / 2 }
  for i = 1, #live, 2 do 
    put(reply, live[i], live[i + 1])
    put(reply, settling[live[i]] and 1 or 0)
  end
  local names, kinds, is_more = TIES.gates_in_use(root, max, now)
  local pass = new_pass(now)
  put(reply, is_more and 1 or 0)
  for _, name in ipairs(names) do
    local key = K.parked_at(root, name)
    local said = TIES.gate_said(root, call('ZRANGE', key, 0, 0)[1], name)
    local is_pace = said and said.every or kinds[name] == 'p'
    local gate = said or (is_pace and { name = name, every = -1, burst = 1 } or { name = name, slots = -1 })
    look_at_gates(root, pass, { { gates = { gate } } })
    local pace, slots = is_pace and TIES.pace_of(pass, gate), not is_pace and TIES.slots_of(pass, gate)
    local is_known = is_pace and pace.every >= 0 or slots and slots >= 0
    put(reply, name, is_pace and 'p' or 's')
    put(reply, is_known and string.format('%.17g', is_pace and pace.every or slots) or '')
    put(reply, is_pace and is_known and string.format('%.0f', pace.burst) or '', is_pace and 0 or pass.counts[name])
    put(reply, is_pace and is_known and string.format('%.17g', opens_at(pass, gate)) or '')
    put(reply, call('ZCARD', key), pass.live[name] and 1 or 0)
  end
  return reply
end
