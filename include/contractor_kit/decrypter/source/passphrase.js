// The passphrase as a person types it, brought to its one canonical text; the same rules as the ward's own.
// Five groups of five Crockford base32 symbols and a check symbol over GF(32) that knows its group's number.

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
export const GROUPS = 5;
const GROUP_LENGTH = 6;

/** The five groups as typed so far: [{text, state}] where state is "empty", "short", "right" or "wrong". */
export function groupsOf(typed) {
  const symbols = typed
    .normalize("NFKC")
    .toUpperCase()
    .replace(/[\s\-‐‑‒–—―−ー_]+/gu, "")
    .replace(/O/g, "0")
    .replace(/[IL]/g, "1");
  const groups = [];
  for (let number = 1; number <= GROUPS; number++) {
    const last = number === GROUPS; // what is too much shows in the last group
    const text = symbols.slice((number - 1) * GROUP_LENGTH, last ? undefined : number * GROUP_LENGTH);
    groups.push({ text, state: stateOf(text, number) });
  }
  return groups;
}

/** The canonical text, or null while any group is not right. */
export function canonical(typed) {
  const groups = groupsOf(typed);
  return groups.every((group) => group.state === "right") ? groups.map((group) => group.text).join("-") : null;
}

function stateOf(text, number) {
  if (!text) return "empty";
  if ([...text].some((symbol) => !ALPHABET.includes(symbol)) || text.length > GROUP_LENGTH) return "wrong";
  if (text.length < GROUP_LENGTH) return "short";
  let total = number;
  for (const symbol of text) {
    total <<= 1;
    if (total & 32) total ^= 0b100101;
    total ^= ALPHABET.indexOf(symbol);
  }
  return total === 0 ? "right" : "wrong";
}
