--- Raises an owner's beat counter; tells what it holds and what of it was marked for cancelling.
-- root     the Segment
-- args     owner
-- returns  ok | missing · beat · held · marked addresses
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   b
-- flags    allow-oom
-- cost     O(marked)
local function extend(root, args)
  local owner = args[1]
  if not owner or owner == '' then return BADARGS end
  local record = call('HGET', K.owners(root), owner)
  if not record then return { 'missing', 0, 0 } end
  local beat, request, token = read_owner(record)
  call('HSET', K.owners(root), owner, write_owner(beat + 1, request, token))
  local reply = { 'ok', beat + 1, call('HLEN', K.flight(root, owner)) }
  for _, address in ipairs(call('HKEYS', K.cancels(root, owner))) do put(reply, address) end
  return reply
end
