import { headersFor } from "./headers.ts";
import { RECORD } from "./record.ts";
import { fail, type Task } from "./task.ts";

const FORWARDED = { ...RECORD, status: 200, edge_ms: 0, colo: "ORD" };
const REFUSED = {
  event: "decision",
  method: "GET",
  decision: "refuse",
  error: "malformed_token",
  status: 401,
};
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * What a decision cannot be had without, and nothing else. A known token: the header lines are read, so that none of
 * them passes unseen; the token is looked up by the whole of it; the log line is written as text. A malformed one: it
 * and the request id are asked for, its form is looked at, the line is written.
 */
export function createFloors(tokens: Readonly<Record<string, readonly string[]>>): Record<string, Task> {
  const names = (tokens["known"] ?? []).slice(0, 1_000);
  const known = headersFor(names, "api");
  const verified = new Map(names.map((token) => [`Bearer ${token}`, { ...FORWARDED }]));
  const junk = headersFor(tokens["junk"] ?? [], "api");
  return {
    [`floor known ${known.length} api`]: (count) => {
      for (let index = 0; index < count; index += 1) {
        const lines: string[] = [];
        known[index % known.length]?.forEach((value, name) => {
          lines.push(name, value);
        });
        const record = verified.get(lines[lines.indexOf("authorization") + 1] ?? "") ?? fail("not known");
        if (JSON.stringify(record).length === 0) fail("no log line");
      }
    },
    "floor junk": (count) => {
      for (let index = 0; index < count; index += 1) {
        const headers = junk[index % junk.length] ?? fail("no token");
        const token = headers.get("authorization")?.slice("Bearer ".length) ?? "";
        if (COMPACT.test(token)) fail("not malformed");
        const record = { ...REFUSED, request_id: headers.get("x-request-id") ?? crypto.randomUUID() };
        if (JSON.stringify(record).length === 0) fail("no log line");
      }
    },
  };
}
