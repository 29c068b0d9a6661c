/** What one request (or cron run) lends the core: its clock and its means to wait and to go on. */
export interface Scope {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Keeps work alive after the response (`ctx.waitUntil`); the work must not reject. */
  defer(work: Promise<unknown>): void;
  /** Settles as `work` does, or rejects after `limitMs`; `work` itself goes on. */
  within<T>(work: Promise<T>, limitMs: number): Promise<T>;
  /** Reports a fault, an outage or a corrupt entry of our own; never with anything from the request. */
  report(notice: Notice): void;
}

/** A line of its own in the log, beside the one of each request. */
export interface Notice {
  readonly event:
    | "jwks_fetch_failed"
    | "jwks_entry_corrupt"
    | "jwks_store_failed"
    | "allowlist_read_failed"
    | "allowlist_malformed"
    | "revocations_read_failed"
    | "revocation_malformed"
    | "rate_limit_failed"
    | "misconfigured"
    | "internal_error";
  readonly [detail: string]: string | number | boolean | readonly string[];
}
