import { isForeign } from "../src/core/token/bearer.ts";
import { headersFor } from "./headers.ts";
import { fail, type Task } from "./task.ts";

const REFUSED = {
  event: "decision",
  method: "GET",
  decision: "refuse",
  error: "malformed_token",
  status: 401,
};

/**
 * What refusing a malformed token cannot be had without, and nothing else: it and the request id are asked for, its form
 * is looked at, the log line is written as text.
 */
export function createFloor(tokens: readonly string[]): Task {
  const junk = headersFor(tokens, "api");
  return (count) => {
    for (let index = 0; index < count; index += 1) {
      const headers = junk[index % junk.length] ?? fail("no token");
      const token = headers.get("authorization")?.slice("Bearer ".length) ?? "";
      const secondDot = token.indexOf(".", token.indexOf(".") + 1);
      const hasThreeSegments = secondDot !== -1 && token.indexOf(".", secondDot + 1) === -1;
      if (hasThreeSegments && !isForeign(token)) fail("not malformed");
      const record = { ...REFUSED, request_id: headers.get("x-request-id") ?? crypto.randomUUID() };
      if (JSON.stringify(record).length === 0) fail("no log line");
    }
  };
}
