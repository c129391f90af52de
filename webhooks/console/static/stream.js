// The live events: server-sent events read through fetch, for ever, from where they broke off.
//
// EventSource would hide what this page must show: since when nothing came, a connection that is open but
// dead (a laptop that slept), and a session that ended. `Last-Event-ID` asks the server for what was missed.

const LIMIT = 1_000_000; // characters of one event; ours have under 10,000
const SILENCE = 45_000; // milliseconds without a byte, heartbeats included, until the connection counts as dead
const FIRST_WAIT = 500; // milliseconds before the first new attempt; doubled up to LONGEST_WAIT
const LONGEST_WAIT = 8_000;
const STABLE = 5_000; // milliseconds after which a connection counts as a good one

/** Cuts a text stream into events {type, data}. `id` is that of the last whole block, also of one without data. */
export class EventReader {
  id = null;
  #rest = "";
  #data = "";
  #type = "message";
  #next = null;

  take(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    const events = [];
    for (const line of lines) this.#line(line, events);
    if (this.#rest.length + this.#data.length > LIMIT) throw new Error("an event without an end");
    return events;
  }

  #line(line, events) {
    if (line === "") {
      if (this.#data) events.push({ type: this.#type, data: this.#data.slice(0, -1) });
      this.id = this.#next ?? this.id;
      [this.#data, this.#type, this.#next] = ["", "message", null];
      return;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "data") this.#data += `${value}\n`;
    else if (field === "event") this.#type = value;
    else if (field === "id") this.#next = value;
  }
}

/**
 * Reads the stream until the page ends.
 *
 * `on` has: event(type, data), opened(missed) where missed says that events before it may be lost,
 * state({name, since}), signedOut().
 */
export class Stream {
  #url;
  #on;
  #last = null; // id of the last event
  #since = null; // when the last byte came, while there is no connection
  #openedAt = Infinity; // when the last connection was made; Infinity where none was since
  #wait = FIRST_WAIT;
  #heard = Date.now(); // when the last byte came
  #tryNow = () => {};
  #giveUp = () => {};

  constructor(url, on) {
    this.#url = url;
    this.#on = on;
  }

  async run() {
    this.#on.state({ name: "connecting", since: null });
    for (;;) {
      if (await this.#read() === "signed out") return this.#on.signedOut();
      this.#since ??= new Date(this.#heard);
      this.#on.state({ name: "reconnecting", since: this.#since });
      await this.#pause();
    }
  }

  /** The page was looked at again or the network came back: no reason to wait, none to trust a silent line. */
  wake() {
    if (Date.now() - this.#heard > SILENCE) this.#giveUp();
    this.#tryNow();
  }

  async #read() {
    const controller = new AbortController();
    this.#giveUp = () => controller.abort();
    const watch = setInterval(() => Date.now() - this.#heard > SILENCE && this.#giveUp(), SILENCE / 3);
    this.#heard = Date.now();
    try {
      const response = await this.#open(controller.signal);
      if (response.status === 401) return "signed out";
      if (!response.ok) return "refused";
      this.#opened();
      const reader = new EventReader();
      for await (const text of chunks(response.body)) {
        this.#heard = Date.now();
        for (const event of reader.take(text)) this.#deliver(event);
        this.#last = reader.id ?? this.#last;
      }
      return "ended";
    } catch (error) {
      if (!(error instanceof TypeError) && error.name !== "AbortError") console.error(error);
      return "lost";
    } finally {
      clearInterval(watch);
      controller.abort();
    }
  }

  #open(signal) {
    const headers = { Accept: "text/event-stream" };
    if (this.#last !== null) headers["Last-Event-ID"] = this.#last;
    return fetch(this.#url, { headers, cache: "no-store", signal });
  }

  #opened() {
    this.#openedAt = Date.now();
    this.#since = null;
    this.#on.state({ name: "live", since: null });
    this.#on.opened(this.#last === null);
  }

  // An event that cannot be shown must not end the stream: it would come again with the next one, for ever.
  #deliver({ type, data }) {
    try {
      this.#on.event(type, data);
    } catch (error) {
      console.error(error);
    }
  }

  async #pause() {
    if (Date.now() - this.#openedAt > STABLE) this.#wait = FIRST_WAIT;
    this.#openedAt = Infinity;
    const milliseconds = this.#wait * (0.5 + Math.random() / 2);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    await new Promise((resolve) => {
      this.#tryNow = resolve;
      setTimeout(resolve, milliseconds);
    });
  }
}

async function* chunks(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
