--- Cancels waiting Operations, marks running ones.
-- root     the Segment
-- args     retention in milliseconds · outcome bytes with the reason · per dot: lane name, counter (5 bytes)
-- returns  a letter per dot: c (cancelled), r (requested), t (terminal), m (missing)
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   d ds n, x xn of what waits in a list, op m due of the full path; c of what runs; waiters a; of what is tied t
--          uk ukx ol gw pk cd fp fc fs r p due
-- flags    allow-oom
-- cost     O(dots × (slices + owners)), reads only beyond the dots
local function cancel(root, args)
  local retain, reason = tonumber(args[1]), args[2]
  if not retain or #args < 4 or #args % 2 ~= 0 then return BADARGS end
  local now = now_ms(root)
  local addresses = addresses_of(root, args, 3)
  local found = look_up(root, addresses, now)
  local moves, letters, before, marks, told, loose = new_moves(), {}, {}, {}, {}, {}
  local ties = ties_of(root, addresses)
  local parked = #ties > 0 and hmget(K.parked(root), addresses, 1, #addresses) or {}
  for i, address in ipairs(addresses) do
    local here = found[i]
    if before[address] then
      letters[i] = before[address] == 'c' and 't' or before[address]
    elseif here.state == 'running' then
      letters[i] = 'r'
      marks[#marks + 1] = { address = address, owner = here.owner }
    elseif here.state == 'scheduled' or here.state == 'ready' then
      letters[i] = 'c'
      cancel_waiting(moves, address, here, parked[i], reason, now)
      put(loose, { address = address, ties = ties[i], fate = 'end' })
    else
      letters[i] = here.state == 'missing' and 'm' or 't'
    end
    if address ~= '' then before[address] = letters[i] end
  end

  for _, mark in ipairs(marks) do
    call('HSETNX', K.cancels(root, mark.owner), mark.address, reason)
    told[mark.owner] = true
  end
  untie(root, moves, loose, now)
  commit(root, moves, now, retain)
  for owner in pairs(told) do ring(root, 'm', owner) end
  return table.concat(letters)
end
