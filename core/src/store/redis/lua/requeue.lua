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
  local dead = dead_of(root, addresses)
  for i, address in ipairs(addresses) do
    local here = found[i]
    if here.state == 'failed' and not before[address] then
      before[address] = true
      letters[i] = 'o'
      local queue, priority = read_static(here.static)
      revive(root, moves, dead, i, here.meta, nil, queue, priority)
    else
      letters[i] = here.state == 'missing' and 'm' or 'i'
    end
  end
  commit(root, moves)
  return table.concat(letters)
end
