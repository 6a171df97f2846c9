--- Takes back what a silent owner held, latest claims first.
-- root     the Segment
-- args     owner · beat seen · max · most recoveries · retention in milliseconds · outcome bytes of a poisoned one
-- returns  ok | stale | missing · rescued · failed · cancelled · left
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   f b op m n, then r and p or dl or d ds; progress g, cancel marks c, waiters a; rings bells; of what is tied t
--          uk ukx ol gu gw pk cd fp fc fs
-- flags    allow-oom
-- cost     O(held by the owner) to read, O(max) to write
local function rescue(root, args)
  local owner, beat_seen, max = args[1], tonumber(args[2]), tonumber(args[3])
  local recoveries_max, retain, poison = tonumber(args[4]), tonumber(args[5]), args[6]
  if not beat_seen or not max or max < 0 or not recoveries_max or not retain or not poison then return BADARGS end
  local record = call('HGET', K.owners(root), owner)
  if not record then return { 'missing', 0, 0, 0, 0 } end
  if read_owner(record) ~= beat_seen then return { 'stale', 0, 0, 0, call('HLEN', K.flight(root, owner)) } end

  local all = all_held(root, owner)
  local latest = {}
  for i = #all, math.max(1, #all - max + 1), -1 do put(latest, all[i]) end
  load_held(root, owner, latest)
  local now = now_ms(root)
  local moves, gone = new_moves(), {}
  local rescued, failed, cancelled = 0, 0, 0
  for _, element in ipairs(latest) do
    local address, meta = element.address, element.meta
    put(gone, address)
    if element.mark then
      if end_marked(root, moves, element, meta, now) then failed = failed + 1 else cancelled = cancelled + 1 end
    elseif meta.recoveries + 1 > recoveries_max then
      meta.attempts = meta.attempts + 1
      end_failed(moves, element, meta, poison, now, retain)
      failed = failed + 1
    else
      meta.recoveries, meta.returns = meta.recoveries + 1, meta.returns + 1
      keep_record(moves, address, element.new_static, meta)
      make_ready(moves, 'front', address, element.queue, element.priority, flow_of(element.ties))
      count(moves, 'rescued')
      rescued = rescued + 1
    end
  end
  let_go(root, owner, gone)
  local left = #all - #latest
  if left == 0 then call('HDEL', K.owners(root), owner) end
  untie(root, moves, latest, now)
  commit(root, moves, now, retain)
  TIES.freed(root)
  return { 'ok', rescued, failed, cancelled, left }
end
