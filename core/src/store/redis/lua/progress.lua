--- Notes progress of running Operations and tells their waiters.
-- root     the Segment
-- args     owner · 0 · addresses, then for each: token (8 bytes) and progress bytes in one
-- returns  a letter per element: o (ok), s (stale)
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   g
-- flags    allow-oom
-- cost     O(elements)
local function progress(root, args)
  local owner = args[1]
  local n = (#args - 2) / 2
  if n < 1 or n ~= math.floor(n) then return BADARGS end
  local held, refused = present(root, owner, args, 3, n)
  local letters, notes = {}, {}
  for i = 1, n do letters[i] = 'o' end
  for _, place in ipairs(refused) do letters[place] = 's' end
  for _, element in ipairs(held) do
    element.value = sub(element.argument, 9)
    put(notes, element.address, element.value)
  end
  variadic('HSET', K.progress(root, owner), notes, 1, #notes)
  if #held > 0 and call('EXISTS', K.waiters(root)) == 1 then tell_waiters(root, held, 'p', progress_frame) end
  return table.concat(letters)
end
