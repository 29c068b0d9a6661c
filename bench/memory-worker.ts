import { createCoreBench } from "./core-bench.ts";

let remember: ((token: string) => Promise<void>) | undefined;

/** V8's own, with `--expose-gc`. */
declare const gc: () => void;

export default {
  /** `GET` collects garbage. `POST` takes tokens, one a line, and has each decided on twice, so that it is known. Keeps nothing else of them. */
  async fetch(request: Request, env: { readonly JWKS: unknown }): Promise<Response> {
    if (request.method === "GET") {
      gc();
      return new Response("done");
    }
    remember ??= (await createCoreBench({ jwks: env.JWKS, tokens: {} })).remember;
    for (const token of (await request.text()).split("\n")) await remember(token);
    return new Response("done");
  },
};
