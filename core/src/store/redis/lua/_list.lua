--- Reading long keys page by page: where a page ends, as text, and where the next one begins.
-- A cursor that this text did not write means the beginning.
local LIST = {}

--- How far back an element is searched that was the last of a page: so many may be claimed between two pages.
LIST.BACK = 1000

function LIST.hex(bytes)
  return (string.gsub(bytes, '.', function(sign) return string.format('%02x', string.byte(sign)) end))
end

function LIST.unhex(text)
  return (string.gsub(text, '%x%x', function(pair) return string.char(tonumber(pair, 16)) end))
end

--- Where the element after the anchor stands now; `offset` is where it stood.
function LIST.resume(name, offset, anchor)
  local before = call('LINDEX', name, offset - 1)
  if before and sub(before, 1, 8) == anchor then return offset end
  local from = math.max(0, offset - LIST.BACK)
  local back = call('LRANGE', name, from, offset - 1)
  for i = #back, 1, -1 do
    if sub(back[i], 1, 8) == anchor then return from + i end
  end
  return from
end

--- A page of a Queue in claim order, and the priority of each element. Cursor: priority, offset and address of the last.
function LIST.ready(root, queue, cursor, max)
  local at_priority, offset, anchor = string.match(cursor, '^(-?%d+):(%d+):(%x+)$')
  at_priority = tonumber(at_priority)
  local names, priorities = lists_of(root, queue)
  local elements, of = {}, {}
  for l, name in ipairs(names) do
    local priority = priorities[l]
    if not at_priority or priority <= at_priority then
      local from = 0
      if priority == at_priority then from = LIST.resume(name, tonumber(offset), LIST.unhex(anchor)) end
      local part = call('LRANGE', name, from, from + max - #elements - 1)
      for _, element in ipairs(part) do
        put(elements, element)
        put(of, priority)
      end
      if #elements >= max then
        local last = LIST.hex(sub(part[#part], 1, 8))
        return elements, string.format('%d:%d:%s', priority, from + #part, last), of
      end
    end
  end
  return elements, '', of
end

--- A page of a sorted set. Cursor: score and address of the last one; if that one is gone, its score says where.
function LIST.scored(key, cursor, max)
  local from = 0
  local score, member = string.match(cursor, '^([%w.+-]+):(%x+)$')
  if score and tonumber(score) then
    member = LIST.unhex(member)
    if call('ZSCORE', key, member) == score then
      from = call('ZRANK', key, member) + 1
    else
      from = call('ZCOUNT', key, '-inf', '(' .. score)
    end
  end
  local flat = call('ZRANGE', key, from, from + max - 1, 'WITHSCORES')
  local addresses, scores = {}, {}
  for i = 1, #flat, 2 do
    addresses[#addresses + 1] = flat[i]
    scores[#scores + 1] = flat[i + 1]
  end
  if #addresses < max then return addresses, '', scores end
  return addresses, scores[#scores] .. ':' .. LIST.hex(addresses[#addresses]), scores
end

--- A page over several hashes in turn; `hashes` are { name, key }. Cursor: place in the hash and the hash's name.
-- Answers a flat list of hash name, field, value.
function LIST.hashed(hashes, at, place, max)
  local found, looked = {}, 0
  for h = at, #hashes do
    repeat
      local page = call('HSCAN', hashes[h].key, place, 'COUNT', max)
      place = page[1]
      for i = 1, #page[2], 2 do
        found[#found + 1] = hashes[h].name
        put(found, page[2][i], page[2][i + 1])
      end
      looked = looked + math.max(1, #page[2] / 2)
    until place == '0' or looked >= max
    if place ~= '0' then return found, place .. ':' .. hashes[h].name end
    if looked >= max and hashes[h + 1] then return found, '0:' .. hashes[h + 1].name end
  end
  return found, ''
end

--- A page of what owners hold, owner by owner.
function LIST.running(root, cursor, max)
  local place, name = string.match(cursor, '^(%d+):(.*)$')
  local owners, hashes = call('HKEYS', K.owners(root)), {}
  table.sort(owners)
  for _, owner in ipairs(owners) do
    if not name or owner >= name then hashes[#hashes + 1] = { name = owner, key = K.flight(root, owner) } end
  end
  if not hashes[1] or hashes[1].name ~= name then place = '0' end
  return LIST.hashed(hashes, 1, place, max)
end

--- A page of finished records, slices that expire last first.
function LIST.finished(root, cursor, max)
  local place, name = string.match(cursor, '^(%d+):(%d+:%d+)$')
  local k, number = string.match(name or '', '^(%d+):(%d+)$')
  local before = k and tonumber(number) * 2 ^ tonumber(k)
  local flat, hashes, at = call('ZREVRANGE', K.slices(root), 0, -1, 'WITHSCORES'), {}, nil
  for i = 1, #flat, 2 do
    hashes[#hashes + 1] = { name = flat[i], key = K.slice(root, flat[i]) }
    if flat[i] == name then at = #hashes end
  end
  if not at then
    place, at = '0', 1
    -- The slice went meanwhile: on with those that expire no later.
    if before then
      while hashes[at] and tonumber(flat[2 * at]) > before do at = at + 1 end
    end
  end
  return LIST.hashed(hashes, at, place, max)
end
