--- Adds Operations that need a record of their own; each is remembered by its dot.
-- root     the Segment
-- args     lane number (3 bytes) · lane name · per element: counter (5 bytes), Queue, priority, due (empty, `i` or `a`
--          and milliseconds), first 8 bytes of the SHA-1 of the enqueued bytes, the enqueued bytes, tie record or empty,
--          how it takes its key or empty: `m` (match), `r` (return), `x` (reject), `k` (known), `p` (replace), `s`
--          (postpone) or `b` (debounce), 8 bytes window in milliseconds (a double; 0 for none, below 0 for a timed key), 8 bytes digest
--          (of `b` a double), and
--          to replace: 8 bytes retention (a double), outcome bytes ·
--          lapse record with times from now on, or empty; only with a tie record
-- returns  ok | unknown_lane · a letter per element: o (ok), d (duplicate), c (conflict), k (kept), x (rejected),
--          m (mismatch) · of each of the last three, in order: lane name and counter (5 bytes) of who holds the key
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   op k ks w q n, due or r and p; of what is tied t uk ukx ol pk gw gl cd fp fc fs lp lpd, of what is replaced, or ends at a full gate or makes room there, like cancel; rings the bells of
--          lists that were empty
-- flags    none
-- cost     O(elements); to replace, like cancel

--- How long before now the latest time of a debounced one may lie, at most.
TIES.DEBOUNCE_MS = 366 * 24 * 3600 * 1000

--- Bytes of how it takes its key, at least: those that replace have a retention, too.
TIES.HOW_MIN = { m = 17, r = 17, x = 17, k = 17, p = 25, s = 25, b = 25 }

--- Whether the arguments of one element, from args[at] on, are well formed; its ties are put into `cache`.
function TIES.is_element(args, at, cache)
  local priority = tonumber(args[at + 2])
  if #args[at] ~= 5 or args[at + 1] == '' or #args[at + 1] > 255 or #args[at + 4] ~= 8 then return false end
  if not priority or priority ~= math.floor(priority) or math.abs(priority) > 1000 then return false end
  if args[at + 3] ~= '' and not tonumber(sub(args[at + 3], 2)) then return false end
  if args[at + 8] ~= '' and (#args[at + 8] < 24 or args[at + 6] == '') then return false end
  if args[at + 6] ~= '' and not TIES.is_tie(cache, args[at + 6]) then return false end
  if args[at + 7] == '' then return true end
  local least = TIES.HOW_MIN[sub(args[at + 7], 1, 1)]
  return least ~= nil and #args[at + 7] >= least and args[at + 6] ~= '' and cache[args[at + 6]].key ~= ''
end

--- Whether a digest is the time at which a debounced one must be due, and not somebody else's bytes.
function TIES.is_latest(latest, own, now) return latest < own and latest > now - TIES.DEBOUNCE_MS end

--- Ends the waiting holder of a key as cancelled, so that another takes its place; what runs goes on. Answers whether it
--- waited.
function TIES.replace_holder(root, address, how, now)
  local here = look_up(root, { address }, now)[1]
  if here.state ~= 'scheduled' and here.state ~= 'ready' then return false end
  local moves = new_moves()
  local parked = call('HGET', K.parked(root), address)
  local ties = call('HGET', K.ties(root), address)
  cancel_waiting(moves, address, here, parked, sub(how, 26), now)
  untie(root, moves, { { address = address, ties = ties, fate = 'end' } }, now)
  commit(root, moves, now, (unpack_bytes('>d', how, 18)))
  return true
end

--- The letters that refuse an element whose key is held, by how it takes its key.
TIES.HELD_LETTERS = { r = 'k', x = 'x', k = 'k', s = 'k' }

--- Whether a held key is free for an element that asks what has become of its holder.
function TIES.is_free(root, mode, holder, now)
  local here = look_up(root, { holder }, now)[1]
  if mode == 's' then return here.state == 'scheduled' end
  if here.state == 'missing' or here.state == 'pruned' then return true end
  local letter = here.state == 'finished' and sub(here.record, 1, 1)
  return letter == 'X' or letter == 'K'
end

local function enqueue_full(root, args)
  local lane, name = args[1], args[2]
  local n = (#args - 2) / 9
  if n < 1 or n ~= math.floor(n) then return BADARGS end
  local cache = {}
  for i = 3, #args, 9 do
    if not TIES.is_element(args, i, cache) then return BADARGS end
  end
  local record = call('HGET', K.marks(root), lane)
  if not record then return { 'unknown_lane', '', {} } end
  local accepted, _, lane_queue, present_name = read_lane(record)
  if present_name ~= name or lane_queue ~= '' then return { 'unknown_lane', '', {} } end

  local now = now_ms(root)
  local window = math.floor(now / ID_MEMORY_MS)
  local addresses, answers, highest = {}, {}, accepted
  for i = 3, #args, 9 do
    addresses[#addresses + 1] = lane .. args[i]
    highest = math.max(highest, (unpack_bytes('>I5', args[i])))
  end
  local digests = remembered(root, addresses, window)
  local statics = hmget(K.operations(root), addresses, 1, n)
  local withdrawn = call('EXISTS', K.withdrawn(root)) == 1 and hmget(K.withdrawn(root), addresses, 1, n) or {}

  local moves, fresh, memory, queues, again, stale, stale_queues, bound = new_moves(), {}, {}, {}, {}, {}, {}, {}
  --- Writes what was gathered so far.
  local function write()
    for queue in pairs(queues) do call('HSETNX', K.queues(root), queue, '0') end
    if #memory > 0 then
      variadic('HSET', K.memory(root, window), memory, 1, #memory)
      call('ZADD', K.windows(root), window, window)
    end
    if #again > 0 then supersede(root, again) end
    hset_short(K.ties(root), bound, #bound)
    STALE.drop(root, stale, stale_queues)
    commit(root, moves, now)
    moves, memory, queues, again, stale, stale_queues, bound = new_moves(), {}, {}, {}, {}, {}, {}
  end

  local gated, pass = {}, new_pass(now)
  for _, tie in pairs(cache) do
    if #tie.gates > 0 then gated[#gated + 1] = tie end
  end
  if #gated > 0 then look_at_gates(root, pass, gated) end

  -- `over`: what ends at once; `gone`: what ended to make room.
  local holders, over, gone = {}, new_moves(), {}
  for i, address in ipairs(addresses) do
    local at = 3 + (i - 1) * 9
    local queue, priority, due, digest, body = args[at + 1], tonumber(args[at + 2]), args[at + 3], args[at + 4], args[at + 5]
    local ties, how, lapse = args[at + 6], args[at + 7], args[at + 8]
    local key, line, flow, gates = '', '', nil, nil
    if ties ~= '' then
      local tie = tie_of(cache, ties)
      key, line, flow, gates = tie.key, tie.line, tie.flow, tie.gates
    end
    local known = fresh[address] or digests[i]
    if not known and statics[i] and not gone[address] then
      local _, _, present_body = read_static(statics[i])
      known = digest_of(present_body)
    end
    local letter, latest = 'o', nil
    if known then
      letter = known == digest and 'd' or 'c'
    elseif how ~= '' then
      local holder, holder_digest, before = holder_of(root, key, now)
      local mode, span = sub(how, 1, 1), unpack_bytes('>d', how, 2)
      local is_looking = holder and (mode == 'k' or mode == 's')
      if is_looking then write() end -- it may be an element before this one
      local may_take = is_looking and TIES.is_free(root, mode, holder, now)
      if holder and mode == 'm' then
        letter = holder_digest == sub(how, 10, 17) and 'k' or 'm'
      elseif holder and mode ~= 'p' and mode ~= 'b' and not may_take then
        letter = TIES.HELD_LETTERS[mode]
      elseif holder and mode ~= 'k' then
        write()
        local has_waited = TIES.replace_holder(root, holder, how, now)
        -- What went on in its place may have changed limits.
        pass = new_pass(now)
        pass.is_anew = true
        if has_waited and mode == 'b' then latest = unpack_bytes('>d', holder_digest) end
        before = call('HGET', K.keys(root), key)
        -- Its dot may come again behind this element, long after its memory ended: it is as any other finished one then.
        for later = i + 1, n do
          if addresses[later] == holder then
            statics[later] = false
            withdrawn[later] = call('HGET', K.withdrawn(root), holder)
          end
        end
      end
      if letter == 'o' then
        local expiry = span == 0 and 0 or math.floor(now + math.abs(span))
        local kept = sub(how, 10, 17)
        if mode == 'b' then
          local own = now + unpack_bytes('>d', kept)
          if not (latest and TIES.is_latest(latest, own, now)) then latest = own end
          kept = pack('>d', latest)
        end
        take_key(root, key, address, kept, expiry, before, span < 0)
      else
        put(holders, holder)
      end
    end
    answers[i] = letter
    local is_stopped = false
    if letter == 'o' then
      fresh[address] = digest
      put(memory, address, digest)
      queues[queue] = true
      count(moves, 'enqueued')
      local due_ms = due ~= '' and tonumber(sub(due, 2)) + (sub(due, 1, 1) == 'i' and now or 0) or now
      if latest then due_ms = math.min(due_ms, latest) end
      if gates and #gates > 0 and pass.is_anew then look_at_gates(root, pass, { tie_of(cache, ties) }) end
      if gates and #gates > 0 then TIES.renew_limits(root, moves, pass, gates) end
      -- What ends at a full gate and has no other ties needs no record in between: many may end in one call.
      local is_over = ties ~= '' and key == '' and line == '' and due_ms <= now
        and TIES.ends_at_once(over, pass, address, tie_of(cache, ties), now)
      if not is_over then
        put(moves.static, address, write_static(queue, priority, body))
        if ties ~= '' then put(bound, address, ties) end
        if lapse ~= '' then set_lapse(root, address, lapse, now) end
      end
      if is_over then
        -- It is written at the end, behind what this dot left when it was here before.
      elseif line == '' or join_line(root, line, address, due_ms) then
        if due_ms > now then
          put(moves.due, string.format('%.17g', due_ms), address)
        elseif ties ~= '' and tie_of(cache, ties).has_full and TIES.stops(pass, tie_of(cache, ties)) then
          is_stopped = true
        else
          make_ready(moves, 'back', address, queue, priority, flow)
        end
      end
      if unpack_bytes('>I5', args[at]) <= accepted then put(again, address) end
      if withdrawn[i] then
        put(stale, address)
        put(stale_queues, withdrawn[i])
      end
      if is_stopped then
        write()
        for _, ended in ipairs(TIES.stop(root, address, tie_of(cache, ties), now)) do gone[ended] = true end
        -- As above.
        pass = new_pass(now)
        pass.is_anew = true
      end
    end
  end

  if highest > accepted then call('HSET', K.marks(root), lane, pack('>I5', highest) .. sub(record, 6)) end
  write()
  if #over.finished > 0 then commit(root, over, now, ID_MEMORY_MS) end
  local dots = {}
  if #holders > 0 then
    local lanes = lanes_of(root, holders)
    for i, holder in ipairs(holders) do
      local _, _, _, lane_name = read_lane(lanes[sub(holder, 1, 3)])
      dots[2 * i - 1], dots[2 * i] = lane_name, sub(holder, 4)
    end
  end
  return { 'ok', table.concat(answers), dots }
end
