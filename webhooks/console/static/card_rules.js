// When a caller card is there and what it says. Pure: no page, no clock.
//
//   ringing    my phone rings
//   mine       I talk with the caller
//   taken      somebody else does          \
//   elsewhere  it rings, but no longer here  > closes after STAY
//   missed     it ended without an answer   /
//   ended      my talk is over             /

import { isLive } from "./known.js";

export const STAY = 5000; // milliseconds that a card stays once there is nothing left to do

/** Where a call stands for somebody with these SIP phones; "none" where no card is due. */
export function standing(call, phones) {
  if (call.merged_into !== null || call.direction === "outgoing") return "none";
  const mine = call.operator !== null && phones.includes(call.operator.sip_phone);
  if (isLive(call)) {
    if (mine) return "mine";
    if (call.ringing.some((phone) => phones.includes(phone))) return "ringing";
    return call.operator === null ? "elsewhere" : "taken";
  }
  if (call.operator === null) return "missed";
  return mine ? "ended" : "taken";
}

/**
 * The card after news of its call: {call, standing, since, closesAt}, or null.
 *
 * A card begins only while it concerns me; `card` is what it was before, or undefined.
 */
export function afterNews(card, call, phones, now) {
  const stands = standing(call, phones);
  const lasting = stands === "ringing" || stands === "mine";
  if (stands === "none" || (!card && !lasting)) return null;
  return {
    call,
    standing: stands,
    since: card?.since ?? now,
    closesAt: lasting ? null : (card?.closesAt ?? now + STAY),
  };
}

/** The cards among those shown (newest first) that are open: my talk, what rings, then the newest. */
export function openOnes(shown, most) {
  const dearest = ["mine", "ringing"].map((standing) => shown.find((card) => card.standing === standing));
  return [...new Set([...dearest, ...shown])].filter(Boolean).slice(0, most);
}

/** Splits cards into those shown, newest first, and the number of the rest. My own talk is never the rest. */
export function stack(cards, most) {
  const newest = [...cards].sort((a, b) => b.since - a.since);
  const dearest = new Set([...newest.filter((card) => card.standing === "mine"), ...newest]);
  const kept = [...dearest].slice(0, most);
  return { shown: newest.filter((card) => kept.includes(card)), rest: cards.length - kept.length };
}
