/**
 * What a check of a Segment can find wrong (elsewhere: fsck, consistency check): each kind with what it means and what
 * mending does. Pure data; both stores name findings from this table, docs and the command line print it.
 */

/** Every kind of finding, with a sentence for people: what is wrong · what mending does. */
export const FINDINGS = {
  lane_marks: "A lane was claimed beyond what it accepted · accepted is raised.",
  lane_name: "A lane's name leads to no number · it is entered.",
  lane_gone: "A lane's name leads to a number without a record · the name goes, its writer opens it anew.",
  lane_queue: "A lane's Queue is not in the list of Queues · it is entered, not paused.",
  lane_count: "The next lane would take a number that is in use · the count is raised.",
  owner_hidden: "An incarnation holds work and is in no list of owners · it is entered, so that it can be rescued.",
  token_behind: "A token is in use that the Segment may give out again · the last token is raised.",
  priority_empty: "A priority without ready work is listed · it goes.",
  priority_hidden: "Ready work of a priority that is not listed, so nobody claims it · it is listed.",
  withdrawn_count: "The count of cancelled elements in a Queue is not theirs · it is counted anew.",
  withdrawn_stale: "An element counts as cancelled in its list and is in none · it is forgotten.",
  list_count: "The count of a Queue's elements is not theirs · it is counted anew.",
  ready_twice: "An Operation is on its list twice · one of them goes.",
  ready_held: "What runs is on a list, too · it is taken off.",
  ready_scheduled: "What is scheduled is on a list, too · it is taken off.",
  ready_dead: "A dead letter is on a list, too · it is taken off.",
  ready_recordless: "An element of a list has no record · it is taken off.",
  ready_elsewhere: "An Operation is on the list of another Queue or priority · it is put on its own.",
  ready_finished: "What is over waits on a list · it is withdrawn.",
  ready_claimed: "An element of the fast path that was claimed before is on its list again · it is taken off.",
  ready_beyond: "An element of the fast path is above what its lane accepted · accepted is raised.",
  held_twice: "Two owners hold one Operation · the one with the older token loses it.",
  held_recordless: "An owner holds an Operation without a record · it is let go: its input is lost.",
  held_finished: "An owner holds what is over · it is let go.",
  held_scheduled: "What runs is scheduled, too · it is not any more.",
  held_dead: "What runs is among the dead letters, too · it is not any more.",
  held_unclaimed: "What runs lies above its lane's claimed mark · the mark is raised.",
  held_count: "The count of what an owner holds is not what it holds · it is counted anew.",
  mark_stale: "A cancel mark or a progress note of what nobody holds · it goes.",
  lost: "A record that is in no place: it would never run · it joins its list.",
  scheduled_dead: "A record is scheduled and among the dead letters · its error decides.",
  scheduled_recordless: "A due time without a record · it goes.",
  dead_recordless: "A place among the dead letters without a record · it goes.",
  counters_recordless: "Counters without a record · they go.",
  finished_alive: "What is over has a record that waits · the record goes.",
  finished_twice: "One Operation is over twice · the older record goes.",
  slice_expiry: "A slice of finished records is listed for another moment than its own · its own is entered.",
  tie_recordless: "Ties of an Operation without a record · they go.",
  parked_recordless: "A limit or an order key keeps what has no record · it goes.",
  parked_tieless: "A limit or an order key keeps what is not tied to it · it joins its list.",
  parked_elsewhere: "What runs, is scheduled or failed is kept by a limit or an order key, too · it is kept no more.",
  parked_missing:
    "Something is kept at a limit that does not know of it, so nobody lets it on · it is put in its place.",
  parked_stale: "A limit is to let on what is not kept there · it is taken off.",
  slots_count: "The slots taken at a limit are not those of what runs · they are counted anew.",
  gate_idle: "A limit has room, something waits there and nothing is let on · it is let on.",
  live_unread: "A live limit has numbers that cannot be read, so it has no effect · it is taken back.",
  fair_hidden: "Work waits for its fair turn at a priority that is not listed, so nobody claims it · it is listed.",
  pace_hidden: "Something waits at a rate that will not open · it will.",
  candidate_stale: "A limit let something on that does not wait on a list · its turn goes to the next.",
  line_stale: "What is over, or has no ties, stands in the line of an order key · it leaves, the next goes on.",
  line_missing: "Something has an order key and does not stand in its line · it joins.",
  line_stuck: "The first of an order key is kept behind others · it goes on.",
  line_ahead: "Something goes on that is not the first of its order key · it waits for its turn.",
  key_stale: "A dedupe key is held by what is over or gone · it is free.",
  key_unending: "A key that outlives its holder is not listed to expire · it is.",
  key_expiry: "A key that is not there is listed to expire · it is not any more.",
  lapse_stale: "What is over is still to expire · it is not any more.",
  lapse_time: "Something will not expire when its record says, or never · it will.",
  lapse_recordless: "A time to expire of what has none · it goes.",
  waiter_stale: "Somebody waits for what is over · the wait is forgotten.",
} as const;

/** A kind of finding. */
export type FindingKind = keyof typeof FINDINGS;

/** One thing that a check found wrong in a Segment. */
export interface CheckFinding {
  readonly kind: FindingKind;
  /** The Operation, if it is about one that can be named. */
  readonly id: string | null;
  /** The Queue, owner, lane or slice it is about; may be empty. */
  readonly about: string;
}
