--- Reads Operations by dot; with a waiter, also notes who waits for those that are not terminal.
-- root     the Segment
-- args     waiting instance or empty · per dot: lane name, counter (5 bytes)
-- returns  per dot an array, as _view.lua writes it
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   with a waiter: a
-- flags    no-writes, find_wait: allow-oom
-- cost     O(dots × (slices + owners))

--- Notes where those that are ready are parked.
function LIST.note_parked(root, addresses, found)
  local ready, at = {}, {}
  for i, here in ipairs(found) do
    if here.state == 'ready' and here.static then
      put(ready, addresses[i])
      put(at, here)
    end
  end
  for i, record in ipairs(hmget(K.parked(root), ready, 1, #ready)) do at[i].parked = record or nil end
end

local function find(root, args)
  local instance = args[1]
  if not instance or #args < 3 or #args % 2 ~= 1 then return BADARGS end
  local addresses = addresses_of(root, args, 2)
  local found = look_up(root, addresses, now_ms(root))
  LIST.note_parked(root, addresses, found)
  if instance ~= '' then wait_for(root, addresses, found, instance) end
  local views = {}
  for i, address in ipairs(addresses) do views[i] = view(root, address, found[i]) end
  return views
end
