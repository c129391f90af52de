// The stack of caller cards: one per call that concerns me, newest on top, never taking the focus.

import { request } from "./api.js";
import { CardView, spokenName } from "./card.js";
import { afterNews, openOnes, stack } from "./card_rules.js";
import { isLive } from "./known.js";
import { operatorText } from "./describe.js";
import { say } from "./words.js";

const MOST = 4; // cards shown; the rest are counted
const MOST_FOLDED = 50; // choices remembered
const FOLDED = "whocalls.folded"; // key in the tab's storage, so that a reload changes nothing

export class Cards {
  #stack;
  #rest;
  #announcer;
  #phones;
  #known;
  #cards = new Map(); // call id to card
  #views = new Map(); // call id to CardView
  #folded = readFolded(); // call id to what the person chose
  #narrow = matchMedia("(max-width: 720px)");
  #title = document.title;

  constructor({ root, announcer, phones, known }) {
    this.#stack = root.querySelector(".stack");
    this.#rest = root.querySelector(".rest");
    this.#announcer = announcer;
    this.#phones = phones;
    this.#known = known;
    this.#narrow.addEventListener("change", () => this.#show());
  }

  /**
   * Takes what is newly known of a call. Only `fresh` news begins a card.
   * Returns false where the call is to be read: it would have a card, were the news not old.
   */
  take(call, fresh) {
    const before = this.#cards.get(call.id);
    const card = afterNews(before, call, this.#phones, Date.now());
    if (card && !before && !fresh) return false;
    if (!card && !before) return true;
    if (card) this.#cards.set(call.id, card);
    else this.#cards.delete(call.id);
    this.#announce(before, card);
    this.#show();
    return true;
  }

  /** Reads the live calls anew: after a reload, and after news may have been lost. */
  async reread() {
    const pages = await Promise.all(["ringing", "in_processing"].map(
      (status) => request("GET", `/api/calls?status=${status}&limit=200`)));
    const live = pages.flatMap((page) => page.items);
    for (const call of live.reverse()) this.take(this.#known.keep(call), true);
    const seen = new Set(live.map((call) => call.id));
    const lost = [...this.#cards.values()].filter(({ call }) => isLive(call) && !seen.has(call.id));
    await Promise.all(lost.map(({ call }) => this.#ask(call)));
  }

  /** Called each second: seconds count while we are `live`, cards close. */
  tick(live) {
    const now = Date.now();
    let closed = false;
    for (const [id, card] of this.#cards) {
      if (live) this.#views.get(id)?.tick(card.call);
      if (card.closesAt === null || card.closesAt > now || this.#views.get(id)?.isHeld()) continue;
      this.#cards.delete(id);
      closed = true;
    }
    if (closed) this.#show();
  }

  /** Folds the topmost open card. Returns whether there was one. */
  fold() {
    const open = [...this.#stack.querySelectorAll(".card:not(.folded)")].at(0);
    if (open) this.#choose(open.dataset.call, true);
    return open !== undefined;
  }

  // A call that is no longer in the lists has ended, or is now one that this person may not see.
  async #ask(call) {
    try {
      this.take(this.#known.keep(await request("GET", `/api/calls/${encodeURIComponent(call.id)}`)), true);
    } catch (error) {
      if (error.status !== 403 && error.status !== 404) throw error;
      this.#cards.delete(call.id);
      this.#show();
    }
  }

  #choose(id, folded) {
    this.#folded.delete(id);
    this.#folded.set(id, folded);
    if (this.#folded.size > MOST_FOLDED) this.#folded.delete(this.#folded.keys().next().value);
    writeFolded(this.#folded);
    this.#show();
  }

  // What the person chose, else as many open ones as there is room for.
  #isFolded(card, shown) {
    const open = openOnes(shown, this.#narrow.matches ? 1 : 2);
    return this.#folded.get(card.call.id) ?? !open.includes(card);
  }

  #show() {
    const { shown, rest } = stack([...this.#cards.values()], MOST);
    this.#dropViews(new Set(shown.map((card) => card.call.id)));
    let place = this.#stack.firstElementChild;
    for (const card of shown) {
      const { element } = this.#draw(card, this.#isFolded(card, shown));
      if (element === place) place = place.nextElementSibling;
      else this.#stack.insertBefore(element, place);
    }
    this.#rest.hidden = rest === 0;
    this.#rest.textContent = say("card.rest", { count: rest });
    this.#showTitle(shown);
  }

  #draw(card, folded) {
    const id = card.call.id;
    let view = this.#views.get(id);
    if (!view) {
      view = new CardView(() => this.#choose(id, !view.element.classList.contains("folded")));
      this.#views.set(id, view);
    }
    view.show(card, folded);
    return view;
  }

  #dropViews(wanted) {
    for (const [id, view] of this.#views) {
      if (wanted.has(id)) continue;
      view.element.remove();
      this.#views.delete(id);
    }
  }

  #announce(before, card) {
    if (!card || before?.standing === card.standing) return;
    if (card.standing === "ringing") this.#say(say("card.announce", { name: spokenName(card.call) }));
    else if (before) this.#say(say(`card.${card.standing}`, { name: operatorText(card.call.operator) }));
  }

  #say(text) {
    this.#announcer.textContent = text;
  }

  #showTitle(shown) {
    const ringing = shown.find((card) => card.standing === "ringing");
    document.title = ringing ? `${say("card.ringing")}: ${spokenName(ringing.call)}` : this.#title;
  }
}

function readFolded() {
  try {
    return new Map(JSON.parse(sessionStorage.getItem(FOLDED) ?? "[]"));
  } catch {
    return new Map();
  }
}

function writeFolded(folded) {
  try {
    sessionStorage.setItem(FOLDED, JSON.stringify([...folded]));
  } catch {
    // Storage may be switched off or full; then only a reload forgets what was folded.
  }
}
