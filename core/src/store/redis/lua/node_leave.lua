--- Takes an incarnation out of the App's index of Nodes; the last one takes the index with it.
-- root     the index itself (node_beat.lua)
-- args     incarnation · beat it was seen at, empty for whatever it is
-- returns  ok | stale | missing
-- errors   BADARGS TRYAGAIN: nothing was written
-- writes   root
-- flags    allow-oom
-- cost     O(1)
local function node_leave(root, args)
  local incarnation, seen = args[1], args[2]
  if not incarnation or incarnation == '' or incarnation == '#' or not seen then return BADARGS end
  local entry = call('HGET', root, incarnation)
  if not entry then return 'missing' end
  if seen ~= '' and tonumber(seen) ~= (unpack_bytes('>I6', entry)) then return 'stale' end
  call('HDEL', root, incarnation)
  if call('HLEN', root) == 1 then call('DEL', root) end
  return 'ok'
end
