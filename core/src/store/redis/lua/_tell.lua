--- Messages to the outside: bells, cancel marks, and the outcomes and progress someone waits for.
--
--   {app}:bell            | 'b', 'h', 'd' or 'm' | 2 B n | n B Segment | Queue, Queue, milliseconds until due, or owner |
--   {app}:bell            | 'B' or 'H' | 2 B n | n B Segment | 2 B priority | Queue |    b or h where it is not the default
--   {app}:bell:segment:queue                     | 'b' or 'B' | …, to those who attend the Queue; is there nobody, to all
--   {app}:reply:instance  | 2 B n | n B Segment | frames |
--   frame 's'  | 's' | 1 B n | n B lane name | 5 B counter | 1 B state | 4 B generation | 4 B attempt | 6 B finished | 4 B length | value |
--   frame 'p'  | 'p' | 1 B n | n B lane name | 5 B counter | 4 B length | value |
--
-- All are hints: a lost one costs a poll or a read, never an Operation.

--- `priority`: of a bell, the largest for which it rings; none is the default.
local function ring(root, kind, name, priority)
  local app, segment = names_of(root)
  local message = pack('>I2', #segment) .. segment
  if priority and priority ~= 0 then
    message = string.upper(kind) .. message .. pack('>i2', priority) .. name
  else
    message = kind .. message .. name
  end
  if kind == 'b' and call('PUBLISH', attended_channel(app, segment, name), message) > 0 then return end
  call('PUBLISH', bell_channel(app), message)
end

--- Sends one frame per event to everyone who waits; `frame` writes the part after the counter. Answers what was awaited.
local function tell_waiters(root, events, kind, frame)
  local addresses, awaited = {}, {}
  for i, event in ipairs(events) do addresses[i] = event.address end
  local waiting = hmget(K.waiters(root), addresses, 1, #addresses)
  local messages, order, lanes = {}, {}, nil
  for i, instances in ipairs(waiting) do
    if instances then
      lanes = lanes or lanes_of(root, addresses)
      awaited[#awaited + 1] = addresses[i]
      local _, _, _, name = read_lane(lanes[sub(addresses[i], 1, 3)])
      local text = kind .. pack('>B', #name) .. name .. sub(addresses[i], 4) .. frame(events[i])
      for instance in string.gmatch(instances, '[^\n]+') do
        if not messages[instance] then
          messages[instance] = {}
          order[#order + 1] = instance
        end
        put(messages[instance], text)
      end
    end
  end
  if #order == 0 then return awaited end
  local app, segment = names_of(root)
  for _, instance in ipairs(order) do
    call('PUBLISH', reply_channel(app, instance), pack('>I2', #segment) .. segment .. table.concat(messages[instance]))
  end
  return awaited
end

local function settled_frame(event)
  return event.state .. pack('>I4I4I6I4', event.generation, event.attempt, event.finished, #event.value) .. event.value
end

local function progress_frame(event)
  return pack('>I4', #event.value) .. event.value
end

--- Tells the waiters of what ended, once: they are forgotten.
local function settle(root, events)
  if #events == 0 or call('EXISTS', K.waiters(root)) == 0 then return end
  local awaited = tell_waiters(root, events, 's', settled_frame)
  variadic('HDEL', K.waiters(root), awaited, 1, #awaited)
end
