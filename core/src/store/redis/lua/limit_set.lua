--- Sets the live limit of a gate, or of all before whose colon a name stands; or takes it back.
-- root     the Segment
-- args     name · `s`, `p` or empty to take it back · slots, or milliseconds each (0: any) · burst of a pace or empty · how
--          many of those that are parked go on in this call, at most
-- returns  ok | unchanged · 1 if all that is parked was told, else 0: promote goes on with it
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   go gs; of paces gt gd; of what goes on gw gl pk cd fp fc fs r p; rings bells, and who waits for due times
-- flags    allow-oom
-- cost     O(1000 + max + candidates)
local function limit_set(root, args)
  local name, kind, number, burst, max = args[1], args[2], tonumber(args[3]), tonumber(args[4]), tonumber(args[5])
  if not name or name == '' or #name > 255 or not max or max < 1 or max > 1000 then return BADARGS end
  local now, record = now_ms(root), nil
  if kind == 's' then
    if not number or number < 0 or number > 4294967295 or number ~= math.floor(number) then return BADARGS end
    record = 's' .. pack('>I6I4', now, number)
  elseif kind == 'p' then
    if not number or number < 0 or not burst or burst < 1 or burst > 4294967295 then return BADARGS end
    record = 'p' .. pack('>I6dI4', now, number, burst)
  elseif kind ~= '' then
    return BADARGS
  end
  local before = call('HGET', K.live(root), name)
  local place = call('HGET', K.settling(root), name) or 'k0'
  local is_same = not record and not before
  -- A rest counts from when it is set.
  if record and before and name ~= '=!' then is_same = sub(before, 1, 1) .. sub(before, 8) == sub(record, 1, 1) .. sub(record, 8) end
  if not is_same then
    if record then call('HSET', K.live(root), name, record) else call('HDEL', K.live(root), name) end
    place = 't'
  end
  local moves, woken, left = new_moves(), {}, max
  place, left = TIES.settle(root, name, place, left, now, woken)
  TIES.begin_settling(root, name, place)
  if #woken > 0 then
    put_woken(root, moves, woken)
    commit(root, moves, now)
  end
  if sub(name, 1, 1) == '=' then TIES.ring_queues(root) end
  local due = due_in(root)
  if due ~= '' and tonumber(due) <= 0 then ring(root, 'd', due) end
  return { is_same and 'unchanged' or 'ok', place and 0 or 1 }
end
