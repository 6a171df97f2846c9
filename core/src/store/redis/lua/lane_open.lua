--- Interns a lane: gives its name a number, or answers the marks of the open one.
-- root     the Segment
-- args     lane name · Queue, empty on the full path
-- returns  ok | conflict | full · lane number · accepted mark
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   root l w q
-- flags    none
-- cost     O(1)
local function lane_open(root, args)
  local name, queue = args[1], args[2]
  if not name or name == '' or #name > 255 or not queue or #queue > 255 then return BADARGS end
  local number = call('HGET', K.lanes(root), name)
  if number then
    local accepted, _, present_queue = read_lane(call('HGET', K.marks(root), number))
    if present_queue ~= queue then return { 'conflict', unpack_bytes('>I3', number), accepted } end
    return { 'ok', unpack_bytes('>I3', number), accepted }
  end
  local last = tonumber(call('HGET', root, 'lanes') or 0)
  if last >= 0xffffff then return { 'full', 0, 0 } end
  number = pack('>I3', last + 1)
  call('HSET', root, 'lanes', last + 1)
  call('HSET', K.lanes(root), name, number)
  call('HSET', K.marks(root), number, pack('>I5I5B', 0, 0, #queue) .. queue .. name)
  if queue ~= '' then call('HSETNX', K.queues(root), queue, '0') end
  return { 'ok', last + 1, 0 }
end
