--- Opens a new generation of failed Operations, changed: with another input, in another Queue.
-- root     the Segment
-- args     per element: lane name, counter (5 bytes), Queue or empty, `=` to keep the enqueued bytes or `!` and new ones
-- returns  a letter per element: o (ok), i (illegal), m (missing)
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   op dl m q r p; ol pk of what stands in a line; pk gw fp fc fs of what bears a flow; x xn of what failed on a list; rings the bells of lists that were empty
-- flags    none
-- cost     O(elements × (slices + owners)), reads only beyond the elements
--          what lapsed on a list and stands there still and goes to another Queue or waits in a line: also O(that list) each
local function redrive(root, args)
  if #args < 4 or #args % 4 ~= 0 then return BADARGS end
  local dots = {}
  for i = 1, #args, 4 do
    if #args[i + 2] > 255 or #args[i + 3] == 0 then return BADARGS end
    put(dots, args[i], args[i + 1])
  end
  local addresses = addresses_of(root, dots, 1)
  local found = look_up(root, addresses, now_ms(root))
  local moves, letters, before, queues = new_moves(), {}, {}, {}
  local dead = dead_of(root, addresses)
  for i, address in ipairs(addresses) do
    local here, to, body = found[i], args[4 * i - 1], args[4 * i]
    if here.state == 'failed' and not before[address] then
      before[address] = true
      letters[i] = 'o'
      local queue, priority, present_body = read_static(here.static)
      if to ~= '' then
        queue = to
        put(queues, queue)
      end
      if sub(body, 1, 1) == '!' then body = sub(body, 2) else body = present_body end
      revive(root, moves, dead, i, here.meta, write_static(queue, priority, body), queue, priority)
    else
      letters[i] = here.state == 'missing' and 'm' or 'i'
    end
  end
  for _, queue in ipairs(queues) do call('HSETNX', K.queues(root), queue, '0') end
  commit(root, moves)
  return table.concat(letters)
end
