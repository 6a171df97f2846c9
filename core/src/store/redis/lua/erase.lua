--- Deletes the records of what is over: failed, completed or cancelled. Nothing that waits or runs is touched.
-- root     the Segment
-- args     per dot: lane name, counter (5 bytes)
-- returns  a letter per dot: o (ok), i (illegal: it is not over), m (missing)
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   dl op m t of failed ones; d of finished ones
-- flags    allow-oom
-- cost     O(dots × (slices + owners))
local function erase(root, args)
  if #args < 2 or #args % 2 ~= 0 then return BADARGS end
  local addresses = addresses_of(root, args, 1)
  local found = look_up(root, addresses, now_ms(root))
  local letters, gone, dead, finished = {}, {}, {}, {}
  for i, address in ipairs(addresses) do
    local state = found[i].state
    if gone[address] or state == 'missing' or state == 'pruned' then
      letters[i] = 'm'
    elseif state == 'failed' or state == 'finished' then
      letters[i] = 'o'
      gone[address] = true
      put(state == 'failed' and dead or finished, address)
    else
      letters[i] = 'i'
    end
  end
  variadic('ZREM', K.dead(root), dead, 1, #dead)
  variadic('HDEL', K.operations(root), dead, 1, #dead)
  variadic('HDEL', K.metas(root), dead, 1, #dead)
  variadic('HDEL', K.ties(root), dead, 1, #dead)
  if #finished > 0 then
    for _, slice in ipairs(call('ZRANGE', K.slices(root), 0, -1)) do
      variadic('HDEL', K.slice(root, slice), finished, 1, #finished)
    end
  end
  return table.concat(letters)
end
