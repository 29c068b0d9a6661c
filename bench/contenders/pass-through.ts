/** The floor of a whole request: a Worker that looks at nothing and only changes where the request goes. */
export default {
  fetch(request: Request, env: { readonly ORIGIN_URL: string }): Promise<Response> {
    return fetch(env.ORIGIN_URL + request.url.slice(request.url.indexOf("/", 8)), request);
  },
};
