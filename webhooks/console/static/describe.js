// What a call says in words: shared by table and card, which must not contradict each other.

import { spaced } from "./phone.js";
import { say, sayIfKnown } from "./words.js";

/** The number of the other side, or null where it is withheld. */
export function otherNumber(call) {
  if (call.direction === "outgoing") return call.called;
  return call.caller.e164 ?? (/\d/.test(call.caller.raw) ? call.caller.raw : null);
}

/** The other side's number in words. */
export function numberText(call) {
  const number = otherNumber(call);
  return number === null ? say("caller.withheld") : spaced(number);
}

/** Who it is: {name, url, sure}; `sure` is false where nobody of ours is known under the number. */
export function person(call) {
  const known = call.subscriber ?? call.lead;
  if (known) return { name: known.name, url: known.url, sure: true };
  return { name: call.caller.name || say("caller.unknown"), url: null, sure: false };
}

/** Queue and line it came by; one of them where both have the same name. */
export function lineText(call) {
  if (call.direction === "outgoing") return "";
  const line = call.called_name ?? (call.called ? spaced(call.called) : null);
  if (line === null || call.queue?.toLowerCase() === line.toLowerCase()) return line ?? call.queue ?? "";
  return call.queue ? `${line} · ${call.queue}` : line;
}

/** The operator's name, else the phone that nobody owns. */
export function operatorText(operator) {
  return operator === null ? "" : operator.name || operator.login || operator.sip_phone;
}

/** How it ended, where the status does not say it already. */
export function outcomeText(call) {
  return call.outcome === null || call.outcome === "answered" ? "" : say(`outcome.${call.outcome}`);
}

/** A service and its state; states that we have no word for are shown as the directory writes them. */
export function serviceText({ service, service_status: state }) {
  return [service, state && stateText(state)].filter(Boolean).join(": ");
}

/** "on", "off" where the state is one we know, else "unsaid". */
export function serviceState({ service_status: state }) {
  if (!state || sayIfKnown(stateKey(state)) === null) return "unsaid";
  return stateKey(state) === "service.enabled" ? "on" : "off";
}

function stateText(state) {
  return sayIfKnown(stateKey(state)) ?? state;
}

function stateKey(state) {
  return `service.${state.toLowerCase().replaceAll(" ", "_")}`;
}
