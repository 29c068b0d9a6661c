/** How much is measured. */
export interface Scale {
  /** Passes over everything, workerd started anew for each: V8 compiles the same code otherwise in each process. */
  readonly passes: number;
  /** Rounds of each measurement in a pass; every contender has its turn in each. */
  readonly rounds: number;
  /** Milliseconds that a batch of operations is meant to take. */
  readonly batchMs: number;
  /** Requests of a batch of whole requests. */
  readonly requests: number;
  /** Operations, or requests, of each contender before the first round: what is hot is machine code by then. */
  readonly warmUp: number;
  /** Tokens of the largest workload of known tokens. */
  readonly knownTokens: number;
  /** Tokens of the ring that first-seen ones are taken from: more than an isolate remembers, but for a quick run. */
  readonly firstSeenTokens: number;
  /** Isolates that are started at once for the start-up figure, and how often in a pass. */
  readonly isolates: number;
  readonly starts: number;
}

/** The run whose table is published: about half an hour on two quiet cores. */
export const FULL: Scale = {
  passes: 5,
  rounds: 7,
  batchMs: 60,
  requests: 1_000,
  warmUp: 30_000,
  knownTokens: 10_000,
  firstSeenTokens: 13_000,
  isolates: 100,
  starts: 9,
};

/** Shows that everything runs; its numbers mean nothing. */
export const QUICK: Scale = {
  passes: 2,
  rounds: 1,
  batchMs: 2,
  requests: 60,
  warmUp: 60,
  knownTokens: 1_000,
  firstSeenTokens: 1_000,
  isolates: 2,
  starts: 1,
};
