// Phone numbers as people of the country write them: +7 916 123-45-67.
//
// The separators are drawn by CSS and are no part of the text, so a copied number is the plain number.

const TWO_DIGIT_CODES = new Set(("20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 "
  + "60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98").split(" "));

const KNOWN = [
  [/^\+(7)(\d{3})(\d{3})(\d\d)(\d\d)$/, "  --"], // Russia, Kazakhstan
  [/^\+(380)(\d\d)(\d{3})(\d\d)(\d\d)$/, "  --"], // Ukraine
  [/^\+(375)(\d\d)(\d{3})(\d\d)(\d\d)$/, "  --"], // Belarus
  [/^\+(1)(\d{3})(\d{3})(\d{4})$/, "  -"], // North America
];

/** Splits a number into [[separator before, digits], …]; what is no E.164 number stays whole. */
export function groups(number) {
  for (const [pattern, separators] of KNOWN) {
    const match = pattern.exec(number);
    if (match) return match.slice(1).map((part, i) => (i ? [separators[i - 1], part] : ["", `+${part}`]));
  }
  return /^\+\d{7,15}$/.test(number) ? byThrees(number.slice(1)) : [["", number]];
}

/** The number with its separators as plain text, for places that are read aloud or shown in a title. */
export function spaced(number) {
  return groups(number).flat().join("");
}

/** Shows a number inside an element. */
export function showPhone(element, number) {
  const parts = groups(number).map(([separator, digits]) => {
    const part = document.createElement("span");
    part.textContent = digits;
    if (separator) part.className = separator === "-" ? "hyphen" : "gap";
    return part;
  });
  element.replaceChildren(...parts);
  element.classList.add("number");
}

function byThrees(digits) {
  const code = digits[0] === "1" || digits[0] === "7" ? 1 : TWO_DIGIT_CODES.has(digits.slice(0, 2)) ? 2 : 3;
  const rest = digits.slice(code).match(/\d{3}(?=\d{2})|\d{2,4}$|\d/g);
  return [["", `+${digits.slice(0, code)}`], ...rest.map((part) => [" ", part])];
}
