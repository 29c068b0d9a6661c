import { vi } from "vitest";
import type { GatewayOptions, LogLine, TestGateway } from "../support/gateway.ts";
import { startCognito, startOrigin, type TestServer } from "../support/servers.ts";
import {
  accessClaims,
  createSigningKey,
  idClaims,
  machineClaims,
  type SigningKey,
  sign,
} from "../support/tokens.ts";

/** Claims over those that Cognito issues; undefined removes one. */
export type Claims = Readonly<Record<string, unknown>>;

/** A request as a client makes it: what `fetch` takes, a token and a tenant. */
export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: BodyInit;
  readonly token?: string;
  readonly tenant?: string;
  readonly signal?: AbortSignal;
  /** Needed beside a body that is a stream. */
  readonly duplex?: "half";
}

/** A Cognito, an API and the gateway between them. */
export interface Stack<Gateway extends TestGateway = TestGateway> {
  readonly gateway: Gateway;
  readonly origin: TestServer;
  readonly cognito: TestServer;
  readonly issuer: string;
  readonly key: SigningKey;
  /** Keys that Cognito publishes; tests change it. */
  readonly published: SigningKey[];
  /** An ID token of ada: tenant acme, role admin, app client `app-client`. */
  id(claims?: Claims): Promise<string>;
  /** Her access token: no tenant and no role, as Cognito issues it by default. */
  access(claims?: Claims): Promise<string>;
  /** A machine's token: client `machine-1`, scope `zen/m2m`. */
  machine(claims?: Claims): Promise<string>;
  /** Sends a request to the gateway. Redirects are not followed. */
  call(path: string, call?: Call): Promise<Response>;
  /** `200`, or the code of the error. */
  outcome(path: string, call?: Call): Promise<string>;
  /** The decision line of a request, once the runtime has written it. */
  lineOf(response: Response): Promise<LogLine>;
  close(): Promise<void>;
}

/** What a test sets beside the defaults. */
export interface StackOptions extends Partial<GatewayOptions> {
  /** Variables that hold an address, given the servers'. */
  readonly varsOf?: (addresses: { origin: string; cognito: string }) => Record<string, unknown>;
}

/** Seconds since the epoch. */
export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** A pool as `USER_POOLS` names it, whose Cognito is `cognitoUrl`. */
export const poolOf = (cognitoUrl: string, id = "us-east-2_Test1", extra: Claims = {}) => ({
  id,
  client_ids: ["app-client"],
  issuers: [{ issuer: `${cognitoUrl}/${id}`, jwks_url: `${cognitoUrl}/${id}/.well-known/jwks.json` }],
  ...extra,
});

/** What is sent, as `fetch` takes it. */
export function requestInit({ token, tenant, headers, ...rest }: Call = {}): RequestInit {
  return {
    ...rest,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(tenant !== undefined && { "x-tenant-id": tenant }),
      ...headers,
    },
  };
}

/** Starts all three, the gateway by `start`: `startGateway` or `startFaultyGateway`. */
export async function startStack<Gateway extends TestGateway>(
  start: (options: GatewayOptions) => Promise<Gateway>,
  { policy, vars, varsOf, ...options }: StackOptions,
): Promise<Stack<Gateway>> {
  const key = await createSigningKey("k1");
  const published = [key];
  const [origin, cognito] = await Promise.all([
    startOrigin(),
    startCognito(() => published.map(({ jwk }) => jwk)),
  ]);
  const gateway = await start({
    policy: policy ?? { routes: [{ path: "/*" }] },
    vars: {
      ORIGIN_URL: origin.url,
      USER_POOLS: [poolOf(cognito.url)],
      ...vars,
      ...varsOf?.({ origin: origin.url, cognito: cognito.url }),
    },
    ...options,
  });
  const issuer = `${cognito.url}/us-east-2_Test1`;
  const call = (path: string, given?: Call) => gateway.fetch(path, requestInit(given));
  return {
    gateway,
    origin,
    cognito,
    issuer,
    key,
    published,
    id: (claims) => sign(key, idClaims(issuer, nowSeconds(), claims)),
    access: (claims) => sign(key, accessClaims(issuer, nowSeconds(), claims)),
    machine: (claims) => sign(key, machineClaims(issuer, nowSeconds(), claims)),
    call,
    async outcome(path, given) {
      const response = await call(path, given);
      const text = await response.text();
      return response.ok ? String(response.status) : (JSON.parse(text) as { error: string }).error;
    },
    lineOf: (response) => lineOf(gateway, response),
    async close() {
      await Promise.all([gateway.close(), origin.close(), cognito.close()]);
    },
  };
}

/** Settles once `check` no longer throws: for what goes on after a response. At most 10 s. */
export const eventually = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 10_000, interval: 20 });

/** The decision line of a request, once the runtime has written it. */
export function lineOf(gateway: TestGateway, response: Response): Promise<LogLine> {
  const requestId = response.headers.get("x-request-id");
  return eventually(() => {
    const line = gateway.decisions().find((each) => each["request_id"] === requestId);
    if (line === undefined) throw new Error(`no line of ${requestId}`);
    return line;
  });
}

/** A URL on which nobody listens. */
export async function deadUrl(): Promise<string> {
  const server = await startOrigin();
  await server.close();
  return server.url;
}
