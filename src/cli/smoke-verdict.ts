import * as v from "valibot";
import { type ErrorCode, errorCodes, errorRow } from "../core/errors.ts";
import type { RawAnswer } from "./smoke-request.ts";

/** How a probe ended. `unclear`: neither a refusal nor a way through could be told. */
export interface Verdict {
  readonly outcome: "refused" | "answered" | "got through" | "unclear";
  /** What came back, in a few words. */
  readonly saw: string;
}

const refusalBody = v.object({ error: v.picklist(errorCodes()), request_id: v.string() });

/** Headers that API Gateway sets: the request has reached the API. */
const API_GATEWAY_HEADERS = ["apigw-requestid", "x-amzn-requestid", "x-amzn-errortype", "x-amz-apigw-id"];

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The code of a refusal of the gateway's own; undefined for anybody else's answer. */
function refusalCode(answer: Exclude<RawAnswer, { failure: string }>): ErrorCode | undefined {
  const parsed = v.safeParse(refusalBody, json(answer.body));
  if (!parsed.success || parsed.output.request_id !== answer.headers["x-request-id"]) return undefined;
  return errorRow(parsed.output.error).status === answer.status ? parsed.output.error : undefined;
}

/**
 * Judges a request that the gateway has to refuse. `beforeIsFine`: it may also be stopped before it reaches the
 * gateway, as Cloudflare does with some malformed paths.
 */
export function judgeRefusal(answer: RawAnswer, beforeIsFine: boolean): Verdict {
  if ("failure" in answer)
    return {
      outcome: beforeIsFine && answer.failure === "HPE_INVALID_CONSTANT" ? "refused" : "unclear",
      saw: `no answer (${answer.failure})`,
    };
  const { status, headers } = answer;
  const code = refusalCode(answer);
  if (code !== undefined) {
    const saw = `${status} ${code}`;
    return status < 500 ? { outcome: "refused", saw } : { outcome: "unclear", saw };
  }
  if (API_GATEWAY_HEADERS.some((name) => headers[name] !== undefined))
    return { outcome: "got through", saw: `${status} of API Gateway` };
  if (status < 400) return { outcome: "got through", saw: `${status}` };
  if (headers["x-request-id"] !== undefined)
    return { outcome: "got through", saw: `${status}, which is the API's own` };
  const saw = `${status}, not of the gateway`;
  return { outcome: beforeIsFine && status < 500 ? "refused" : "unclear", saw };
}

/** Judges a preflight: it has to be answered at the edge, whoever asks. */
export function judgePreflight(answer: RawAnswer): Verdict {
  if ("failure" in answer) return { outcome: "unclear", saw: `no answer (${answer.failure})` };
  const { status, headers } = answer;
  const allowed = headers["access-control-allow-origin"];
  if (status === 204 && headers["x-request-id"] !== undefined)
    return {
      outcome: "answered",
      saw: allowed === undefined ? "204, and a foreign page may not read" : "204, and any page may read",
    };
  return judgeRefusal(answer, false);
}

/** Judges a request that went past the gateway, to the API itself. */
export function judgeDirect(answer: RawAnswer): Verdict {
  if ("failure" in answer) return { outcome: "refused", saw: `no answer (${answer.failure})` };
  const { status } = answer;
  if (status === 401 || status === 403) return { outcome: "refused", saw: `${status}` };
  if (status === 404) return { outcome: "unclear", saw: "404; name a path that exists with --route" };
  if (status >= 500) return { outcome: "unclear", saw: `${status}` };
  return { outcome: "got through", saw: `${status} without a proof of the edge` };
}
