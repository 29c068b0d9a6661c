import type { Scope } from "./scope.ts";

interface Flight<T> {
  readonly startedAtMs: number;
  readonly work: Promise<T>;
}

/** Shares one piece of work between the concurrent requests that want the same key. */
export interface SingleFlight<T> {
  /** Joins the work that is under way for `key`, or starts it. Rejects as it does, or at the time limit. */
  join(key: string, scope: Scope, start: () => Promise<T>): Promise<T>;
  isUnderWay(key: string, scope: Scope): boolean;
}

/**
 * The first request for a key starts the work and hands it to its `defer`, so that the work outlives it;
 * others wait for the same promise. Nobody waits once it is `limitMs` old: the promise of a request that the
 * runtime has dropped never settles, so after that time the next request starts anew.
 */
export function createSingleFlight<T>(limitMs: number): SingleFlight<T> {
  const flights = new Map<string, Flight<T>>();

  function alive(key: string, scope: Scope): Flight<T> | undefined {
    const flight = flights.get(key);
    return flight !== undefined && remainingMs(flight, scope) > 0 ? flight : undefined;
  }

  /** None is left of one that began in the future: a clock that was set back does not prolong the wait. */
  function remainingMs({ startedAtMs }: Flight<T>, scope: Scope): number {
    const ageMs = scope.now() - startedAtMs;
    return ageMs >= 0 ? limitMs - ageMs : 0;
  }

  function begin(key: string, scope: Scope, start: () => Promise<T>): Flight<T> {
    const work = start().finally(() => {
      if (flights.get(key) === flight) flights.delete(key);
    });
    const flight: Flight<T> = { startedAtMs: scope.now(), work };
    flights.set(key, flight);
    scope.defer(work.catch(() => undefined)); // whoever waits for it sees the failure
    return flight;
  }

  return {
    join(key, scope, start) {
      const flight = alive(key, scope) ?? begin(key, scope, start);
      return scope.within(flight.work, remainingMs(flight, scope));
    },
    isUnderWay: (key, scope) => alive(key, scope) !== undefined,
  };
}
