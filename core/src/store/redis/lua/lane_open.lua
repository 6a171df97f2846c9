--- Interns a lane: gives its name a number, or answers the marks of the open one.
-- root     the Segment
-- args     lane name · Queue, empty on the full path · 1 for a tied lane, if it is made
-- returns  ok | conflict (open with another Queue, or asked to be tied and is not) | full · lane number · accepted mark
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   root l w q
-- flags    none
-- cost     O(1)
local function lane_open(root, args)
  local name, queue, is_tied = args[1], args[2], args[3] == '1'
  if not name or name == '' or #name > 255 or not queue or #queue > 255 or (is_tied and queue == '') then return BADARGS end
  local number = call('HGET', K.lanes(root), name)
  if number then
    local accepted, _, present_queue = read_lane(call('HGET', K.marks(root), number))
    if present_queue ~= queue or (is_tied and not TIES.is_tied(number)) then return { 'conflict', unpack_bytes('>I3', number), accepted } end
    return { 'ok', unpack_bytes('>I3', number), accepted }
  end
  local last = tonumber(call('HGET', root, 'lanes') or 0)
  if last >= TIES.TIED - 1 then return { 'full', 0, 0 } end
  number = pack('>I3', last + 1 + (is_tied and TIES.TIED or 0))
  call('HSET', root, 'lanes', last + 1)
  call('HSET', K.lanes(root), name, number)
  call('HSET', K.marks(root), number, pack('>I5I5B', 0, 0, #queue) .. queue .. name)
  if queue ~= '' then call('HSETNX', K.queues(root), queue, '0') end
  if is_tied then TIES.note_tied(root, queue) end
  return { 'ok', unpack_bytes('>I3', number), 0 }
end
