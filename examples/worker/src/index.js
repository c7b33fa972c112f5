// API_KEY and DATABASE_URL are secrets that were uploaded with this version.
export default {
  async fetch(request, env) {
    if (request.headers.get("authorization") !== `Bearer ${env.API_KEY}`) {
      return new Response("Unauthorized", { status: 401 });
    }
    return Response.json({ database: new URL(env.DATABASE_URL).hostname });
  },
};
