--- Ends Attempts with errors: to a later retry, or to the dead letters.
-- root     the Segment
-- args     owner · retention in milliseconds · addresses, then for each: token (8 bytes), and `r` with 8 bytes of
--          milliseconds (a double) or `d`, and outcome bytes in one
-- returns  a letter per element: o (ok), d (duplicate), s (stale)
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   f op m n, then due or dl or d ds x; progress g, cancel marks c, waiters a; of what is tied t uk ukx ol gu gw
--          pk cd fp fc fs r p
-- flags    allow-oom
-- cost     O(elements)
local function fail(root, args)
  local owner, retain = args[1], tonumber(args[2])
  local n = (#args - 2) / 2
  if not retain or n < 1 or n ~= math.floor(n) then return BADARGS end
  local held, refused, tokens = present(root, owner, args, 3, n, true)
  local letters = #refused > 0 and answer_refused(root, n, refused, tokens, args, 2) or string.rep('o', n)
  if #held == 0 then return letters end

  load_held(root, owner, held)
  local now = now_ms(root)
  local moves, gone = new_moves(), {}
  for i, element in ipairs(held) do
    local address, meta, argument = element.address, element.meta, element.argument
    gone[i] = address
    local attempt = meta.attempts + 1
    meta.token = sub(argument, 1, 8)
    local is_final = sub(argument, 9, 9) == 'd'
    if element.mark then
      end_marked(root, moves, element, meta, now)
    elseif is_final then
      meta.attempts = attempt
      end_failed(moves, element, meta, sub(argument, 10), now, retain)
    else
      meta.attempts, meta.returns, meta.value = attempt, meta.returns + 1, sub(argument, 18)
      keep_record(moves, address, element.new_static, meta)
      put(moves.due, string.format('%.17g', now + unpack_bytes('>d', argument, 10)), address)
      count(moves, 'retried')
    end
  end
  let_go(root, owner, gone)
  untie(root, moves, held, now)
  commit(root, moves, now, retain)
  TIES.freed(root)
  return letters
end
