--- Puts an incarnation into the App's index of Nodes, or raises its beat counter.
-- root     the index itself, a hash: incarnation → entry; '#' → how many have joined
-- args     incarnation · Node · about · 1 if it is joining
-- returns  beat · per elder, if it is joining: incarnation, beat, Node, about
-- errors   BADARGS TRYAGAIN: nothing was written
-- writes   root
-- flags    allow-oom
-- cost     O(1), joining O(index)
--
--   entry  | 6 B beat | 6 B place in the order of joining | 1 B n | n B Node | about |

local function read_node(entry)
  local beat, place, length = unpack_bytes('>I6I6B', entry)
  return beat, place, sub(entry, 14, 13 + length), sub(entry, 14 + length)
end

local function node_beat(root, args)
  local incarnation, node, about, joining = args[1], args[2], args[3], args[4] == '1'
  if not incarnation or incarnation == '' or incarnation == '#' or not node or node == '' or #node > 255 then
    return BADARGS
  end
  if not about or about == '' or #about > 65536 then return BADARGS end
  local present = call('HGET', root, incarnation)
  local beat, place = 0, nil
  if present then beat, place = read_node(present) else place = tonumber(call('HGET', root, '#') or 0) + 1 end
  local reply, elders = { beat + 1 }, {}
  if joining then
    local flat = call('HGETALL', root)
    for i = 1, #flat, 2 do
      if flat[i] ~= '#' then
        local other_beat, other_place, other_node, other_about = read_node(flat[i + 1])
        if other_node == node and other_place < place then
          elders[#elders + 1] = { flat[i], other_beat, other_node, other_about, place = other_place }
        end
      end
    end
    table.sort(elders, function(a, b) return a.place < b.place end)
    for _, elder in ipairs(elders) do
      put(reply, elder[1], elder[2])
      put(reply, elder[3], elder[4])
    end
  end
  if not present then call('HSET', root, '#', place) end
  call('HSET', root, incarnation, pack('>I6I6B', beat + 1, place, #node) .. node .. about)
  return reply
end
