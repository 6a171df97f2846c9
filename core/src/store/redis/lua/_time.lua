--- The store's time, read once per call. The test build reads a key instead, so that a test can set the time.
local function now_us(root) local t = call('TIME'); return t[1] * 1000000 + t[2] end -- @clock

--- Milliseconds since 1970.
local function now_ms(root) return math.floor(now_us(root) / 1000) end

--- Milliseconds until the earliest scheduled Operation is due, not above 0 once it is; empty if there is none.
local function due_in(root)
  local earliest = call('ZRANGE', K.due(root), 0, 0, 'WITHSCORES')[2]
  return earliest and string.format('%.0f', tonumber(earliest) - now_ms(root)) or ''
end
