--- Ends what lapses, makes due Operations ready, goes on with live limits, and lets through what paces let through by now.
-- root     the Segment
-- args     max
-- returns  promoted · lapsed · milliseconds until the earliest is due or lapses, or empty
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   due r p; of what is tied gw gd gs gt pk cd fp fc fs; of what lapses lp lpd, m dl x xn like cancel, c of what runs; rings the bells of lists that were empty
-- flags    allow-oom
-- cost     O(max); of what lapses like cancel
local function promote(root, args)
  local max = tonumber(args[1])
  if not max or max < 1 then return BADARGS end
  local now = now_ms(root)
  local lapsed = end_lapsed(root, max, now)
  local due = call('ZRANGEBYSCORE', K.due(root), '-inf', now, 'LIMIT', 0, max)
  local moves, woken = new_moves(), {}
  if #due > 0 then
    moves.due_gone = due
    local ties = ties_of(root, due)
    for i, static in ipairs(hmget(K.operations(root), due, 1, #due)) do
      if static then
        local queue, priority = read_static(static)
        make_ready(moves, 'back', due[i], queue, priority, flow_of(ties[i]))
      end
    end
  end
  if call('EXISTS', K.settling(root)) == 1 then TIES.settle_more(root, max, now, woken) end
  if call('EXISTS', K.opening(root)) == 1 then open_paces(root, max, now, woken) end
  if #woken > 0 then put_woken(root, moves, woken) end
  if #due + #woken > 0 then commit(root, moves) end
  return { #due, lapsed, due_in(root) }
end
