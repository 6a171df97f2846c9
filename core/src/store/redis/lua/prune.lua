--- Deletes what is past its retention: finished slices, dead letters, old windows of the id memory, keys.
-- root     the Segment
-- args     max
-- returns  finished records · dead letters · windows · 1 if a bound was hit and something is left, else 0
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   d ds dl op m t k ks uk ukx gt go fc fs
-- flags    allow-oom
-- cost     O(max); the records of a slice are freed in the background
local function prune(root, args)
  local max = tonumber(args[1])
  if not max or max < 1 then return BADARGS end
  local now = now_ms(root)
  local slices = call('ZRANGEBYSCORE', K.slices(root), '-inf', now, 'LIMIT', 0, max + 1)
  local dead = call('ZRANGEBYSCORE', K.dead(root), '-inf', now, 'LIMIT', 0, max + 1)
  local windows = call('ZRANGEBYSCORE', K.windows(root), '-inf', math.floor(now / ID_MEMORY_MS) - 2)
  local keys = call('ZRANGEBYSCORE', K.expiries(root), '-inf', now, 'LIMIT', 0, max + 1)
  local still = call('ZRANGEBYSCORE', K.paces(root), '-inf', now, 'LIMIT', 0, max + 1)
  local more = (#slices > max or #dead > max or #keys > max or #still > max) and 1 or 0
  slices[max + 1], dead[max + 1], keys[max + 1], still[max + 1] = nil, nil, nil, nil

  local finished = 0
  for _, slice in ipairs(slices) do
    finished = finished + call('HLEN', K.slice(root, slice))
    call('UNLINK', K.slice(root, slice))
  end
  variadic('ZREM', K.slices(root), slices, 1, #slices)
  variadic('ZREM', K.dead(root), dead, 1, #dead)
  variadic('HDEL', K.operations(root), dead, 1, #dead)
  variadic('HDEL', K.metas(root), dead, 1, #dead)
  variadic('HDEL', K.ties(root), dead, 1, #dead)
  variadic('ZREM', K.expiries(root), keys, 1, #keys)
  for i, member in ipairs(keys) do keys[i] = sub(member, 9) end
  variadic('HDEL', K.keys(root), keys, 1, #keys)
  variadic('ZREM', K.paces(root), still, 1, #still)
  local rest = TIES.read_live(call('HGET', K.live(root), '=!'))
  if rest and rest.every and rest.since + rest.every <= now then call('HDEL', K.live(root), '=!') end
  -- While nothing is parked nobody's turn depends on what was before.
  if call('EXISTS', K.clocks(root)) == 1 and call('EXISTS', K.parked(root)) == 0 then
    for _, gate in ipairs(call('HKEYS', K.clocks(root))) do call('UNLINK', K.served(root, gate)) end
    call('UNLINK', K.clocks(root))
  end
  for _, window in ipairs(windows) do call('UNLINK', K.memory(root, window)) end
  variadic('ZREM', K.windows(root), windows, 1, #windows)
  return { finished, #dead, #windows, more }
end
