/** A module that makes no App. */
export const answer = 42;
