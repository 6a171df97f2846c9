/**
 * How much earlier than planned something may seem by a wall clock, in milliseconds. Stores count whole milliseconds of
 * the wall clock, which the host of a virtual machine puts right by some of them now and then, and they take the moment
 * of a claim from it; tests and plays count by the other clock, which nobody touches.
 */
export const WALL_SLACK_MS = 10;
