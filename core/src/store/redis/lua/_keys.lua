--- The only speller of key names on this side; keys.ts is its twin, and a test compares them.
-- Every name derives from the root `{app:segment}`, so all keys of a Segment share its slot.
local K = {}

--- hash: lane name -> lane number (3 bytes)
function K.lanes(root) return root .. ':l' end
--- hash: lane number -> lane record (_address.lua)
function K.marks(root) return root .. ':w' end
--- list: ready Operations of one Queue and priority; priority 0 has the short name
function K.ready(root, queue, priority)
  if priority == 0 then return root .. ':r:' .. queue end
  return root .. ':r:' .. queue .. ':' .. string.format('%d', priority)
end
--- zset: priorities other than 0 whose list is not empty
function K.priorities(root, queue) return root .. ':p:' .. queue end
--- hash: Queue -> '1' if paused, else '0'; with a tied lane '3' and '2'
function K.queues(root) return root .. ':q' end
--- hash: owner -> owner record (_lease.lua)
function K.owners(root) return root .. ':b' end
--- hash: address -> entry (_lease.lua): what one owner holds
function K.flight(root, owner) return root .. ':f:' .. owner end
--- hash: address -> reason: cancel marks of what one owner holds
function K.cancels(root, owner) return root .. ':c:' .. owner end
--- hash: address -> latest progress of what one owner holds
function K.progress(root, owner) return root .. ':g:' .. owner end
--- hash: address -> static record of a full-path Operation (_operation.lua)
function K.operations(root) return root .. ':op' end
--- hash: address -> dynamic record of a full-path Operation, absent while all is zero (_operation.lua)
function K.metas(root) return root .. ':m' end
--- zset: scheduled addresses by due time
function K.due(root) return root .. ':due' end
--- zset: dead letters by expiry
function K.dead(root) return root .. ':dl' end
--- hash: finished Operations of one slice, address -> finished record (_finish.lua)
function K.slice(root, member) return root .. ':d:' .. member end
--- zset: slices `<k>:<number>` by expiry
function K.slices(root) return root .. ':ds' end
--- hash: full-path dots accepted in one window, address -> digest
function K.memory(root, window) return root .. ':k:' .. string.format('%.0f', window) end
--- zset: windows of the id memory
function K.windows(root) return root .. ':ks' end
--- hash: address -> Queue: cancelled while waiting, still in its list
function K.withdrawn(root) return root .. ':x' end
--- hash: Queue -> how many of its list elements are withdrawn
function K.withdrawn_counts(root) return root .. ':xn' end
--- hash: awaited address -> the instances waiting, one a line
function K.waiters(root) return root .. ':a' end
--- hash: address -> tie record of a full-path Operation (_ties.lua)
function K.ties(root) return root .. ':t' end
--- hash: key -> key record (_ties.lua)
function K.keys(root) return root .. ':uk' end
--- zset: address and key by expiry: keys that outlive their holder
function K.expiries(root) return root .. ':ukx' end
--- zset: who stands in a line, by ticket; the first is parked no more
function K.line(root, line) return root .. ':ol:' .. line end
--- hash: gate -> slots taken
function K.slots(root) return root .. ':gu' end
--- hash: gate where a slot is taken or something is parked -> the newest number of slots
function K.limits(root) return root .. ':gl' end
--- hash: gate, or what stands before the colon of several -> live record (_live.lua)
function K.live(root) return root .. ':go' end
--- hash: live limit that was set or taken back -> how far those that wait were told (_live.lua)
function K.settling(root) return root .. ':gs' end
--- zset: pace -> until when it is taken up
function K.paces(root) return root .. ':gt' end
--- zset: pace where something is parked -> when the next one may pass
function K.opening(root) return root .. ':gd' end
--- zset: who is parked at a gate, by ticket, or by tag where there are flows
function K.parked_at(root, gate) return root .. ':gw:' .. gate end
--- zset: priorities whose fair gate is not empty
function K.fair(root, queue) return root .. ':fp:' .. queue end
--- hash: fair gate -> its clock
function K.clocks(root) return root .. ':fc' end
--- zset: flow of a fair gate -> up to where it is served; what is not beyond the clock counts for nothing
function K.served(root, gate) return root .. ':fs:' .. gate end
--- hash: address -> parked record (_ties.lua)
function K.parked(root) return root .. ':pk' end
--- hash: address -> candidate of a gate (_ties.lua)
function K.candidates(root) return root .. ':cd' end
--- hash: address -> lapse record (_lapse.lua)
function K.lapses(root) return root .. ':lp' end
--- zset: what can lapse, by when
function K.lapsing(root) return root .. ':lpd' end
--- hash: sums since the Segment began
function K.totals(root) return root .. ':n' end
--- string: microseconds; read by the test build only
function K.clock(root) return root .. ':clock' end

--- App and Segment of a root.
local function names_of(root) return string.match(root, '^{([^:]*):(.*)}$') end
--- channel: bells and cancel marks of all Segments of the App
local function bell_channel(app) return '{' .. app .. '}:bell' end
local function attended_channel(app, segment, queue) return bell_channel(app) .. ':' .. segment .. ':' .. queue end
--- channel: outcomes and progress one store instance waits for
local function reply_channel(app, instance) return '{' .. app .. '}:reply:' .. instance end
