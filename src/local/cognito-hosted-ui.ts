import { randomUUID } from "node:crypto";
import {
  type AuthorizeRequest,
  isCallback,
  type Parameters,
  parameter,
  readAuthorizeRequest,
  withParameters,
} from "./cognito-authorize-request.ts";
import { createSignIn } from "./cognito-claims.ts";
import { type Directory, findClient, findPerson, type Person } from "./cognito-directory.ts";
import type { Sessions } from "./cognito-sessions.ts";

/** What a browser is answered. */
export interface UiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly html?: string;
}

/** The pages of a user pool's domain. */
export interface HostedUi {
  /** `/oauth2/authorize`: back to the app at once for a known `login_hint` or session, else to `/login`. */
  authorize(parameters: Parameters, cookie: string | undefined): UiAnswer;
  /** `GET /login`: one button for each person, and no password. */
  showLogin(parameters: Parameters): UiAnswer;
  /** `POST /login`: signs the named person in. */
  login(parameters: Parameters): UiAnswer;
  /** `/logout`: ends the browser's session, never a token. */
  logout(parameters: Parameters, cookie: string | undefined): UiAnswer;
  /** `/error`. */
  showError(parameters: Parameters): UiAnswer;
}

/** What the pages work with. */
export interface HostedUiParts {
  readonly directory: Directory;
  readonly sessions: Sessions;
  readonly nowMs: () => number;
}

const SESSION_SECONDS = 3600; // of the hosted UI's cookie
const COOKIE = "cognito";

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const page = (title: string, body: string, status = 200): UiAnswer => ({
  status,
  headers: { "content-type": "text/html; charset=utf-8" },
  html: `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}</html>`,
});

const redirect = (location: string, cookie?: string): UiAnswer => ({
  status: 302,
  headers: { location, ...(cookie !== undefined && { "set-cookie": cookie }) },
});

const sessionOf = (cookie: string | undefined): string =>
  new RegExp(`(?:^|; )${COOKIE}=([\\w-]+)`).exec(cookie ?? "")?.[1] ?? "";

/** Creates the pages. */
export function createHostedUi({ directory, sessions, nowMs }: HostedUiParts): HostedUi {
  const signedIn = new Map<string, { person: Person; expiresAtMs: number }>();

  function personOfSession(cookie: string | undefined): Person | undefined {
    const session = signedIn.get(sessionOf(cookie));
    return session !== undefined && nowMs() < session.expiresAtMs ? session.person : undefined;
  }

  function grant(request: AuthorizeRequest, person: Person, cookie?: string): UiAnswer {
    const { client, scopes, redirectUri, challenge, state, nonce } = request;
    const signIn = createSignIn(person, client.clientId, scopes, nowMs(), nonce);
    const code = sessions.issueCode({ signIn, redirectUri, challenge });
    return redirect(withParameters(redirectUri, { code, state }), cookie);
  }

  return {
    authorize(parameters, cookie) {
      const request = readAuthorizeRequest(directory, parameters);
      if ("location" in request) return redirect(request.location);
      const prompt = parameter(parameters, "prompt");
      const hinted = findPerson(directory, parameter(parameters, "login_hint") ?? "");
      const person = hinted ?? (prompt === "login" ? undefined : personOfSession(cookie));
      if (person !== undefined) return grant(request, person);
      if (prompt === "none")
        return redirect(
          withParameters(request.redirectUri, { error: "login_required", state: request.state }),
        );
      const asked = Object.entries(parameters).filter(
        (entry): entry is [string, string] => typeof entry[1] === "string",
      );
      return redirect(`/login?${new URLSearchParams(asked)}`);
    },

    showLogin(parameters) {
      const request = readAuthorizeRequest(directory, parameters);
      if ("location" in request) return redirect(request.location);
      const fields = Object.entries(parameters).map(
        ([name, value]) =>
          `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(String(value))}">`,
      );
      const buttons = directory.people.map(({ username, attributes }) => {
        const facts = Object.values(attributes).join(", ") || "no tenant";
        return `<p><button name="username" value="${escapeHtml(username)}">${escapeHtml(username)}</button> ${escapeHtml(facts)}</p>`;
      });
      return page(
        "Sign in",
        `<form method="post" action="/login">${fields.join("")}${buttons.join("")}</form>`,
      );
    },

    login(parameters) {
      const request = readAuthorizeRequest(directory, parameters);
      if ("location" in request) return redirect(request.location);
      const person = findPerson(directory, parameter(parameters, "username") ?? "");
      if (person === undefined)
        return page("Incorrect username", "<p>This pool does not know the user.</p>", 400);
      const session = randomUUID();
      signedIn.set(session, { person, expiresAtMs: nowMs() + SESSION_SECONDS * 1000 });
      const cookie = `${COOKIE}=${session}; Path=/; Max-Age=${SESSION_SECONDS}; HttpOnly; SameSite=Lax`;
      return grant(request, person, cookie);
    },

    logout(parameters, cookie) {
      signedIn.delete(sessionOf(cookie));
      const ended = `${COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax`;
      const target = parameter(parameters, "logout_uri");
      const client = findClient(directory, parameter(parameters, "client_id") ?? "");
      return client !== undefined && target !== undefined && isCallback(target)
        ? redirect(target, ended)
        : redirect("/error?error=redirect_mismatch", ended);
    },

    showError: (parameters) =>
      page("Something went wrong", `<p>${escapeHtml(parameter(parameters, "error") ?? "unknown")}</p>`, 400),
  };
}
