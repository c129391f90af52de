// One caller card as it is seen.

import { serverNow } from "./api.js";
import { lineText, numberText, operatorText, otherNumber, person, serviceState, serviceText } from "./describe.js";
import { copyOf, setLink, setText, slots } from "./dom.js";
import { showPhone } from "./phone.js";
import { duration, isNegative, money, say } from "./words.js";

const NOTHING = "–";

export class CardView {
  #slots;
  #fold;

  /** `onFold` is called when the person folds or unfolds it. */
  constructor(onFold) {
    this.element = copyOf("card");
    this.#slots = slots(this.element);
    this.#fold = this.element.querySelector(".fold");
    this.#fold.addEventListener("click", onFold);
  }

  /** Draws what there is to say. */
  show({ call, standing }, folded) {
    this.element.dataset.standing = standing;
    this.element.dataset.call = call.id;
    this.element.classList.toggle("folded", folded);
    this.#fold.setAttribute("aria-expanded", String(!folded));
    const name = operatorText(call.operator);
    setText(this.#slots.state, say(`card.${standing}`, { name }));
    setText(this.#slots.via, lineText(call), lineText(call) || null);
    this.#showWho(call);
    this.#showFacts(call);
    this.#showCandidates(call.candidates);
    this.element.querySelector(".stale").hidden = !call.match?.stale;
    this.tick(call);
  }

  /** Seconds since it began to ring or to be talked to; they stand still once it is over. */
  tick(call) {
    const from = Date.parse(call.answered_at ?? call.started_at);
    const to = call.ended_at ? Date.parse(call.ended_at) : serverNow();
    setText(this.#slots.clock, duration((to - from) / 1000));
  }

  /** Whether the person points at it or is in it with the keyboard: then it must not vanish. */
  isHeld() {
    const pointed = matchMedia("(hover: hover)").matches && this.element.matches(":hover");
    return pointed || this.element.matches(":has(:focus-visible)");
  }

  #showWho(call) {
    const { name, url, sure } = person(call);
    const several = call.candidates.length > 1;
    const numberIsTitle = !sure || several;
    const number = otherNumber(call);
    setLink(this.#slots.title, numberIsTitle ? numberText(call) : name, numberIsTitle ? null : url);
    if (numberIsTitle && number !== null) showPhone(this.#slots.title, number);
    else this.#slots.title.classList.remove("number");
    if (numberIsTitle) setText(this.#slots.number, several ? severalText(call) : strangerText(call));
    else if (number === null) setText(this.#slots.number, say("caller.withheld"));
    else showPhone(this.#slots.number, number);
    setText(this.#slots.who, numberIsTitle ? "" : whoText(call));
  }

  #showFacts(call) {
    const facts = call.candidates.length > 1 ? null : (call.subscriber ?? call.lead);
    this.element.querySelector("dl").hidden = facts === null;
    this.element.querySelector("dl").classList.toggle("lead", call.subscriber === null);
    if (facts === null) return;
    showDeposit(this.#slots.deposit, facts);
    for (const name of ["address", "tariff"]) setText(this.#slots[name], facts[name] || NOTHING, facts[name] || null);
    setText(this.#slots.service, serviceText(facts) || NOTHING);
    this.#slots.service.dataset.state = serviceState(facts);
  }

  #showCandidates(candidates) {
    const list = this.element.querySelector(".candidates");
    list.hidden = candidates.length < 2;
    list.replaceChildren(...(list.hidden ? [] : candidates.map(candidateItem)));
  }
}

/** What a screen reader says when the card comes. */
export function spokenName(call) {
  const { name, sure } = person(call);
  return sure && call.candidates.length < 2 ? name : numberText(call);
}

function whoText({ subscriber, lead }) {
  if (!subscriber) return say("caller.lead");
  const id = say("card.id", { id: subscriber.id });
  return [id, subscriber.login, subscriber.company].filter(Boolean).join(" · ");
}

function strangerText(call) {
  const unknown = otherNumber(call) === null ? null : say("card.unknown");
  return [call.caller.name, unknown].filter(Boolean).join(" · ");
}

function severalText(call) {
  return say("card.several", { count: call.candidates.length });
}

function candidateItem(subscriber) {
  const item = copyOf("candidate");
  const part = slots(item);
  setLink(part.title, subscriber.name, subscriber.url);
  showDeposit(part.deposit, subscriber);
  const facts = [say("card.id", { id: subscriber.id }), subscriber.address, subscriber.tariff];
  setText(part.facts, facts.filter(Boolean).join(" · "), subscriber.address);
  return item;
}

function showDeposit(element, { deposit, currency }) {
  setText(element, deposit ? money(deposit, currency) : NOTHING);
  element.classList.toggle("negative", Boolean(deposit) && isNegative(deposit));
}
