/** Rows in the order in which they were applied: distinct ids, how many came twice, how often a key went backwards. */
export function count(rows) {
  const ids = new Set();
  const last = new Map();
  let duplicates = 0;
  let inversions = 0;
  for (const { event_id: id, key, sequence } of rows) {
    if (ids.has(id)) duplicates += 1;
    else if (sequence < (last.get(key) ?? 0)) inversions += 1;
    ids.add(id);
    last.set(key, Math.max(sequence, last.get(key) ?? 0));
  }
  return { ids, duplicates, inversions };
}

/** Those of `expected` that `ids` lacks. */
export function missingFrom(ids, expected) {
  return [...expected].filter((id) => !ids.has(id));
}
