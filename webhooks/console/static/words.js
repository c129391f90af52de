// The texts of the page in its language, and everything that depends on the language: dates, clocks, money.

const page = JSON.parse(document.getElementById("page").textContent);

export const account = page.account;
export const language = page.language;

const plural = new Intl.PluralRules(language);
const whole = new Intl.NumberFormat(language);
const clockOnly = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayOnly = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
const dayWithYear = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" });
const everything = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "medium", hourCycle: "h23" });

/** The text of a key; `values.count` picks the plural form. A key without a text is a bug and says so. */
export function say(key, values = {}) {
  let text = page.words[key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  if (typeof text === "object") text = text[plural.select(values.count)];
  return text.replace(/\{(\w+)\}/g, (_, name) =>
    typeof values[name] === "number" ? whole.format(values[name]) : values[name]);
}

/** The text of a key, or null where there is none: for values that come from outside. */
export function sayIfKnown(key) {
  return Object.hasOwn(page.words, key) ? say(key) : null;
}

export function clock(date) {
  return clockOnly.format(date);
}

/** Today's calls show the clock, older ones the day too; last year's the year instead of the clock. */
export function clockOrDay(date, now) {
  if (date.toDateString() === now.toDateString()) return clock(date);
  if (date.getFullYear() !== now.getFullYear()) return dayWithYear.format(date);
  return `${dayOnly.format(date)}, ${clock(date)}`;
}

export function fullTime(date) {
  return everything.format(date);
}

/** Seconds as m:ss or h:mm:ss. */
export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(s / 60) % 60, s % 60].map((part) => String(part).padStart(2, "0"));
  return s < 3600 ? `${Math.floor(s / 60)}:${parts[1]}` : `${Math.floor(s / 3600)}:${parts.join(":")}`;
}

/** A decimal string as money with its sign, a real minus and its currency: −12.50 ₽. */
export function money(amount, currency) {
  if (!/^[+-]?\d+(\.\d+)?$/.test(amount)) return amount;
  const parts = moneyFormat(currency).formatToParts(amount);
  const text = parts.map((part) => (part.type === "minusSign" ? "−" : part.value)).join("");
  return currency && !isCurrencyCode(currency) ? `${text} ${currency}` : text;
}

export function isNegative(amount) {
  return Number(amount) < 0;
}

function moneyFormat(currency) {
  const style = currency && isCurrencyCode(currency)
    ? { style: "currency", currency, currencyDisplay: "narrowSymbol" }
    : { minimumFractionDigits: 2 };
  return new Intl.NumberFormat(language, { ...style, maximumFractionDigits: 2, signDisplay: "exceptZero" });
}

function isCurrencyCode(currency) {
  return /^[A-Za-z]{3}$/.test(currency);
}
