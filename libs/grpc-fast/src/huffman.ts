// The Huffman code of HPACK (RFC 7541, appendix B).

/** Bits of each symbol; the last is the end of the string. The code is canonical: the lengths say all of it. */
// prettier-ignore
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];
const END = 256;

/** A node of the code tree: its two children, or the symbol it stands for. */
interface Node {
  readonly children: [Node | undefined, Node | undefined];
  symbol: number;
  /** Reached from the root by less than eight bits, all ones: what a string may be padded with. */
  padding: boolean;
  number: number;
}

function newNode(): Node {
  return { children: [undefined, undefined], symbol: -1, padding: false, number: -1 };
}

function buildTree(): Node {
  const root = newNode();
  const order = LENGTHS.map((length, symbol) => ({ length, symbol }));
  order.sort((a, b) => a.length - b.length || a.symbol - b.symbol);
  let code = 0;
  let bits = 0;
  for (const { length, symbol } of order) {
    code <<= length - bits;
    bits = length;
    let node = root;
    for (let bit = length - 1; bit >= 0; bit -= 1) {
      const side = (code >>> bit) & 1 ? 1 : 0;
      node = node.children[side] ??= newNode();
    }
    node.symbol = symbol;
    code += 1;
  }
  let node: Node | undefined = root;
  for (let depth = 0; node && depth < 8; depth += 1) {
    node.padding = true;
    node = node.children[1];
  }
  return root;
}

const FAILED = 0xffff;
const NOTHING = 0xffff;

/** A machine that takes four bits a step: from state s with nibble n to NEXT[s * 16 + n], giving SYMBOL[s * 16 + n]. */
function buildMachine(): { next: Uint16Array; symbol: Uint16Array; accepting: boolean[] } {
  const root = buildTree();
  const states: Node[] = [];
  const number = (node: Node): void => {
    if (node.symbol >= 0) return;
    node.number = states.push(node) - 1;
    for (const child of node.children) if (child) number(child);
  };
  number(root);
  const next = new Uint16Array(states.length * 16).fill(FAILED);
  const symbol = new Uint16Array(states.length * 16).fill(NOTHING);
  for (const state of states) {
    for (let nibble = 0; nibble < 16; nibble += 1) {
      let node: Node | undefined = state;
      for (let bit = 3; node && bit >= 0; bit -= 1) {
        node = node.children[(nibble >>> bit) & 1 ? 1 : 0];
        if (!node || node.symbol < 0) continue;
        // No code is shorter than five bits: a nibble ends at most one symbol.
        if (node.symbol !== END) symbol[state.number * 16 + nibble] = node.symbol;
        node = node.symbol === END ? undefined : root;
      }
      if (node) next[state.number * 16 + nibble] = node.number;
    }
  }
  return { next, symbol, accepting: states.map(({ padding }) => padding) };
}

const { next: NEXT, symbol: SYMBOL, accepting: ACCEPTING } = buildMachine();
const SHORTEST_CODE_BITS = 5;

/** The string as one character a byte; undefined when it is no Huffman string: END inside, or a wrong padding. */
export function decodeHuffman(bytes: Buffer, start: number, end: number): string | undefined {
  const decoded = Buffer.allocUnsafe(Math.ceil(((end - start) * 8) / SHORTEST_CODE_BITS));
  let length = 0;
  let state = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    for (let nibble = byte >>> 4, half = 0; half < 2; half += 1, nibble = byte & 15) {
      const step = state * 16 + nibble;
      const symbol = SYMBOL[step] ?? NOTHING;
      if (symbol !== NOTHING) decoded[length++] = symbol;
      state = NEXT[step] ?? FAILED;
      if (state === FAILED) return undefined;
    }
  }
  return ACCEPTING[state] ? decoded.toString('latin1', 0, length) : undefined;
}
