--- Makes due Operations ready.
-- root     the Segment
-- args     max
-- returns  promoted · milliseconds until the earliest still scheduled is due, or empty
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   due r p; rings the bells of lists that were empty
-- flags    allow-oom
-- cost     O(max)
local function promote(root, args)
  local max = tonumber(args[1])
  if not max or max < 1 then return BADARGS end
  local due = call('ZRANGEBYSCORE', K.due(root), '-inf', now_ms(root), 'LIMIT', 0, max)
  if #due > 0 then
    local moves = new_moves()
    moves.due_gone = due
    for i, static in ipairs(hmget(K.operations(root), due, 1, #due)) do
      if static then
        local queue, priority = read_static(static)
        put_ready(moves, 'back', due[i], queue, priority)
      end
    end
    commit(root, moves)
  end
  return { #due, due_in(root) }
end
