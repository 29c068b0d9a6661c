import { parseUrl } from "./browser-origin.ts";
import type { Check } from "./shape.ts";

const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

const isTransportSafe = (text: string): boolean => {
  const url = parseUrl(text);
  if (url === undefined || url.username !== "" || url.password !== "") return false;
  return url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK_HOST.test(url.hostname));
};

function checkUrl(value: unknown, unwanted: RegExp, what: string, path: string, faults: string[]): void {
  if (typeof value !== "string") faults.push(`${path}: must be a URL`);
  else {
    if (!isTransportSafe(value))
      faults.push(`${path}: must be an https URL without user name (http only on a loopback host)`);
    if (unwanted.test(value)) faults.push(`${path}: ${what}`);
  }
}

/** A check of an URL without query and fragment that is safe to send secrets to. */
export const bareUrl: Check = (value, path, faults) =>
  checkUrl(value, /[?#\s]/, "must have no query, fragment or blank", path, faults);

/** The same, but with a query if need be. */
export const jwksUrl: Check = (value, path, faults) =>
  checkUrl(value, /[#\s]/, "must have no fragment or blank", path, faults);
