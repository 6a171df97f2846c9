--- Ownership: who holds what, by which token.
--
--   owner record  | 6 B beat | 5 B last request that took something | 8 B its token |
--   entry         | 8 B token | 2 B position in its claim | the list element |
--
-- A list element is a fast record (address, enqueued bytes; of a tied lane as in _tied.lua), or the bare 8-byte address of
-- a full-path Operation.
local ENTRY_HEAD = 10
local BARE_ENTRY = ENTRY_HEAD + 8
local POSITIONS = {}

--- Two bytes; made once, since claims use the same few for ever.
local function position(i)
  local text = POSITIONS[i]
  if not text then
    text = pack('>I2', i)
    POSITIONS[i] = text
  end
  return text
end

local function write_owner(beat, request, token) return pack('>I6I5', beat, request) .. token end

--- beat, request, token
local function read_owner(record)
  local beat, request = unpack_bytes('>I6I5', record)
  return beat, request, sub(record, 12)
end

--- Everything an owner holds: { address, entry }, in the order it was claimed.
local function all_held(root, owner)
  local flat, list = call('HGETALL', K.flight(root, owner)), {}
  for i = 1, #flat, 2 do
    local entry = flat[i + 1]
    local high, low, place = unpack_bytes('>I4I4I2', entry)
    list[#list + 1] = { address = flat[i], entry = entry, token = high * 4294967296 + low, place = place }
  end
  table.sort(list, function(a, b)
    if a.token ~= b.token then return a.token < b.token end
    return a.place < b.place
  end)
  return list
end

--- The list elements an owner still holds by one token, in the order they were claimed.
local function held_by_token(root, owner, token)
  local elements = {}
  for _, held in ipairs(all_held(root, owner)) do
    if sub(held.entry, 1, 8) == token then put(elements, sub(held.entry, ENTRY_HEAD + 1)) end
  end
  return elements
end

--- Static, dynamic and tie records, cancel marks and lane records of what is held: fills `static`, `queue`, `priority`,
--- `body`, `meta` (zero for fast records), `mark` and `ties` of each { address, entry }; `is_unbound` where the tie record
--- is that of the entry alone.
local function load_held(root, owner, list)
  local addresses = {}
  for i, held in ipairs(list) do addresses[i] = held.address end
  local n = #addresses
  local statics = hmget(K.operations(root), addresses, 1, n)
  local metas = hmget(K.metas(root), addresses, 1, n)
  local marks = call('EXISTS', K.cancels(root, owner)) == 1 and hmget(K.cancels(root, owner), addresses, 1, n) or {}
  local ties = ties_of(root, addresses)
  local lanes = lanes_of(root, addresses)
  for i, held in ipairs(list) do
    held.mark, held.ties = marks[i], ties[i]
    held.meta = read_meta(metas[i])
    if #held.entry > BARE_ENTRY then
      local _, _, queue = read_lane(lanes[sub(held.address, 1, 3)])
      held.queue, held.priority = queue, 0
      local record, body = TIES.behind(held.entry, ENTRY_HEAD + 1)
      held.new_static = write_static(queue, 0, body)
      if record then held.ties, held.is_unbound = record, true end
    else
      held.queue, held.priority = read_static(statics[i])
    end
  end
end

--- The tokens whose outcome the records of these addresses hold: of the full-path record, else of the finished one;
--- none while an Attempt runs.
local function taken_tokens(root, addresses)
  local tokens = {}
  for i, record in ipairs(hmget(K.metas(root), addresses, 1, #addresses)) do
    tokens[i] = record and sub(record, 17, 24)
  end
  for i, record in pairs(find_finished(root, addresses)) do tokens[i] = tokens[i] or finished_token(record) end
  for _, owner in ipairs(call('HKEYS', K.owners(root))) do
    for i, entry in ipairs(hmget(K.flight(root, owner), addresses, 1, #addresses)) do
      if entry then tokens[i] = false end
    end
  end
  return tokens
end

--- Parts n elements (addresses from args[first], then as many arguments that begin with the token) into held and not.
-- Answers a list of { address, entry, argument }, the places of those not held, and the tokens presented for them. With
-- `once`, what is named again is not held any more, and its token is false: the first took it.
local function present(root, owner, args, first, n, once)
  local last = first + n - 1
  local entries = hmget(K.flight(root, owner), args, first, last)
  local held, refused, tokens, taken = {}, {}, {}, {}
  for i = 1, n do
    local argument = args[last + i]
    local entry, address = entries[i], args[first + i - 1]
    if entry and sub(entry, 1, 8) == sub(argument, 1, 8) then
      if taken[address] then
        put(refused, i)
        put(tokens, false)
      else
        taken[address] = once
        held[#held + 1] = { address = address, entry = entry, argument = argument }
      end
    else
      put(refused, i)
      put(tokens, sub(argument, 1, 8))
    end
  end
  return held, refused, tokens
end

--- Forgets what an owner no longer holds, with marks and progress.
local function let_go(root, owner, addresses)
  variadic('HDEL', K.flight(root, owner), addresses, 1, #addresses)
  if call('EXISTS', K.cancels(root, owner), K.progress(root, owner)) > 0 then
    variadic('HDEL', K.cancels(root, owner), addresses, 1, #addresses)
    variadic('HDEL', K.progress(root, owner), addresses, 1, #addresses)
  end
end

--- The letters of a batch of n elements of which those at the places `refused` are not held: duplicate or stale.
-- The tokens presented stand beside the places, false for a duplicate within the batch; args[before + place] is the
-- address.
local function answer_refused(root, n, refused, tokens, args, before)
  local letters, addresses = {}, {}
  for i = 1, n do letters[i] = 'o' end
  for i, place in ipairs(refused) do addresses[i] = args[before + place] end
  local taken = taken_tokens(root, addresses)
  for i, place in ipairs(refused) do
    letters[place] = (not tokens[i] or tokens[i] ~= ZERO_TOKEN and taken[i] == tokens[i]) and 'd' or 's'
  end
  return table.concat(letters)
end
