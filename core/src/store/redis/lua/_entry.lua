--- The door of every function: one root key, no slot move going on, our schema.
local BADARGS = { err = 'BADARGS malformed call, nothing was written' }

--- nil until the first call has asked; a script sets it to true, for it would have to ask each time.
local is_cluster

--- Whether the slot is being moved: then derived keys may look absent. Two names that never exist, one probe: on both
-- sides of a move it errors. Costs a call, so a single server does not ask.
local function is_moving(root)
  if is_cluster == nil then
    local info = redis.pcall('INFO', 'cluster')
    is_cluster = type(info) ~= 'string' or string.find(info, 'cluster_enabled:0', 1, true) == nil
  end
  if not is_cluster then return false end
  local probe = redis.pcall('EXISTS', root .. ':never:1', root .. ':never:2')
  return type(probe) == 'table' and probe.err ~= nil
end

--- Wraps a transition; `opens` is true for the one that makes the root record.
local function entry(transition, opens)
  return function(keys, args)
    if not call then wake() end
    local root = keys[1]
    TIES.ticket_before = nil
    if #keys ~= 1 or sub(root, 1, 1) ~= '{' then return BADARGS end
    if is_moving(root) then return { err = 'TRYAGAIN the slot of this Segment is being moved' } end
    local head = call('HMGET', root, 'schema', 'token')
    if head[1] ~= SCHEMA and not opens then
      return { err = 'VERSION ' .. string.format('%d', tonumber(head[1]) or 0) }
    end
    return transition(root, args, tonumber(head[2]) or 0, head[1])
  end
end

--- What a client asks at connect: protocol, build, digest, schema.
local function hello() return { PROTOCOL, BUILD, DIGEST, SCHEMA } end
