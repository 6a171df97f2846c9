--- Ends running Operations with their results.
-- root     the Segment
-- args     owner · retention in milliseconds · runs of tokens: 8 bytes token, 4 bytes how many in a row have it, the highest
--          bit set if they are of tied lanes · addresses · outcome bytes of each
-- returns  a letter per element: o (ok), d (duplicate), s (stale)
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   f d ds n; on the full path op m; if there are any: progress g, cancel marks c, waiters a; of what is tied t uk
--          ukx ol gu gl gw pk cd fp fc fs r p due
-- flags    allow-oom
-- cost     O(elements); one concatenation per element

TIES.OF_TIED = 0x80000000

--- The same call without what is named again, when an element before it was taken; and the letters of all, once `complete`
--- has been asked again. What the call has let go of is held again first.
function TIES.complete_once(root, args, n, entries, complete)
  local run, left, token, flag, seen = 1, 0, nil, nil, {}
  local held, runs, addresses, values, places, letters = {}, {}, {}, {}, {}, {}
  for i = 1, n do
    if left == 0 then
      token, left = sub(args[3], run, run + 7), unpack_bytes('>I4', args[3], run + 8)
      flag = left >= TIES.OF_TIED and TIES.OF_TIED or 0
      left, run = left - flag, run + 12
    end
    left = left - 1
    local address, entry = args[i + 3], entries[i]
    local is_taken = entry and sub(entry, 1, 8) == token
    if is_taken and seen[address] then
      letters[i] = 'd'
    else
      if is_taken then
        seen[address] = true
        put(held, address, entry)
      end
      put(runs, token .. pack('>I4', flag + 1))
      put(addresses, address)
      put(values, args[n + 3 + i])
      put(places, i)
    end
  end
  variadic('HSET', K.flight(root, args[1]), held, 1, #held)
  local again = { args[1], args[2], table.concat(runs) }
  for _, address in ipairs(addresses) do put(again, address) end
  for _, value in ipairs(values) do put(again, value) end
  local found = complete(root, again)
  for i, place in ipairs(places) do letters[place] = sub(found, i, i) end
  return table.concat(letters)
end

--- What full-path Operations and those of tied lanes have let go of, in the order they ended.
function TIES.loosened(args, n, entries, refused, ties)
  local out, loose, bare = {}, {}, 0
  for _, place in ipairs(refused) do out[place] = true end
  for i = 1, n do
    if not out[i] then
      local record
      if #entries[i] > BARE_ENTRY then
        record = TIES.of_entry(entries[i])
      else
        bare = bare + 1
        record = ties[bare]
      end
      put(loose, { address = args[i + 3], ties = record, entry = true, fate = 'end' })
    end
  end
  return loose
end

local function complete(root, args)
  local owner, retain, runs = args[1], tonumber(args[2]), args[3]
  local n = (#args - 3) / 2
  if not retain or n < 1 or n ~= math.floor(n) or #runs < 12 then return BADARGS end
  local entries = hmget(K.flight(root, owner), args, 4, n + 3)
  local now = now_ms(root)
  local ended_at = pack('>I6', now)

  local finished, taken = {}, 0
  local refused, refused_tokens, bare, bare_places = {}, {}, {}, {}
  local run, left, token, fast, is_tied = 1, 0, nil, nil, false
  local heads, want, number, to, last = nil, TIES.want, 0, 0, nil
  for i = 1, n do
    if left == 0 then
      if run > #runs then return BADARGS end
      token, left = sub(runs, run, run + 7), unpack_bytes('>I4', runs, run + 8)
      is_tied = left >= TIES.OF_TIED
      if is_tied then
        left = left - TIES.OF_TIED
        if not heads then TIES.new_tally() end
        heads = TIES.heads
      end
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
        if is_tied then
          local tie = heads[sub(entry, BARE_ENTRY + 1, to)]
          if not tie then tie, to = TIES.met(entry, ENTRY_HEAD + 1) end
          if tie == last then
            number = number + 1
          else
            if last then want(last, number) end
            number, last = 1, tie
          end
        end
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
  -- Fewer went than were taken: one was named twice.
  if variadic('HDEL', K.flight(root, owner), addresses, from, to) < taken / 2 then
    return TIES.complete_once(root, args, n, entries, complete)
  end
  for i, record in ipairs(hmget(K.metas(root), bare, 1, #bare)) do
    local meta = read_meta(record)
    local place = bare_places[i]
    finished[place] = 'C' .. ended_at .. write_counters(meta, meta.attempts + 1) .. finished[place]
  end

  local ties = ties_of(root, bare)

  write_finished(root, finished, now, retain)
  variadic('HDEL', K.operations(root), bare, 1, #bare)
  variadic('HDEL', K.metas(root), bare, 1, #bare)
  call('HINCRBY', K.totals(root), 'completed', taken / 2)
  if call('EXISTS', K.progress(root, owner), K.cancels(root, owner), K.waiters(root), K.live(root)) > 0 then
    variadic('HDEL', K.progress(root, owner), addresses, from, to)
    variadic('HDEL', K.cancels(root, owner), addresses, from, to)
    settle(root, completed_events(finished, now))
    TIES.freed(root)
  end
  if #ties > 0 then
    local moves = new_moves()
    untie(root, moves, TIES.loosened(args, n, entries, refused, ties), now)
    commit(root, moves, now)
  elseif last then
    want(last, number)
    TIES.give_back(root)
  end
  return letters or string.rep('o', n)
end
