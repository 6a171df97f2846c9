--- Says what one Operation that waits is tied to, as a claim would judge it now.
-- root     the Segment
-- args     most holders of a gate · lane name · counter (5 bytes)
-- returns  now in milliseconds · key or empty · line or empty · how many stand before it there · the first of the line or
--          empty · when it is due behind the line or empty · number of lanes · per lane: number, lane record · per gate:
--          name · slots, 0 of a pace · slots taken · when a pace lets the next one through or empty · milliseconds
--          between two of a pace or empty · 1 if a claim would park it there · 1 if its number is a live one · how many
--          are parked before it · number of holders · their addresses
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   nothing
-- flags    no-writes
-- cost     O(gates + owners + 1000), the most entries looked at for holders; of one that waits on a tied lane also O(its
--          place in the list), 2000 at most: further back it has no ties that are seen

--- How many of what runs are looked at for holders.
local EXPLAIN_LOOKS = 1000

--- Who has a slot of each gate named: up to `max` addresses each, by gate.
local function holders_of_gates(root, gates, max)
  local of, looks = {}, 0
  for _, gate in ipairs(gates) do of[gate.name] = {} end
  local owners = call('HKEYS', K.owners(root))
  table.sort(owners)
  for _, owner in ipairs(owners) do
    local place = '0'
    repeat
      if looks >= EXPLAIN_LOOKS then return of end
      local page = call('HSCAN', K.flight(root, owner), place, 'COUNT', 250)
      place = page[1]
      local addresses, entries = {}, {}
      for i = 1, #page[2], 2 do
        addresses[#addresses + 1] = page[2][i]
        entries[#addresses] = page[2][i + 1]
      end
      looks = looks + #addresses + 1
      for i, record in ipairs(hmget(K.ties(root), addresses, 1, #addresses)) do
        local _, _, held = read_ties(record or TIES.of_entry(entries[i]) or '\0\0')
        for _, gate in ipairs(held) do
          local list = not gate.every and of[gate.name]
          if list and #list < max then list[#list + 1] = addresses[i] end
        end
      end
    until place == '0'
  end
  return of
end

--- Adds what a gate says of one Operation, parked there or not, to a reply.
local function put_gate(root, reply, pass, gate, address, holders)
  local before = call('ZRANK', K.parked_at(root, gate.name), address) or call('ZCARD', K.parked_at(root, gate.name))
  put(reply, gate.name, TIES.slots_of(pass, gate))
  put(reply, gate.every and 0 or pass.counts[gate.name])
  put(reply, gate.every and string.format('%.17g', opens_at(pass, gate)) or '')
  put(reply, gate.every and string.format('%.17g', TIES.pace_of(pass, gate).every) or '')
  put(reply, is_full(pass, gate) and 1 or 0)
  put(reply, pass.live[gate.name] and 1 or 0)
  put(reply, before, #holders)
  for _, holder in ipairs(holders) do put(reply, holder) end
end

local function explain(root, args)
  local max = tonumber(args[1])
  if not max or max < 1 or max > 100 or #args ~= 3 then return BADARGS end
  local address = addresses_of(root, args, 2)[1]
  local now = now_ms(root)
  local record = address ~= '' and TIES.find(root, address)
  if not record then return { string.format('%.0f', now), '', '', 0, '', '', 0 } end
  local key, line, gates = read_ties(record)
  local before, first, due = 0, '', ''
  if line ~= '' then
    before = call('ZRANK', K.line(root, line), address) or 0
    first = call('ZRANGE', K.line(root, line), 0, 0)[1] or ''
    local parked = call('HGET', K.parked(root), address)
    if parked and sub(parked, 1, 1) == 'l' then due = string.format('%.17g', (unpack_bytes('>d', parked, 2))) end
  end
  local holders, met = holders_of_gates(root, gates, max), {}
  if first ~= '' then put(met, first) end
  for _, gate in ipairs(gates) do
    for _, holder in ipairs(holders[gate.name]) do put(met, holder) end
  end
  local reply = { string.format('%.0f', now), key, line, before, first, due, 0 }
  reply[7] = put_lanes(root, reply, met)
  local pass = new_pass(now)
  look_at_gates(root, pass, { { gates = gates } })
  for _, gate in ipairs(gates) do put_gate(root, reply, pass, gate, address, holders[gate.name]) end
  return reply
end
