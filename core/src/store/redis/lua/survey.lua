--- Reads the marks of lanes, or names what has a record of its own or runs, page by page.
-- root     the Segment
-- args     l (lanes) or o (Operations) · cursor, empty at the beginning · most elements to look at
-- returns  cursor, empty at the end · number of lanes · per lane: number, lane record · for o per Operation: address
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   nothing
-- flags    no-writes
-- cost     O(max + owners)
local function survey(root, args)
  local of, cursor, max = args[1], args[2], tonumber(args[3])
  if not cursor or not max or max < 1 or max > 1000 or (of ~= 'l' and of ~= 'o') then return BADARGS end
  if of == 'l' then
    local page = call('HSCAN', K.marks(root), string.match(cursor, '^%d+$') or '0', 'COUNT', max)
    local reply = { page[1] == '0' and '' or page[1], #page[2] / 2 }
    for _, part in ipairs(page[2]) do put(reply, part) end
    return reply
  end
  local addresses, rest = {}, nil
  local place = string.match(cursor, '^o(%d+)$')
  if place then
    -- Who runs leaves for the records or for the finished, never back: so these come last.
    local page = call('HSCAN', K.operations(root), place, 'COUNT', max)
    rest = page[1] == '0' and '' or 'o' .. page[1]
    for i = 1, #page[2], 2 do put(addresses, page[2][i]) end
  else
    local found
    found, rest = LIST.running(root, string.match(cursor, '^u(.*)$') or '', max)
    rest = rest == '' and 'o0' or 'u' .. rest
    for i = 2, #found, 3 do put(addresses, found[i]) end
  end
  local reply = { rest, 0 }
  reply[2] = put_lanes(root, reply, addresses)
  for _, address in ipairs(addresses) do put(reply, address) end
  return reply
end
