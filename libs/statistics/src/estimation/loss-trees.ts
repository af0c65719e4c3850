// The loss model of direct loss estimation: boosted trees as plain data, so that nothing but arithmetic runs them.

/**
 * One tree: nodes by place, the root first and children behind their parents. `feature` −1 is a leaf, whose `value` is its part of
 * the sum. Else a row goes to `left` when its value in that column is at most `value`, to `missing` when it is NaN, else to `right`.
 */
export interface LossTree {
  readonly feature: readonly number[];
  readonly value: readonly number[];
  readonly left: readonly number[];
  readonly right: readonly number[];
  readonly missing: readonly number[];
}

/** What is wrong with a tree over so many columns; undefined: nothing, and every row reaches a leaf of it. */
export function faultOfTree(tree: LossTree, columns: number): string | undefined {
  const nodes = tree.feature.length;
  if (nodes === 0) return 'a tree without nodes';
  for (const part of [tree.value, tree.left, tree.right, tree.missing])
    if (part.length !== nodes) return `expected ${nodes} entries in each part of a tree, found ${part.length}`;
  for (const [node, column] of tree.feature.entries()) {
    if (column < 0) continue;
    if (!(column < columns)) return `a split by column ${column}; there are ${columns}`;
    for (const part of [tree.left, tree.right, tree.missing]) {
      const child = part[node] ?? 0;
      if (!(Number.isInteger(child) && child > node && child < nodes))
        return `the child ${child} of node ${node}: expected one behind it, below ${nodes}`;
    }
  }
  return undefined;
}

/** Evaluates trees without a fault: the loss of a row, at least 0 (the sum of its leaves, as LightGBM predicts; NannyML cuts it at 0). */
export class LossModel {
  private readonly roots: Int32Array;
  private readonly feature: Int32Array;
  private readonly value: Float64Array;
  private readonly left: Int32Array;
  private readonly right: Int32Array;
  private readonly missing: Int32Array;

  constructor(trees: readonly LossTree[]) {
    // All in one, so that many rows go through them without a look-up of objects.
    const roots: number[] = [];
    let nodes = 0;
    for (const tree of trees) {
      roots.push(nodes);
      nodes += tree.feature.length;
    }
    const moved = (of: (tree: LossTree) => readonly number[]): number[] =>
      trees.flatMap((tree, index) => of(tree).map((place) => place + (roots[index] ?? 0)));
    this.roots = Int32Array.from(roots);
    this.feature = Int32Array.from(trees.flatMap((tree) => tree.feature));
    this.value = Float64Array.from(trees.flatMap((tree) => tree.value));
    this.left = Int32Array.from(moved((tree) => tree.left));
    this.right = Int32Array.from(moved((tree) => tree.right));
    this.missing = Int32Array.from(moved((tree) => tree.missing));
  }

  /** `row`: a value for each column, NaN where there is none. */
  lossOf(row: Float64Array): number {
    let sum = 0;
    for (const root of this.roots) {
      let node = root;
      for (let column = this.feature[node] ?? -1; column >= 0; column = this.feature[node] ?? -1) {
        const value = row[column] ?? Number.NaN;
        const next = Number.isNaN(value) ? this.missing : value <= (this.value[node] ?? 0) ? this.left : this.right;
        node = next[node] ?? root;
      }
      sum += this.value[node] ?? 0;
    }
    return Math.max(sum, 0);
  }
}
