// The calls of the table: pages from the server, kept up to date by live events.

import { request } from "./api.js";

const PAGE = 50; // rows fetched at a time
const MOST = 500; // rows kept; a console open for weeks must not grow without end

export class CallList {
  #known;
  #view;
  #account;
  #failed;
  #byId = new Map();
  #held = new Set(); // new calls that wait while the list is scrolled
  #during = null; // calls that came while a page is being fetched
  #number = "";
  #next = null;
  #total = 0;
  #exact = true;
  #turn = 0; // only the answer to the latest question counts

  /**
   * `account` decides which calls belong here: an operator's list has no calls that others answered.
   * `failed` is told why a reading failed that nobody asked for.
   */
  constructor(known, view, account, failed) {
    this.#known = known;
    this.#view = view;
    this.#account = account;
    this.#failed = failed;
  }

  /** Sets the number before the first reading. */
  set number(number) {
    this.#number = number;
  }

  /** Shows only calls with this number; "" shows all. */
  search(number) {
    this.#number = number;
    return this.reread();
  }

  /** Reads anew as many rows as are shown. Throws Refused where the server does not give them. */
  reread() {
    const rows = Math.min(Math.max(PAGE, this.#byId.size), MOST);
    return this.#ask({ limit: rows }, () => this.#byId.clear());
  }

  /** Reads the next older page. */
  more() {
    return this.#ask({ limit: PAGE, cursor: this.#next }, () => {});
  }

  /** Takes what an event said of a call. */
  take(call) {
    this.#during?.push(call);
    this.#put(call);
    this.#show();
    if (this.#byId.size > MOST && !this.#view.isScrolled()) this.#shorten();
  }

  /** Shows the new calls that were waiting. */
  release() {
    if (this.#held.size === 0) return;
    this.#held.clear();
    this.#show();
  }

  async #ask(query, prepare) {
    const turn = ++this.#turn;
    this.#during = [];
    this.#view.setBusy(true);
    try {
      const page = await request("GET", `/api/calls?${this.#query(query)}`);
      if (turn !== this.#turn) return;
      prepare();
      this.#accept(page);
    } catch (error) {
      if (turn === this.#turn) throw error;
    } finally {
      if (turn === this.#turn) this.#settle();
    }
  }

  #settle() {
    this.#during = null;
    this.#view.setBusy(false);
  }

  #accept(page) {
    [this.#next, this.#total, this.#exact] = [page.next, page.total, page.total_exact];
    for (const item of page.items) {
      const call = this.#known.keep(item);
      if (this.#belongs(call)) this.#byId.set(call.id, call);
    }
    for (const call of this.#during) this.#put(call);
    this.#view.showProblem(null);
    this.#show();
  }

  #query(query) {
    return new URLSearchParams(this.#number ? { ...query, number: this.#number } : query);
  }

  #put(call) {
    if (!this.#belongs(call)) {
      if (this.#byId.delete(call.id)) this.#count(-1);
    } else if (this.#byId.has(call.id)) {
      this.#byId.set(call.id, call);
    } else if (this.#matches(call) && this.#isNewer(call)) {
      this.#byId.set(call.id, call);
      this.#count(1);
      if (this.#view.isScrolled()) this.#held.add(call.id);
    }
  }

  #count(more) {
    if (this.#exact) this.#total += more;
  }

  // The server's own rule (webhooks/access.py). An operator's list loses a call when somebody else answers it,
  // since nothing more will be heard of it.
  #belongs({ merged_into: merged, operator, ringing }) {
    const { role, sip_phones: own } = this.#account;
    if (merged !== null) return false;
    if (role !== "operator" || operator === null) return true;
    return [operator.sip_phone, ...ringing].some((phone) => own.includes(phone));
  }

  #matches(call) {
    const digits = this.#number.replaceAll(/\D/g, "");
    const numbers = [call.caller.e164 ?? call.caller.raw, call.called];
    return !this.#number || numbers.some((one) => one?.replaceAll(/\D/g, "").endsWith(digits));
  }

  // A call older than the rows shown belongs to a page that was not fetched yet.
  #isNewer(call) {
    const last = this.#sorted().at(-1);
    return this.#next === null || last === undefined || newestFirst(call, last) < 0;
  }

  #sorted() {
    return [...this.#byId.values()].sort(newestFirst);
  }

  #shorten() {
    this.#byId = new Map(this.#sorted().slice(0, PAGE).map((call) => [call.id, call]));
    this.reread().catch(this.#failed);
  }

  #show() {
    const calls = this.#sorted();
    for (const id of this.#held) if (!this.#byId.has(id)) this.#held.delete(id);
    this.#view.show({
      calls: calls.filter((call) => !this.#held.has(call.id)),
      held: this.#held.size,
      total: this.#total,
      exact: this.#exact,
      more: this.#next !== null,
      number: this.#number,
    });
  }
}

function newestFirst(a, b) {
  if (a.started_at !== b.started_at) return a.started_at < b.started_at ? 1 : -1;
  return a.id < b.id ? 1 : -1;
}
