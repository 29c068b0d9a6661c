/** What Cloudflare hands a Worker for a request of a browser app, beside `Authorization`: 19 lines. */
const BROWSER_HEADERS: readonly (readonly [string, string])[] = [
  ["accept", "application/json, text/plain, */*"],
  ["accept-encoding", "gzip, br"],
  ["accept-language", "en-US,en;q=0.9"],
  ["cdn-loop", "cloudflare; loops=1"],
  ["cf-connecting-ip", "203.0.113.7"],
  ["cf-ipcountry", "US"],
  ["cf-ray", "9a3c1f0e2b7d4c11-ORD"],
  ["cf-visitor", '{"scheme":"https"}'],
  ["host", "api.example.com"],
  ["origin", "https://app.example.com"],
  ["referer", "https://app.example.com/"],
  ["sec-ch-ua", '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"'],
  ["sec-ch-ua-mobile", "?0"],
  ["sec-ch-ua-platform", '"macOS"'],
  ["sec-fetch-dest", "empty"],
  ["sec-fetch-mode", "cors"],
  ["sec-fetch-site", "same-site"],
  ["user-agent", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/142.0.0.0"],
  ["x-forwarded-proto", "https"],
];
/** What is left of them for a plain API client: 5 lines. */
const CLIENT_NAMES = ["accept", "accept-encoding", "cf-connecting-ip", "host", "user-agent"];

export type Client = "browser" | "api";

/** The headers of a request with a token. */
export const headersOf = (token: string, client: Client): (readonly [string, string])[] => [
  ...BROWSER_HEADERS.filter(([name]) => client === "browser" || CLIENT_NAMES.includes(name)),
  ["authorization", `Bearer ${token}`],
];

/** The head of an HTTP/1.1 request as it goes over the wire. */
export const requestHead = (target: string, token: string, client: Client): string =>
  `GET ${target} HTTP/1.1\r\n${headersOf(token, client)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n`;

/** The same as `Headers`, one for each token; `tenant` is the one that a machine names. */
export function headersFor(tokens: readonly string[], client: Client, tenant?: string): Headers[] {
  return tokens.map((token) => {
    const headers = new Headers(headersOf(token, client).map(([name, value]) => [name, value]));
    if (tenant !== undefined) headers.set("x-tenant-id", tenant);
    return headers;
  });
}
