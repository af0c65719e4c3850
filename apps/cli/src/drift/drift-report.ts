// A drift report of two sets of rows: column by column, in memory for two columns however many there are.
import { benjaminiHochberg, mean } from '@headrace/statistics';
import { categoryDrift, isDrift, numberDrift, type Found, type Rules } from './column-drift';
import { identifier, withEngine, type Engine, type Side } from './sides';

export interface ReportOptions {
  readonly reference: Side;
  readonly current: Side;
  /** These alone; undefined: all that both sides have. */
  readonly columns: readonly string[] | undefined;
  readonly exclude: readonly string[];
  /** Columns of numbers that name categories. */
  readonly categorical: readonly string[];
  readonly rules: Rules;
  /** The data drifted when at least this share of the columns did. */
  readonly share: number;
}

/** Of one side: share of rows without a (finite) value; numbers: mean, standard deviation (divisor n), median. */
export interface Summary {
  readonly missing: number;
  readonly mean?: number;
  readonly std?: number;
  readonly median?: number;
  /** Categories that occur. */
  readonly different?: number;
}

export interface ColumnReport extends Found {
  readonly column: string;
  readonly type: 'number' | 'category';
  readonly drifted: boolean;
  readonly reference: Summary;
  readonly current: Summary;
}

export interface DriftReport {
  readonly reference: { readonly source: string; readonly rows: number };
  readonly current: { readonly source: string; readonly rows: number };
  readonly rules: Rules;
  readonly columns: readonly ColumnReport[];
  /** On one side only, or neither number nor category (times, lists), or the key of a dataset's rows. */
  readonly leftOut: readonly string[];
  readonly driftedShare: number;
  readonly drifted: boolean;
}

interface Chosen {
  readonly name: string;
  readonly type: 'number' | 'category';
}

const NUMBER = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\))$/;
const CATEGORY = /^(VARCHAR|BOOLEAN|UUID|ENUM\(.*\))$/;

export function driftReport(options: ReportOptions): Promise<DriftReport> {
  return withEngine(async (engine) => {
    const keys = [
      ...(await engine.open('reference', options.reference)),
      ...(await engine.open('current', options.current)),
    ];
    const before = await engine.columns('reference');
    const { chosen, leftOut } = choose(before, await engine.columns('current'), new Set(keys), options);
    const rows = { reference: await rowsOf(engine, 'reference'), current: await rowsOf(engine, 'current') };
    const found: Omit<ColumnReport, 'drifted'>[] = [];
    for (const column of chosen) {
      const compare = column.type === 'number' ? compareNumbers : compareCategories;
      found.push(await compare(engine, column.name, rows, options.rules));
    }
    const columns = decided(found, options.rules);
    const driftedShare = columns.filter((column) => column.drifted).length / columns.length;
    return {
      reference: { source: options.reference.name, rows: rows.reference },
      current: { source: options.current.name, rows: rows.current },
      rules: options.rules,
      columns,
      leftOut,
      driftedShare,
      drifted: driftedShare >= options.share,
    };
  });
}

/** What is compared and as what. Columns that the user named must be comparable; others are left out and named. */
function choose(
  reference: ReadonlyMap<string, string>,
  current: ReadonlyMap<string, string>,
  keys: ReadonlySet<string>,
  { columns, exclude, categorical }: ReportOptions,
): { readonly chosen: Chosen[]; readonly leftOut: string[] } {
  for (const name of [...(columns ?? []), ...exclude, ...categorical]) {
    if (reference.has(name) || current.has(name)) continue;
    throw new Error(`column "${name}" is on neither side; there are ${[...reference.keys()].join(', ')}`);
  }
  const chosen: Chosen[] = [];
  const leftOut: string[] = [];
  for (const name of new Set([...reference.keys(), ...current.keys()])) {
    if (exclude.includes(name) || (columns && !columns.includes(name))) continue;
    // A row's key is another one in every row: that it differs tells nothing.
    if (keys.has(name) && !columns) {
      leftOut.push(name);
      continue;
    }
    const kinds = [reference.get(name), current.get(name)].map((type) => kindOf(type, categorical.includes(name)));
    const [before, now] = kinds;
    if (before !== undefined && before === now) chosen.push({ name, type: before });
    else if (before !== undefined && now !== undefined) {
      throw new Error(
        `column "${name}": ${reference.get(name)} in the reference, ${current.get(name)} in the current data; compare it ` +
          `with --categorical ${name}, or leave it out with --exclude ${name}`,
      );
    } else if (columns) {
      throw new Error(
        `column "${name}" has ${reference.get(name) ?? 'no column'} in the reference and
        ${current.get(name) ?? 'no column'} in the current data: expected numbers or categories on both sides`.replace(
          /\s+/g,
          ' ',
        ),
      );
    } else leftOut.push(name);
  }
  if (chosen.length === 0) throw new Error('there is no column of numbers or categories that both sides have');
  return { chosen, leftOut };
}

function kindOf(type: string | undefined, isCategorical: boolean): Chosen['type'] | undefined {
  if (type === undefined) return undefined;
  if (NUMBER.test(type)) return isCategorical ? 'category' : 'number';
  return CATEGORY.test(type) ? 'category' : undefined;
}

async function rowsOf(engine: Engine, view: string): Promise<number> {
  const [[rows] = []] = await engine.rows(`SELECT count(*)::DOUBLE FROM ${view}`);
  if (rows === 0) throw new Error(`--${view} has no rows`);
  return Number(rows);
}

type Compare = (
  engine: Engine,
  column: string,
  rows: { readonly reference: number; readonly current: number },
  rules: Rules,
) => Promise<Omit<ColumnReport, 'drifted'>>;

const compareNumbers: Compare = async (engine, column, rows, rules) => {
  const reference = await engine.sortedNumbers('reference', column, rows.reference);
  const current = await engine.sortedNumbers('current', column, rows.current);
  const summary = numbersOf(reference, rows.reference);
  return {
    column,
    type: 'number',
    ...numberDrift(reference, current, summary.std ?? Number.NaN, rules),
    reference: summary,
    current: numbersOf(current, rows.current),
  };
};

const compareCategories: Compare = async (engine, column, rows, rules) => {
  const counts = { reference: [] as number[], current: [] as number[] };
  const counted = (view: string): string =>
    `SELECT ${identifier(column)}::VARCHAR AS category, count(*)::DOUBLE AS n FROM ${view}
      WHERE ${identifier(column)} IS NOT NULL GROUP BY category`;
  const sql = `SELECT coalesce(r.n, 0), coalesce(c.n, 0) FROM (${counted('reference')}) r
    FULL JOIN (${counted('current')}) c USING (category) ORDER BY category`;
  await engine.each(sql, (chunk) => {
    counts.reference.push(...chunk.getColumnValues(0).map(Number));
    counts.current.push(...chunk.getColumnValues(1).map(Number));
  });
  return {
    column,
    type: 'category',
    ...categoryDrift(counts, rules),
    reference: categoriesOf(counts.reference, rows.reference),
    current: categoriesOf(counts.current, rows.current),
  };
};

function numbersOf(sorted: Float64Array, rows: number): Summary {
  const n = sorted.length;
  let total = 0;
  // Indices: an iterator over a million values takes several times as long.
  for (let i = 0; i < n; i += 1) total += sorted[i] ?? 0;
  const centre = total / n;
  let squares = 0;
  for (let i = 0; i < n; i += 1) squares += ((sorted[i] ?? 0) - centre) ** 2;
  const middle = n === 0 ? [Number.NaN] : [sorted[(n - 1) >> 1] ?? 0, sorted[n >> 1] ?? 0];
  return { missing: (rows - n) / rows, mean: centre, std: Math.sqrt(squares / n), median: mean(middle) };
}

function categoriesOf(counts: readonly number[], rows: number): Summary {
  const present = counts.reduce((sum, count) => sum + count, 0);
  return { missing: (rows - present) / rows, different: counts.filter((count) => count > 0).length };
}

function decided(found: readonly Omit<ColumnReport, 'drifted'>[], rules: Rules): ColumnReport[] {
  const adjusted = benjaminiHochberg(
    found.map(({ statistic, value }) => (statistic.endsWith('_p') ? value : Number.NaN)),
  );
  return found.map((column, index) => {
    const isAdjusted = rules === 'headrace' && column.statistic.endsWith('_p');
    const value = isAdjusted ? (adjusted[index] ?? Number.NaN) : column.value;
    return { ...column, value, drifted: isDrift({ ...column, value }, rules) };
  });
}
