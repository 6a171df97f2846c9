--- Ends running Operations with their results.
-- root     the Segment
-- args     owner · retention in milliseconds · addresses, then for each: token (8 bytes) and outcome bytes in one
-- returns  a letter per element: o (ok), d (duplicate), s (stale)
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   f d ds n; on the full path op m; if there are any: progress g, cancel marks c, waiters a
-- flags    allow-oom
-- cost     O(elements); one concatenation per element
local function complete(root, args)
  local owner, retain = args[1], tonumber(args[2])
  local n = (#args - 2) / 2
  if not retain or n < 1 or n ~= math.floor(n) then return BADARGS end
  local flight = K.flight(root, owner)
  local entries = hmget(flight, args, 3, n + 2)
  local now = now_ms(root)
  local fast = 'c' .. pack('>I6', now)
  local finished, taken, refused, bare, bare_values, bare_places = {}, 0, nil, nil, nil, nil
  for i = 1, n do
    local entry, value = entries[i], args[n + 2 + i]
    if entry and sub(entry, 1, 8) == sub(value, 1, 8) then
      finished[2 * taken + 1] = args[i + 2]
      if #entry > BARE_ENTRY then
        finished[2 * taken + 2] = fast .. value
      else
        bare, bare_values, bare_places = bare or {}, bare_values or {}, bare_places or {}
        put(bare, args[i + 2])
        put(bare_values, value)
        put(bare_places, 2 * taken + 2)
      end
      taken = taken + 1
    else
      refused = refused or {}
      refused[#refused + 1] = i
    end
  end

  local addresses, from, to = args, 3, n + 2
  if refused then
    addresses, from, to = {}, 1, taken
    for i = 1, taken do addresses[i] = finished[2 * i - 1] end
  end
  local letters = refused and answer_refused(root, args, n, refused)
  if taken == 0 then return letters end
  if bare then
    for i, record in ipairs(hmget(K.metas(root), bare, 1, #bare)) do
      local meta = read_meta(record)
      finished[bare_places[i]] = 'C' .. pack('>I6', now) .. write_counters(meta, meta.attempts + 1) .. bare_values[i]
    end
  end

  write_finished(root, finished, now, retain)
  variadic('HDEL', flight, addresses, from, to)
  if bare then
    variadic('HDEL', K.operations(root), bare, 1, #bare)
    variadic('HDEL', K.metas(root), bare, 1, #bare)
  end
  call('HINCRBY', K.totals(root), 'completed', taken)
  if call('EXISTS', K.progress(root, owner), K.cancels(root, owner), K.waiters(root)) > 0 then
    variadic('HDEL', K.progress(root, owner), addresses, from, to)
    variadic('HDEL', K.cancels(root, owner), addresses, from, to)
    settle(root, completed_events(finished, now))
  end
  return letters or string.rep('o', n)
end
