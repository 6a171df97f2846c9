--- Lets claims from a Queue of the Segment go on.
-- root     the Segment
-- args     Queue
-- returns  ok | unchanged
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   q; rings the bell
-- flags    allow-oom
-- cost     O(priorities)
local function queue_resume(root, args)
  local queue = args[1]
  if not queue or queue == '' then return BADARGS end
  local mark = call('HGET', K.queues(root), queue)
  if not TIES.PAUSED[mark] then return 'unchanged' end
  call('HSET', K.queues(root), queue, mark == '3' and '2' or '0')
  ring(root, 'b', queue, TIES.highest_of(root, queue))
  return 'ok'
end
