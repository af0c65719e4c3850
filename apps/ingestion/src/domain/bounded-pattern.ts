// JavaScript's regular expressions backtrack: a pattern such as (a+)+$ takes longer than the universe over 60 letters.
// Patterns come from users and texts from strangers, so a pattern is accepted only when an upper bound of its
// backtracking is small: the number of ways in which it can split a text among its repetitions.

/** Texts of a field with a pattern and without maxLength may be this long (characters). */
export const PATTERN_MAX_LENGTH = 256;

/** Ways to match from one starting point: with at most 256 starting points some tens of milliseconds at the very worst. */
const MAX_WAYS = 1_000_000;

interface Cursor {
  readonly source: string;
  at: number;
}

class PatternFault extends Error {}

/** What is wrong with a pattern for texts of at most `maxLength` characters, or undefined. */
export function patternFault(source: string, maxLength: number): string | undefined {
  try {
    new RegExp(source, 'u');
  } catch (error) {
    return `not a regular expression: ${(error as Error).message}`;
  }
  try {
    const ways = alternatives({ source, at: 0 }, maxLength);
    if (ways <= MAX_WAYS) return undefined;
  } catch (error) {
    if (error instanceof PatternFault) return error.message;
    throw error;
  }
  return (
    `its cost over texts of ${maxLength} characters is not bounded well enough: use fewer repetitions, ` +
    'no repetition within a repetition, bounds such as {1,20} in place of + and *, or a smaller maxLength'
  );
}

/** Alternatives add up; the parts of a sequence multiply. */
function alternatives(cursor: Cursor, length: number): number {
  let sum = 0;
  let product = 1;
  while (cursor.at < cursor.source.length && cursor.source[cursor.at] !== ')') {
    if (cursor.source[cursor.at] === '|') {
      cursor.at += 1;
      sum += product;
      product = 1;
      continue;
    }
    const ways = term(cursor, length);
    product *= repetitions(cursor, ways, length);
  }
  return sum + product;
}

/** One atom, without its quantifier. The pattern is known to be valid. */
function term(cursor: Cursor, length: number): number {
  const { source } = cursor;
  const character = source[cursor.at];
  cursor.at += 1;
  if (character === '\\') {
    const escaped = source[cursor.at] ?? '';
    if (/[1-9k]/.test(escaped)) throw new PatternFault('back-references are not allowed');
    cursor.at += 1;
    if ('pPu'.includes(escaped) && source[cursor.at] === '{') cursor.at = source.indexOf('}', cursor.at) + 1;
    return 1;
  }
  if (character === '[') {
    while (source[cursor.at] !== ']') cursor.at += source[cursor.at] === '\\' ? 2 : 1;
    cursor.at += 1;
    return 1;
  }
  if (character !== '(') return 1;
  if (source[cursor.at] === '?') {
    const group = /^\?(:|<[A-Za-z_$][\w$]*>)/.exec(source.slice(cursor.at));
    if (!group) throw new PatternFault('look-around and modifiers are not allowed');
    cursor.at += group[0].length;
  }
  const ways = alternatives(cursor, length);
  cursor.at += 1;
  return ways;
}

const QUANTIFIER = /^(?:([*+?])|\{(\d+)(,(\d*))?\})\??/;

function repetitions(cursor: Cursor, ways: number, length: number): number {
  const match = QUANTIFIER.exec(cursor.source.slice(cursor.at));
  if (!match) return ways;
  cursor.at += match[0].length;
  const [, symbol, least, comma, most] = match;
  const min = symbol === undefined ? Number(least) : symbol === '+' ? 1 : 0;
  const max = symbol === '?' ? 1 : symbol !== undefined || most === '' ? length : comma ? Number(most) : Number(least);
  let sum = 0;
  for (let count = min; count <= Math.max(min, Math.min(max, length)); count += 1) {
    sum += ways ** count;
    if (sum > MAX_WAYS) return Infinity;
  }
  return sum;
}
