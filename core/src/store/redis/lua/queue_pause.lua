--- Stops claims from a Queue of the Segment.
-- root     the Segment
-- args     Queue
-- returns  ok | unchanged
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   q
-- flags    allow-oom
-- cost     O(1)
local function queue_pause(root, args)
  local queue = args[1]
  if not queue or queue == '' then return BADARGS end
  local mark = call('HGET', K.queues(root), queue)
  if TIES.PAUSED[mark] then return 'unchanged' end
  call('HSET', K.queues(root), queue, mark == '2' and '3' or '1')
  return 'ok'
end
