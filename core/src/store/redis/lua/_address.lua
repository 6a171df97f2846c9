--- Addresses (lane number in 3 bytes, counter in 5, big-endian) and the records of lanes.
--
--   lane record  | 5 B accepted | 5 B claimed | 1 B n | n B Queue | lane name |    n = 0 on the full path
--
-- An address is compared as bytes and never taken apart on the hot path.

--- accepted, claimed, Queue ('' on the full path), lane name
local function read_lane(record)
  local accepted, claimed, length = unpack_bytes('>I5I5B', record)
  return accepted, claimed, sub(record, 12, 11 + length), sub(record, 12 + length)
end

--- The lane records of many addresses: a table by lane number (3 bytes), and those numbers in order of appearance.
local function lanes_of(root, addresses)
  local order, by_lane = {}, {}
  for _, address in ipairs(addresses) do
    local lane = sub(address, 1, 3)
    if by_lane[lane] == nil then
      by_lane[lane] = false
      order[#order + 1] = lane
    end
  end
  for i, record in ipairs(hmget(K.marks(root), order, 1, #order)) do by_lane[order[i]] = record end
  return by_lane, order
end

--- Turns pairs (lane name, counter in 5 bytes) of args[from..] into addresses; '' where the lane is unknown.
local function addresses_of(root, args, from)
  local names, seen, numbers = {}, {}, {}
  for i = from, #args, 2 do
    if not seen[args[i]] then
      seen[args[i]] = true
      names[#names + 1] = args[i]
    end
  end
  for i, number in ipairs(hmget(K.lanes(root), names, 1, #names)) do numbers[names[i]] = number end
  local addresses = {}
  for i = from, #args, 2 do
    local number = numbers[args[i]]
    addresses[#addresses + 1] = number and (number .. args[i + 1]) or ''
  end
  return addresses
end
