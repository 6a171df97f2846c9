--- Opens a new generation of failed Operations, at the end of their lists, or where they stand on one still.
-- root     the Segment
-- args     per dot: lane name, counter (5 bytes)
-- returns  a letter per dot: o (ok), i (illegal), m (missing)
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   dl m r p; ol pk of what stands in a line; pk gw fp fc fs of what bears a flow; x xn of what failed on a list; rings the bells of lists that were empty
-- flags    allow-oom
-- cost     O(dots × (slices + owners)), reads only beyond the dots
--          what lapsed on a list and stands there still or waits in a line: also O(that list) each
local function requeue(root, args)
  if #args < 2 or #args % 2 ~= 0 then return BADARGS end
  local addresses = addresses_of(root, args, 1)
  local found = look_up(root, addresses, now_ms(root))
  local moves, letters, before = new_moves(), {}, {}
  local ties = ties_of(root, addresses)
  local withdrawn = call('EXISTS', K.withdrawn(root)) == 1 and hmget(K.withdrawn(root), addresses, 1, #addresses) or {}
  for i, address in ipairs(addresses) do
    local here = found[i]
    if here.state == 'failed' and not before[address] then
      before[address] = true
      letters[i] = 'o'
      local queue, priority = read_static(here.static)
      local meta = read_meta(here.meta)
      meta.generation, meta.attempts, meta.recoveries, meta.returns = meta.generation + 1, 0, 0, 0
      meta.finished = 0
      keep_record(moves, address, nil, meta)
      put(moves.dead_gone, address)
      local may_go = may_go_on(root, address, ties[i])
      local is_in_place = withdrawn[i] and STALE.take_back(root, address, withdrawn[i], priority, queue, may_go)
      if may_go and not is_in_place then
        make_ready(moves, 'back', address, queue, priority, flow_of(ties[i]))
      end
    else
      letters[i] = here.state == 'missing' and 'm' or 'i'
    end
  end
  commit(root, moves)
  return table.concat(letters)
end
