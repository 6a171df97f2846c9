--- What lapses, ends (_lapse.lua has the records): as failed while it waits; while it runs it is marked, and fails with that.

--- Gives a new Operation its times; `given` is its record with times from now on. Rings if it is the first that lapses.
local function set_lapse(root, address, given, now)
  local start_in, end_in = unpack_bytes('>dd', given)
  local record = pack('>dd', math.floor(now + start_in), math.floor(now + end_in)) .. sub(given, 17)
  local at = lapses_at(record)
  if at == NEVER then return end
  local first = tonumber(call('ZRANGE', K.lapsing(root), 0, 0, 'WITHSCORES')[2])
  call('HSET', K.lapses(root), address, record)
  call('ZADD', K.lapsing(root), string.format('%.17g', at), address)
  if not first or at < first then ring(root, 'd', string.format('%.0f', math.max(0, at - now))) end
end

--- Ends what waits as failed. Beside each address the Queue on whose list it stays, withdrawn; or 'due'; or nothing.
local function fail_lapsed(root, addresses, listed, is_due, now)
  local n = #addresses
  local records, metas = hmget(K.lapses(root), addresses, 1, n), hmget(K.metas(root), addresses, 1, n)
  local ties = ties_of(root, addresses)
  local moves, loose = new_moves(), {}
  for i, address in ipairs(addresses) do
    local element = { address = address, ties = ties[i] }
    end_failed(moves, element, read_meta(metas[i]), sub(records[i], 25), now, (unpack_bytes('>d', records[i], 17)))
    loose[i] = element
    if is_due[i] then put(moves.due_gone, address) end
    local queue = listed[i]
    if queue then
      put(moves.withdrawn, address, queue)
      moves.withdrawn_counts[queue] = (moves.withdrawn_counts[queue] or 0) + 1
    end
  end
  untie(root, moves, loose, now)
  commit(root, moves, now)
end

--- Ends or marks up to `max` Operations whose time has come; answers how many.
local function end_lapsed(root, max, now)
  local over = call('ZRANGEBYSCORE', K.lapsing(root), '-inf', now, 'LIMIT', 0, max)
  if #over == 0 then return 0 end
  local found = look_up(root, over, now)
  local parked, records = hmget(K.parked(root), over, 1, #over), hmget(K.lapses(root), over, 1, #over)
  local waiting, listed, is_due, gone, told = {}, {}, {}, {}, {}
  for i, address in ipairs(over) do
    local here = found[i]
    if here.state == 'running' and records[i] then
      call('HSETNX', K.cancels(root, here.owner), address, sub(records[i], 25))
      call('ZREM', K.lapsing(root), address)
      told[here.owner] = true
    elseif here.static and records[i] and (here.state == 'ready' or here.state == 'scheduled') then
      waiting[#waiting + 1] = address
      is_due[#waiting] = here.state == 'scheduled'
      listed[#waiting] = here.state == 'ready' and not parked[i] and read_static(here.static) or false
    else
      gone[#gone + 1] = address
    end
  end
  drop_lapses(root, gone)
  if #waiting > 0 then fail_lapsed(root, waiting, listed, is_due, now) end
  for owner in pairs(told) do ring(root, 'm', owner) end
  return #over
end

--- A marked one ends: as cancelled, or as failed if it was its lapse that marked it. Answers whether it failed.
local function end_marked(root, moves, element, meta, now)
  local record = element.ties and call('HGET', K.lapses(root), element.address)
  if not record or sub(record, 25) ~= element.mark then
    end_cancelled(moves, element, meta, meta.attempts + 1, element.mark, now)
    return false
  end
  meta.attempts = meta.attempts + 1
  end_failed(moves, element, meta, element.mark, now, (unpack_bytes('>d', record, 17)))
  return true
end
