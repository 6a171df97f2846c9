--- Stops claims from a Queue of the Segment. For what was to go on at gates there, others go on.
-- root     the Segment
-- args     Queue
-- returns  ok | unchanged
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   q; of what goes on gw gl pk cd fp fc fs r p; rings bells
-- flags    allow-oom
-- cost     O(candidates), of a Segment without parked Operations O(1)

--- The gates of the candidates that are of this Queue, by name, with how many there are, 1000 at most.
function TIES.turns_in(root, queue)
  local addresses, gates, wakes = {}, {}, {}
  local all = call('HGETALL', K.candidates(root))
  for i = 1, #all, 2 do
    addresses[(i + 1) / 2], gates[(i + 1) / 2] = all[i], sub(all[i + 1], 9)
  end
  for i, static in ipairs(hmget(K.operations(root), addresses, 1, #addresses)) do
    if static and read_static(static) == queue then add_wake(wakes, gates[i]) end
  end
  table.sort(wakes)
  for _, gate in ipairs(wakes) do wakes[gate] = math.min(wakes[gate], TIES.PASSED_OVER_MAX) end
  return wakes
end

local function queue_pause(root, args)
  local queue = args[1]
  if not queue or queue == '' then return BADARGS end
  local mark = call('HGET', K.queues(root), queue)
  if TIES.PAUSED[mark] then return 'unchanged' end
  call('HSET', K.queues(root), queue, mark == '2' and '3' or '1')
  if call('EXISTS', K.parked(root)) == 0 then return 'ok' end
  local moves, woken = new_moves(), {}
  let_on(root, TIES.turns_in(root, queue), woken)
  if #woken > 0 then
    put_woken(root, moves, woken)
    commit(root, moves, now_ms(root))
  end
  return 'ok'
end
