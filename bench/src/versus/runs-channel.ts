/** Where runs in Worker threads are asked for: one says `tell`, each Worker answers with its counts, and forgets them. */
export const runsChannel = "bench-runs";
