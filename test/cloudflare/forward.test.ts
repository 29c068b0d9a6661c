import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { forward } from "../../src/cloudflare/forward.ts";

const UPSTREAM = {
  method: "GET",
  url: "https://origin.example/a",
  headers: { remove: ["x-a"], set: [["x-b", "2"]] as const },
  baseUrl: "https://origin.example",
  basePath: "",
};
const LIMIT_MS = 1_000;

type Outcome = Parameters<Parameters<typeof forward>[3]>[0];

const later = (ms: number, act: () => Response): Promise<Response> =>
  new Promise((resolve, reject) => {
    setTimeout(() => {
      try {
        resolve(act());
      } catch (error) {
        reject(error);
      }
    }, ms);
  });
const fails = (): never => {
  throw new TypeError("connection refused");
};

let unhandled: unknown[];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  unhandled = [];
  process.on("unhandledRejection", onUnhandled);
  vi.useFakeTimers();
});
afterEach(() => {
  process.off("unhandledRejection", onUnhandled);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Forwards once, lets twice the time limit go by, and tells what was received. */
async function forwardTo(origin: () => Promise<Response>, receive = (outcome: Outcome): unknown => outcome) {
  vi.stubGlobal("fetch", vi.fn(origin));
  const received = vi.fn(receive);
  const request = new Request("https://api.example/a", { headers: { "x-a": "1", "x-c": "3" } });
  const ending = forward(UPSTREAM, request, LIMIT_MS, received).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  await vi.advanceTimersByTimeAsync(2 * LIMIT_MS);
  return { ending: await ending, told: received.mock.calls.map(([outcome]) => outcome) };
}

describe("what came of forwarding is told once", () => {
  it("of a response that comes in time, with whatever is made of it", async () => {
    const response = new Response("a");
    const { ending, told } = await forwardTo(
      () => later(LIMIT_MS - 1, () => response),
      () => "made of it",
    );
    expect(told).toEqual([response]);
    expect(ending).toEqual({ value: "made of it" });
  });

  it.each<[string, () => Promise<Response>, string]>([
    ["an origin that is over its time", () => new Promise(() => undefined), "origin_timeout"],
    ["a response that comes too late", () => later(LIMIT_MS + 1, () => new Response("a")), "origin_timeout"],
    ["a failure that comes too late", () => later(LIMIT_MS + 1, fails), "origin_timeout"],
    ["a failure", () => later(1, fails), "origin_unreachable"],
  ])("of %s", async (_what, origin, failure) => {
    const { ending, told } = await forwardTo(origin);
    expect(told).toEqual([failure]);
    expect(ending).toEqual({ value: failure });
    expect(unhandled).toEqual([]);
  });
});

it.each<[string, () => Promise<Response>]>([
  ["a response", () => later(1, () => new Response("a"))],
  ["a failure", () => later(1, fails)],
  ["no answer in time", () => new Promise(() => undefined)],
])("rejects with what the receiver throws, of %s", async (_what, origin) => {
  const bug = new Error("bug");
  const { ending } = await forwardTo(origin, () => {
    throw bug;
  });
  expect(ending).toEqual({ error: bug });
  expect(unhandled).toEqual([]);
});

it("sends the client's headers with the decision's edits, never from a cache, redirects as they come", async () => {
  await forwardTo(async () => new Response("a"));
  const [url, init] = vi.mocked(fetch).mock.calls[0] ?? [];
  expect(url).toBe(UPSTREAM.url);
  expect(init).toMatchObject({ method: "GET", redirect: "manual", cache: "no-store", body: null });
  expect([...new Headers(init?.headers)]).toEqual([
    ["x-b", "2"],
    ["x-c", "3"],
  ]);
  expect(fetch).toHaveBeenCalledTimes(1);
});
