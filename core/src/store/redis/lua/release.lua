--- Gives running Operations back unharmed: to the front of their list, or to a due time.
-- root     the Segment
-- args     owner · retention in milliseconds · addresses, then for each: token (8 bytes), and `d` with 8 bytes of
--          milliseconds (a double) or `f` (front)
-- returns  a letter per element: o (ok), d (duplicate), s (stale)
-- errors   BADARGS VERSION TRYAGAIN: nothing was written
-- writes   f op m n, then r and p or due or d ds; progress g, cancel marks c, waiters a; rings bells; of what is tied t
--          uk ukx ol gu gw pk cd fp fc fs
-- flags    allow-oom
-- cost     O(elements)
local function release(root, args)
  local owner, retain = args[1], tonumber(args[2])
  local n = (#args - 2) / 2
  if not retain or n < 1 or n ~= math.floor(n) then return BADARGS end
  local held, refused, tokens = present(root, owner, args, 3, n, true)
  local letters = #refused > 0 and answer_refused(root, n, refused, tokens, args, 2) or string.rep('o', n)
  if #held == 0 then return letters end

  load_held(root, owner, held)
  local now = now_ms(root)
  local moves, gone = new_moves(), {}
  -- Backwards: each is pushed before the one that came after it.
  for i = #held, 1, -1 do
    local element = held[i]
    local address, meta, argument = element.address, element.meta, element.argument
    put(gone, address)
    meta.token = sub(argument, 1, 8)
    if element.mark then
      end_marked(root, moves, element, meta, now)
    else
      meta.returns = meta.returns + 1
      keep_record(moves, address, element.new_static, meta)
      if sub(argument, 9, 9) == 'd' then
        put(moves.due, string.format('%.17g', now + unpack_bytes('>d', argument, 10)), address)
      else
        make_ready(moves, 'front', address, element.queue, element.priority, flow_of(element.ties))
      end
      count(moves, 'released')
    end
  end
  let_go(root, owner, gone)
  untie(root, moves, held, now)
  commit(root, moves, now, retain)
  TIES.freed(root)
  return letters
end
