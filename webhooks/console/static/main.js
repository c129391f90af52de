// The calls page: everything is made here and joined here.

import { leave, request, serverNow } from "./api.js";
import { STAY } from "./card_rules.js";
import { Cards } from "./cards.js";
import { KnownCalls } from "./known.js";
import { CallList } from "./list.js";
import { offerLanguages, offerThemes } from "./preferences.js";
import { Search } from "./search.js";
import { Stream } from "./stream.js";
import { CallTable } from "./table.js";
import { account, clock, fullTime, say } from "./words.js";

const SPREAD = 2000; // milliseconds: all consoles hear "reset" at once and must not all ask at once
const RETRY = 5000; // milliseconds until calls that could not be read are asked for again
const DOUBT = 300; // milliseconds after which old news is checked, so that a replay is checked once
const HIDDEN_LONG = 30_000; // milliseconds: browsers slow hidden pages down, so what they show may be old

const known = new KnownCalls();
const table = new CallTable(document.getElementById("calls"), {
  again: () => rereadAll(),
  more: () => list.more().catch(failed),
  release: () => list.release(),
  all: () => search.set(""),
});
const list = new CallList(known, table, account, failed);
const cards = new Cards({
  root: document.getElementById("cards"),
  announcer: document.getElementById("announcer"),
  phones: account.sip_phones,
  known,
});
const search = new Search(document.getElementById("search"), (number) => {
  list.search(number).catch(failed);
});
const stream = new Stream("/api/events", {
  event: takeEvent,
  opened: (missed) => (missed || table.hasProblem() ? rereadAll() : rereadCards()),
  state: showConnection,
  signedOut: leave,
});

let neverRead = true;
let timer = null;
let due = Infinity; // when the timer ends
let doubt = null;

function takeEvent(type, data) {
  if (type === "reset") {
    rereadSoon(Math.random() * SPREAD);
  } else if (type.startsWith("call.")) {
    const event = JSON.parse(data);
    if (event.v !== 1 || known.keep(event.call) !== event.call) return;
    list.take(event.call);
    takeCard(event);
  }
}

// News that comes late, as after a break, may be of a call that is long over: only the server knows.
function takeCard({ at, call }) {
  const fresh = serverNow() - Date.parse(at) < STAY;
  if (cards.take(call, fresh)) return;
  doubt ??= setTimeout(rereadCards, DOUBT);
}

async function rereadAll() {
  neverRead = false;
  clearTimeout(timer);
  due = Infinity;
  await Promise.all([list.reread(), cards.reread()]).catch(failed);
}

async function rereadCards() {
  clearTimeout(doubt);
  doubt = null;
  await cards.reread().catch(failed);
}

function failed(error) {
  table.showProblem(error);
  rereadSoon(RETRY);
}

// What is due sooner stays due: one reset after the other must not put the reading off for ever.
function rereadSoon(milliseconds) {
  const then = Date.now() + milliseconds;
  if (then >= due) return;
  clearTimeout(timer);
  due = then;
  timer = setTimeout(rereadAll, milliseconds);
}

function showConnection({ name, since }) {
  const shown = document.getElementById("connection");
  shown.dataset.state = name;
  document.body.dataset.connection = name;
  shown.lastElementChild.textContent = say(`connection.${name}`, { time: since && clock(since) });
  shown.title = since ? fullTime(since) : "";
  if (name === "reconnecting" && neverRead) rereadAll();
}

function rereadWhenSeen() {
  let hiddenAt = 0;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      hiddenAt = Date.now();
      return;
    }
    stream.wake();
    if (Date.now() - hiddenAt > HIDDEN_LONG) rereadAll();
  });
  window.addEventListener("online", () => stream.wake());
}

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input:not([type=radio]), textarea, select, [contenteditable]");
    if (event.key === "Escape" && !typing && !document.querySelector(":popover-open")) cards.fold();
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search.focus();
    }
  });
}

async function signOut() {
  try {
    await request("DELETE", "/api/session");
    leave();
  } catch (error) {
    table.showProblem(error);
  }
}

offerLanguages();
offerThemes(document.getElementById("theme"));
rereadWhenSeen();
listenToKeys();
document.getElementById("sign-out").addEventListener("click", signOut);
setInterval(() => {
  const live = document.body.dataset.connection === "live";
  table.tick(live);
  cards.tick(live);
}, 1000);
list.number = search.start();
stream.run();
