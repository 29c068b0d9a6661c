import type { AtStart } from "../core/at-start.ts";
import { envText } from "./env.ts";

const MAX_ENVIRONMENTS = 10; // a Worker has one; tests and multi-tenant wrappers have a few

/**
 * Creates something for each environment, once. Environments are the same where the runtime hands over the same
 * object, or where all that {@link envText} tells is the same: tracing wrappers make a new `env` for each request.
 * What is made must hold no binding of its `env`. The last ten that differ are kept.
 */
export const createPerEnvironment = (<T>(create: (env: object) => T): ((env: object) => T) => {
  const byObject = new WeakMap<object, { readonly value: T }>();
  const byText = new Map<string, { readonly value: T }>(); // of what is secret too: never to be logged

  function find(env: object): { readonly value: T } {
    const text = envText(env);
    if (text === undefined) return { value: create(env) };
    const made = byText.get(text) ?? { value: create(env) };
    byText.delete(text); // to the end: a Map keeps the order of insertion
    byText.set(text, made);
    for (const oldest of byText.keys()) {
      if (byText.size <= MAX_ENVIRONMENTS) break;
      byText.delete(oldest);
    }
    return made;
  }

  return (env) => {
    let known = byObject.get(env);
    if (known === undefined) {
      known = find(env);
      byObject.set(env, known);
    }
    return known.value;
  };
}) satisfies AtStart;
