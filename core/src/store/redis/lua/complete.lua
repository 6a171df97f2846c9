--- Ends running Operations with their results.
-- root     the Segment
-- args     owner · retention in milliseconds · runs of tokens: 8 bytes token, 4 bytes how many in a row have it ·
--          addresses · outcome bytes of each
-- returns  a letter per element: o (ok), d (duplicate), s (stale)
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   f d ds n; on the full path op m; if there are any: progress g, cancel marks c, waiters a; of what is tied t uk
--          ukx ol gu gw pk cd fp fc fs r p due
-- flags    allow-oom
-- cost     O(elements); one concatenation per element
local function complete(root, args)
  local owner, retain, runs = args[1], tonumber(args[2]), args[3]
  local n = (#args - 3) / 2
  if not retain or n < 1 or n ~= math.floor(n) or #runs < 12 then return BADARGS end
  local entries = hmget(K.flight(root, owner), args, 4, n + 3)
  local now = now_ms(root)
  local ended_at = pack('>I6', now)

  local finished, taken = {}, 0
  local refused, refused_tokens, bare, bare_places = {}, {}, {}, {}
  local run, left, token, fast = 1, 0, nil, nil
  for i = 1, n do
    if left == 0 then
      if run > #runs then return BADARGS end
      token, left = sub(runs, run, run + 7), unpack_bytes('>I4', runs, run + 8)
      fast, run = 'c' .. ended_at .. token, run + 12
    end
    left = left - 1
    local entry = entries[i]
    -- The token stands first in the entry; comparing in place makes no string.
    if entry and index_of(entry, token, 1, true) == 1 then
      taken = taken + 2
      finished[taken - 1] = args[i + 3]
      if #entry > BARE_ENTRY then
        finished[taken] = fast .. args[n + 3 + i]
      else
        finished[taken] = token .. args[n + 3 + i]
        put(bare, args[i + 3])
        put(bare_places, taken)
      end
    else
      put(refused, i)
      put(refused_tokens, token)
    end
  end

  local addresses, from, to = args, 4, n + 3
  local letters
  if #refused > 0 then
    letters = answer_refused(root, n, refused, refused_tokens, args, 3)
    addresses, from, to = {}, 1, taken / 2
    for i = 1, to do addresses[i] = finished[2 * i - 1] end
  end
  if taken == 0 then return letters end
  for i, record in ipairs(hmget(K.metas(root), bare, 1, #bare)) do
    local meta = read_meta(record)
    local place = bare_places[i]
    finished[place] = 'C' .. ended_at .. write_counters(meta, meta.attempts + 1) .. finished[place]
  end

  local ties = ties_of(root, bare)

  write_finished(root, finished, now, retain)
  variadic('HDEL', K.flight(root, owner), addresses, from, to)
  variadic('HDEL', K.operations(root), bare, 1, #bare)
  variadic('HDEL', K.metas(root), bare, 1, #bare)
  call('HINCRBY', K.totals(root), 'completed', taken / 2)
  if call('EXISTS', K.progress(root, owner), K.cancels(root, owner), K.waiters(root)) > 0 then
    variadic('HDEL', K.progress(root, owner), addresses, from, to)
    variadic('HDEL', K.cancels(root, owner), addresses, from, to)
    settle(root, completed_events(finished, now))
  end
  if #ties > 0 then
    local moves, loose = new_moves(), {}
    for i, address in ipairs(bare) do loose[i] = { address = address, ties = ties[i], entry = true, fate = 'end' } end
    untie(root, moves, loose, now)
    commit(root, moves, now)
  end
  return letters or string.rep('o', n)
end
