--- Reads a page of one Queue's ready Operations in claim order, or of the dead letters.
-- root     the Segment
-- args     `q` or `d` · offset · limit · Queue
-- returns  total · number of lanes · per lane: number, lane record · per Operation: the list element or address,
--          and after a bare address its static and dynamic record
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   nothing
-- flags    no-writes
-- cost     O(limit + priorities); O(offset) within a list
local function peek(root, args)
  local kind, offset, limit, queue = args[1], tonumber(args[2]), tonumber(args[3]), args[4]
  if not offset or offset < 0 or not limit or limit < 1 or limit > 1000 then return BADARGS end
  local total, elements = 0, {}
  if kind == 'd' then
    total = call('ZCARD', K.dead(root))
    elements = call('ZRANGE', K.dead(root), offset, offset + limit - 1)
  elseif kind == 'q' and queue then
    for _, name in ipairs((lists_of(root, queue))) do
      local length = call('LLEN', name)
      if #elements < limit and offset < total + length then
        local from = math.max(0, offset - total)
        for _, element in ipairs(call('LRANGE', name, from, from + limit - #elements - 1)) do put(elements, element) end
      end
      total = total + length
    end
  else
    return BADARGS
  end

  local addresses = {}
  for i, element in ipairs(elements) do addresses[i] = sub(element, 1, 8) end
  local n = #addresses
  local withdrawn = kind == 'q' and hmget(K.withdrawn(root), addresses, 1, n) or {}
  local statics = hmget(K.operations(root), addresses, 1, n)
  local metas = hmget(K.metas(root), addresses, 1, n)
  local lanes, order = lanes_of(root, addresses)
  local reply = { total, #order }
  for _, lane in ipairs(order) do put(reply, lane, lanes[lane]) end
  for i, element in ipairs(elements) do
    if not withdrawn[i] then
      put(reply, element)
      if #element == 8 then put(reply, statics[i] or '', metas[i] or '') end
    end
  end
  return reply
end
