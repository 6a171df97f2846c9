--- Records of the full path, and moves of many Operations collected before the first write.
--
--   static record   | 2 B priority | 1 B n | n B Queue | enqueued bytes |
--   dynamic record  | 4 B generation | 4 B attempts | 4 B recoveries | 4 B returns | 8 B token | 6 B finished | value |
--
-- `attempts` is what a reader sees while the Operation does not run; `value` starts with one byte: '1' and bytes, or '0'.
--- How long a dot of the full path is remembered, at least; engine/lease.ts has the same number.
local ID_MEMORY_MS = 86400000

local ZERO_TOKEN = '\0\0\0\0\0\0\0\0'

local function write_static(queue, priority, body)
  return pack('>i2B', priority, #queue) .. queue .. body
end

--- Queue, priority, enqueued bytes
local function read_static(record)
  local priority, length = unpack_bytes('>i2B', record)
  return sub(record, 4, 3 + length), priority, sub(record, 4 + length)
end

local function write_counters(meta, attempt)
  return pack('>I4I4I4I4', meta.generation, attempt, meta.recoveries, meta.returns)
end

local function write_meta(meta)
  return write_counters(meta, meta.attempts) .. meta.token .. pack('>I6', meta.finished)
    .. (meta.value and ('1' .. meta.value) or '0')
end

--- A fresh table; `record` false means that everything is zero.
local function read_meta(record)
  if not record then
    return { generation = 0, attempts = 0, recoveries = 0, returns = 0, token = ZERO_TOKEN, finished = 0, value = false }
  end
  local generation, attempts, recoveries, returns = unpack_bytes('>I4I4I4I4', record)
  return {
    generation = generation, attempts = attempts, recoveries = recoveries, returns = returns,
    token = sub(record, 17, 24), finished = unpack_bytes('>I6', record, 25),
    value = sub(record, 31, 31) == '1' and sub(record, 32),
  }
end

--- The names of a Queue's lists in claim order, and their priorities beside them.
local function lists_of(root, queue)
  local others = call('ZREVRANGE', K.priorities(root, queue), 0, -1)
  if #others == 0 then return { K.ready(root, queue, 0) }, { 0 } end
  local priorities, names = {}, {}
  for _, text in ipairs(others) do
    local priority = tonumber(text)
    if priority < 0 and (priorities[#priorities] or 1) > 0 then priorities[#priorities + 1] = 0 end
    priorities[#priorities + 1] = priority
  end
  if priorities[#priorities] > 0 then priorities[#priorities + 1] = 0 end
  for i, priority in ipairs(priorities) do names[i] = K.ready(root, queue, priority) end
  return names, priorities
end

--- Moves collected during the check phase; `commit` writes them.
local function new_moves()
  return {
    static = {}, static_gone = {}, meta = {}, meta_gone = {}, due = {}, due_gone = {}, dead = {}, dead_gone = {},
    withdrawn = {}, withdrawn_counts = {}, fair = {}, lists = {}, settled = {}, finished = {},
    totals = {},
  }
end

local function count(moves, total)
  moves.totals[total] = (moves.totals[total] or 0) + 1
end

local function put(list, a, b)
  list[#list + 1] = a
  list[#list + 1] = b
end

--- Keeps or replaces the record of a full-path Operation; `static` nil leaves that part as it is.
local function keep_record(moves, address, static, meta)
  if static then put(moves.static, address, static) end
  put(moves.meta, address, write_meta(meta))
end

local function drop_record(moves, address)
  put(moves.static_gone, address)
  put(moves.meta_gone, address)
end

--- Puts an address on a list of its Queue; `side` is 'front' or 'back'. Elements of one side are pushed in call order.
local function put_ready(moves, side, address, queue, priority)
  local name = queue .. ':' .. priority
  local list = moves.lists[name]
  if not list then
    list = { queue = queue, priority = priority, front = {}, back = {} }
    moves.lists[name] = list
    moves.lists[#moves.lists + 1] = list
  end
  put(list[side], address)
end

--- Notes an end: the finished record is written to the slice, waiters are told.
local function put_finished(moves, address, state, meta, attempt, value, now)
  put(moves.finished, address, string.upper(state) .. pack('>I6', now) .. write_counters(meta, attempt) .. meta.token .. value)
  moves.settled[#moves.settled + 1] =
    { address = address, state = state, generation = meta.generation, attempt = attempt, finished = now, value = value }
end

--- An Operation ends as cancelled, or as skipped: its record goes, a finished one comes.
local function end_cancelled(moves, element, meta, attempt, reason, now)
  element.fate = 'end'
  drop_record(moves, element.address)
  put_finished(moves, element.address, element.is_skipped and 'k' or 'x', meta, attempt, reason, now)
  count(moves, element.is_skipped and 'skipped' or 'cancelled')
end

--- An Operation ends among the dead letters; its record stays.
local function end_failed(moves, element, meta, value, now, retain)
  element.fate = 'failed'
  meta.value, meta.finished = value, now
  keep_record(moves, element.address, element.new_static, meta)
  put(moves.dead, string.format('%.17g', now + retain), element.address)
  moves.settled[#moves.settled + 1] = { address = element.address, state = 'f', generation = meta.generation,
    attempt = meta.attempts, finished = now, value = value }
  count(moves, 'failed')
end
