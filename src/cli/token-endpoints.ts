import * as oauth from "oauth4webapi";
import { UsageError } from "./context.ts";

/** Endpoints of a user pool's domain, and how they may be asked. */
export interface Endpoints {
  readonly domain: string;
  readonly server: oauth.AuthorizationServer;
  /** Options of every request: http is allowed on loopback alone. */
  readonly request: { readonly [oauth.allowInsecureRequests]: boolean; signal(): AbortSignal };
}

const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
const REQUEST_LIMIT_MS = 30_000;

/**
 * The OAuth endpoints of a Cognito domain: `https://auth.example.com`, or a bare host name.
 *
 * @throws {UsageError} for anything but https, or http on a loopback host.
 */
export function endpointsOf(domain: string): Endpoints {
  const text = domain.includes("://") ? domain : `https://${domain}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLoopback = url !== undefined && LOOPBACK_HOST.test(url.hostname);
  if (url === undefined || (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback)))
    throw new UsageError(
      "--domain is the https address of the user pool's domain (http on this machine only).",
    );
  const base = url.origin + url.pathname.replace(/\/+$/, "");
  return {
    domain: base,
    server: {
      // replaced by the issuer that the ID token names: a pool's issuer is not its domain
      issuer: base,
      authorization_endpoint: `${base}/oauth2/authorize`,
      token_endpoint: `${base}/oauth2/token`,
    },
    request: {
      [oauth.allowInsecureRequests]: isLoopback && url.protocol === "http:",
      signal: () => AbortSignal.timeout(REQUEST_LIMIT_MS),
    },
  };
}
