// What is known of each call: its highest version, whatever order the news came in.

const LIMIT = 3000; // calls; about 2 kB each. A console shows a few hundred.

export class KnownCalls {
  #byId = new Map();

  /** Takes a call and returns the newest that is known of it: itself, or one with a higher version. */
  keep(call) {
    const known = this.#byId.get(call.id);
    if (known && known.version > call.version) return known;
    this.#byId.delete(call.id); // so that it moves to the young end
    this.#byId.set(call.id, call);
    if (this.#byId.size > LIMIT) this.#byId.delete(this.#byId.keys().next().value);
    return call;
  }
}

/** Whether the call still goes on. */
export function isLive(call) {
  return call.ended_at === null && call.outcome === null;
}
