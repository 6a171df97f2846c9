--- The store's time, read once per call. The test build reads a key instead, so that a test can set the time.
local function now_us(root) local t = call('TIME'); return t[1] * 1000000 + t[2] end -- @clock

--- Milliseconds since 1970.
local function now_ms(root) return math.floor(now_us(root) / 1000) end

--- When the earliest scheduled Operation is due, the earliest pace lets one through or the first lapses, or nil.
local function earliest_due(root)
  local earliest
  for _, key in ipairs({ K.due(root), K.opening(root), K.lapsing(root) }) do
    local at = tonumber(call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
    if at and (not earliest or at < earliest) then earliest = at end
  end
  return earliest
end

--- Milliseconds until then, rounded up, not above 0 once it is; empty if there is nothing.
local function due_in(root)
  if call('EXISTS', K.settling(root)) == 1 then return '0' end
  local earliest = earliest_due(root)
  return earliest and string.format('%.0f', math.ceil(earliest - now_ms(root)) + 0) or ''
end
