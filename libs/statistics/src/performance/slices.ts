/**
 * Rows grouped by a key (a slice, a version), each group measured on its own. Groups with fewer rows than `minimumSample`
 * are left out: their measures would be noise.
 */
export function bySlice<Row, Measure>(
  rows: readonly Row[],
  keyOf: (row: Row) => string,
  measure: (rows: readonly Row[]) => Measure,
  minimumSample = 1,
): Map<string, Measure> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  const measures = new Map<string, Measure>();
  for (const [key, group] of groups) if (group.length >= minimumSample) measures.set(key, measure(group));
  return measures;
}
