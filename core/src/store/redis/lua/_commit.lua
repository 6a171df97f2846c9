--- The write phase of everything but the hot path: writes collected moves (_operation.lua) and rings.

--- Pushes one side of a list; notes a priority whose list was empty. Answers whether it was empty.
function TIES.push_side(root, list, command, elements)
  if #elements == 0 then return false end
  local was_empty = push(command, K.ready(root, list.queue, list.priority), elements, 1, #elements)
  if was_empty and list.priority ~= 0 then
    call('ZADD', K.priorities(root, list.queue), list.priority, list.priority)
  end
  return was_empty
end

--- The earliest of new due times (score, address, …) if nothing scheduled comes before it, else nil.
function TIES.nearer_due(root, due)
  if #due == 0 then return nil end
  local nearest = tonumber(due[1])
  for i = 3, #due, 2 do nearest = math.min(nearest, tonumber(due[i])) end
  local first = call('ZRANGE', K.due(root), 0, 0, 'WITHSCORES')[2]
  if first and tonumber(first) <= nearest then return nil end
  return nearest
end

--- Notes that a list or a fair gate is empty no more: its Queue's bell rings once, for the largest priority.
function TIES.note_bell(bells, list)
  local queue, priority = list.queue, list.priority
  local noted = bells[queue]
  if not noted then put(bells, queue) end
  if not noted or noted < priority then bells[queue] = priority end
end

--- Writes all moves. `retain` is needed when something finished.
local function commit(root, moves, now, retain)
  local bells = {}
  variadic('HSET', K.operations(root), moves.static, 1, #moves.static)
  variadic('HDEL', K.operations(root), moves.static_gone, 1, #moves.static_gone)
  variadic('HSET', K.metas(root), moves.meta, 1, #moves.meta)
  variadic('HDEL', K.metas(root), moves.meta_gone, 1, #moves.meta_gone)
  local nearer = TIES.nearer_due(root, moves.due)
  variadic('ZADD', K.due(root), moves.due, 1, #moves.due)
  variadic('ZREM', K.due(root), moves.due_gone, 1, #moves.due_gone)
  variadic('ZADD', K.dead(root), moves.dead, 1, #moves.dead)
  variadic('ZREM', K.dead(root), moves.dead_gone, 1, #moves.dead_gone)
  variadic('HSET', K.withdrawn(root), moves.withdrawn, 1, #moves.withdrawn)
  for queue, by in pairs(moves.withdrawn_counts) do call('HINCRBY', K.withdrawn_counts(root), queue, by) end
  if #moves.finished > 0 then write_finished(root, moves.finished, now, retain) end
  for _, list in ipairs(moves.lists) do
    local from_front = TIES.push_side(root, list, 'LPUSH', list.front)
    local from_back = TIES.push_side(root, list, 'RPUSH', list.back)
    if from_front or from_back then TIES.note_bell(bells, list) end
  end
  if #moves.fair > 0 then
    for _, gate in ipairs(push_fair(root, moves.fair)) do TIES.note_bell(bells, gate) end
  end
  for total, by in pairs(moves.totals) do add_total(root, total, by) end
  settle(root, moves.settled)
  for _, queue in ipairs(bells) do ring(root, 'b', queue, bells[queue]) end
  if nearer then ring(root, 'd', string.format('%.0f', math.max(0, nearer - now))) end
end
