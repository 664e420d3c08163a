/** Calls to the server: the key, the shape of its errors, waiting where it is busy, and event streams. */

const KEY = "api-key";
const MOST_TRIES = 6;
const MOST_WAIT_S = 20;
const LOST = "The connection to the server was lost. Try again.";

/** What the server said was wrong. `code` is its stable name, `status` the HTTP status; 0 where none came. */
export class ServerError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** @param {{askForKey: () => Promise<string>, say: (text: string) => void}} page what calls need of the page */
export function makeClient({ askForKey, say }) {
  /** Make a call; ask for a key where one is wanted, and come again where the server is busy. */
  async function call(method, path, { body, json, headers = {}, signal } = {}) {
    for (let attempt = 1; ; attempt++) {
      const sent = { ...headers };
      const key = sessionStorage.getItem(KEY);
      if (key) sent.Authorization = `Bearer ${key}`;
      if (json) sent["Content-Type"] = "application/json";
      const options = { method, headers: sent, body: json ? JSON.stringify(json) : body, signal };
      const response = await orLost(fetch(path, options));
      if (response.ok) return response;
      const error = await errorOf(response);
      if (error.status === 401) {
        sessionStorage.setItem(KEY, await askForKey());
      } else if (isWorthWaiting(error) && attempt < MOST_TRIES) {
        const seconds = Math.min(Number(response.headers.get("Retry-After")) || 1, MOST_WAIT_S);
        say(`The server is busy. Trying again in ${seconds} s …`);
        await pause(seconds, signal);
        say("Trying again …");
      } else {
        throw error;
      }
    }
  }

  return {
    /** @param {Blob} image */
    async createCharacter(image, signal) {
      const form = new FormData();
      form.append("image", image, "drawing");
      return withTag(await call("POST", "v1/characters", { body: form, signal }));
    },

    async readCharacter(id, signal) {
      return withTag(await call("GET", placeOf(id), { signal }));
    },

    /** Correct what was read with `tag`; a ServerError with status 412 where somebody else has meanwhile. */
    async correctCharacter(id, tag, correction) {
      const headers = { "If-Match": tag };
      return withTag(await call("PATCH", placeOf(id), { json: correction, headers }));
    },

    async deleteCharacter(id) {
      await call("DELETE", placeOf(id));
    },

    async listMotions() {
      return (await jsonOf(await call("GET", "v1/motions"))).motions;
    },

    /**
     * Animate a character and return the addresses by motion.
     * onJob is told of the job whenever it has changed, where the server has jobs.
     */
    async animate(id, wishes, onJob, signal) {
      const path = `${placeOf(id)}/animations`;
      let response;
      try {
        response = await call("POST", path, { json: wishes, headers: { Accept: "text/event-stream" }, signal });
      } catch (error) {
        if (error.code !== "no_jobs") throw error;
        return (await jsonOf(await call("POST", path, { json: wishes, signal }))).animations;
      }
      for await (const job of jobsOf(response.body)) {
        onJob(job);
        if (job.error) throw new ServerError(job.error.status, job.error.code, job.error.message);
        if (job.state === "cancelled") throw new ServerError(409, "cancelled", "Stopped.");
        if (job.result) return job.result.animations;
      }
      throw new ServerError(0, "lost", LOST);
    },

    async cancelJob(id) {
      await call("POST", `v1/jobs/${encodeURIComponent(id)}/cancel`);
    },
  };
}

function placeOf(id) {
  return `v1/characters/${encodeURIComponent(id)}`;
}

/** What comes over the connection; a ServerError where that breaks, as it may in the middle of an answer. */
async function orLost(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(0, "lost", LOST);
  }
}

function jsonOf(response) {
  return orLost(response.json());
}

async function errorOf(response) {
  const answer = await response.json().catch(() => null);
  const error = answer?.error ?? { code: "unknown", message: `The server answered with status ${response.status}.` };
  return new ServerError(response.status, error.code, error.message);
}

function isWorthWaiting(error) {
  return error.status === 429 || (error.status === 503 && error.code === "busy");
}

async function withTag(response) {
  return { tag: response.headers.get("ETag"), ...(await jsonOf(response)) };
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** The jobs in a stream of server-sent events. EventSource cannot post, nor send a key. */
async function* jobsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await orLost(reader.read());
    if (done) return;
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data: "));
      if (data.length) yield JSON.parse(data.map((line) => line.slice(6)).join("\n"));
    }
  }
}
