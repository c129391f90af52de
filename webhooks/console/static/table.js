// The table of calls as it is seen. Rows are kept by call, so that a change touches only its own cells.

import { serverNow } from "./api.js";
import { lineText, numberText, operatorText, otherNumber, outcomeText, person } from "./describe.js";
import { copyOf, setLink, setText, slots } from "./dom.js";
import { isLive } from "./known.js";
import { showPhone } from "./phone.js";
import { clockOrDay, duration, fullTime, say } from "./words.js";

export class CallTable {
  #root;
  #scroll;
  #body;
  #slots;
  #rows = new Map(); // call id to {row, slots, call}
  #day = "";

  /** `on` has again(), more(), release() and all(): what the buttons do. */
  constructor(root, on) {
    this.#root = root;
    this.#scroll = root.querySelector(".scroll");
    this.#body = root.querySelector("tbody");
    this.#slots = slots(root);
    for (const [name, does] of Object.entries({ ...on, arrivals: () => this.#toTop(on.release) })) {
      this.#button(name)?.addEventListener("click", does);
    }
    this.#scroll.addEventListener("scroll", () => this.isScrolled() || on.release(), { passive: true });
  }

  isScrolled() {
    return this.#scroll.scrollTop > 8;
  }

  /** Dims what is shown while it is being read anew. */
  setBusy(busy) {
    this.#root.setAttribute("aria-busy", String(busy));
  }

  /** Says what went wrong; null when all is well again. */
  showProblem(error) {
    const bar = this.#root.querySelector(".problem-bar");
    bar.hidden = error === null;
    if (error === null) return;
    if (error.status === undefined) console.error(error);
    setText(this.#slots.problem, say("calls.problem", { reason: reasonText(error) }), error.message || null);
  }

  /** Whether something went wrong and is not well again. */
  hasProblem() {
    return !this.#root.querySelector(".problem-bar").hidden;
  }

  show({ calls, held, total, exact, more, number }) {
    const first = this.#rows.size === 0;
    this.#drop(new Set(calls.map((call) => call.id)));
    let place = this.#body.firstElementChild;
    for (const call of calls) {
      const row = this.#row(call, !first);
      if (row === place) place = place.nextElementSibling;
      else this.#body.insertBefore(row, place);
    }
    this.#showTotal(total, exact);
    this.#showEmpty(calls.length + held === 0, number);
    this.#button("more").hidden = !more;
    this.#button("arrivals").hidden = held === 0;
    setText(this.#button("arrivals").lastElementChild, say("calls.arrived", { count: held }));
  }

  /** Called each second: durations, which stand still unless we are `live`; and dates once the day changed. */
  tick(live) {
    const today = new Date().toDateString();
    const newDay = this.#day !== today;
    this.#day = today;
    for (const kept of this.#rows.values()) {
      if (newDay || (live && isLive(kept.call))) fill(kept);
    }
  }

  #row(call, arrives) {
    let kept = this.#rows.get(call.id);
    if (!kept) {
      const row = copyOf("row");
      row.classList.toggle("arrived", arrives && isLive(call));
      kept = { row, slots: slots(row), call: null };
      this.#rows.set(call.id, kept);
    }
    if (kept.call !== call) {
      kept.call = call;
      fill(kept);
    }
    return kept.row;
  }

  #drop(wanted) {
    for (const [id, { row }] of this.#rows) {
      if (wanted.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
  }

  #showTotal(total, exact) {
    setText(this.#slots.total, say(exact ? "calls.total" : "calls.total_over", { count: total }));
  }

  #showEmpty(empty, number) {
    this.#root.querySelector(".empty").hidden = !empty;
    this.#root.querySelector("table").hidden = empty;
    this.#button("all").hidden = !number;
    setText(this.#slots.empty, number ? say("calls.none_found", { number }) : say("calls.empty"));
    setText(this.#slots["empty-hint"], say(number ? "calls.none_found_hint" : "calls.empty_hint"));
  }

  #toTop(then) {
    this.#scroll.scrollTop = 0;
    then();
  }

  #button(name) {
    return this.#root.querySelector(`[data-do=${name}]`);
  }
}

function reasonText({ status }) {
  if (!status || status === 502 || status === 504) return say("calls.problem_away");
  return status === 503 ? say("calls.problem_database") : say("calls.problem_other", { status: String(status) });
}

function fill({ row, slots: cell, call }) {
  const who = person(call);
  const others = call.candidates.length - 1;
  row.dataset.status = call.status;
  row.dataset.live = isLive(call);
  row.dataset.known = who.sure;
  setLink(cell.subscriber, others > 0 ? `${who.name} +${others}` : who.name, who.url);
  cell.subscriber.title = who.name;
  setText(cell.id, call.subscriber?.id ?? (call.lead ? say("caller.lead") : ""));
  fillPhone(cell.phone, call);
  row.querySelector(".out").toggleAttribute("hidden", call.direction !== "outgoing");
  setText(cell.status, say(`status.${call.status}`));
  setText(cell.outcome, outcomeText(call), outcomeText(call) || null);
  setText(cell.line, lineText(call), lineText(call) || null);
  setText(cell.operator, operatorText(call.operator), call.operator?.sip_phone);
  fillTalk(cell.talk, call);
  fillDate(cell.date, new Date(call.started_at));
}

function fillPhone(cell, call) {
  const number = otherNumber(call);
  if (cell.dataset.number === String(number)) return;
  cell.dataset.number = String(number);
  cell.title = numberText(call);
  if (number === null) setText(cell, say("caller.withheld"));
  else showPhone(cell, number);
}

function fillDate(cell, date) {
  setText(cell, clockOrDay(date, new Date()), fullTime(date));
  cell.dateTime = date.toISOString();
}

// The talk, or how long the caller waited where there was none.
function fillTalk(cell, call) {
  const talked = call.answered_at !== null;
  const passed = (serverNow() - Date.parse(call.answered_at ?? call.started_at)) / 1000;
  const seconds = isLive(call) ? passed : talked ? call.talk_seconds : call.waiting_seconds;
  cell.classList.toggle("aside", !talked);
  if (seconds === null) setText(cell, "");
  else setText(cell, duration(seconds), say(talked ? "calls.talked" : "calls.waited"));
}
