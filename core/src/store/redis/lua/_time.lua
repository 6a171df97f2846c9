--- The store's time, read once per call. The test build reads a key instead, so that a test can set the time.
local function now_us(root) local t = call('TIME'); return t[1] * 1000000 + t[2] end -- @clock

--- Milliseconds since 1970.
local function now_ms(root) return math.floor(now_us(root) / 1000) end
