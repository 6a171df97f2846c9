--- Reads who holds keys.
-- root     the Segment
-- args     keys
-- returns  per key an array: lane name and counter (5 bytes), or nothing
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   nothing
-- flags    no-writes
-- cost     O(keys)
local function holders(root, args)
  if #args < 1 then return BADARGS end
  local now, found, addresses = now_ms(root), {}, {}
  for i, key in ipairs(args) do
    local address = holder_of(root, key, now)
    found[i] = address or ''
    if address then put(addresses, address) end
  end
  local lanes = lanes_of(root, addresses)
  local replies = {}
  for i, address in ipairs(found) do
    local lane = address ~= '' and lanes[sub(address, 1, 3)]
    if lane then
      local _, _, _, lane_name = read_lane(lane)
      replies[i] = { lane_name, sub(address, 4) }
    else
      replies[i] = {}
    end
  end
  return replies
end
