--- Makes the Segment's root record if absent, checks its schema, pauses the Queues named.
-- root     the Segment
-- args     names of Queues to pause
-- returns  ok | version · schema number found
-- errors   BADARGS TRYAGAIN: nothing was written
-- writes   root q
-- flags    allow-oom
-- cost     O(Queues named)
local function segment_open(root, args, _, schema)
  if schema and schema ~= SCHEMA then return { 'version', tonumber(schema) or 0 } end
  if not schema then call('HSET', root, 'schema', SCHEMA) end
  for _, queue in ipairs(args) do
    local mark = call('HGET', K.queues(root), queue)
    call('HSET', K.queues(root), queue, (mark == '2' or mark == '3') and '3' or '1')
  end
  return { 'ok', tonumber(SCHEMA) }
end
