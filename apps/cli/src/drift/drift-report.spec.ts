import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  contingencyTest,
  goodnessOfFit,
  jensenShannon,
  ksTest,
  normedWasserstein,
  Random,
  sharesOf,
} from '@headrace/statistics';
import { driftReport, type ColumnReport, type DriftReport, type ReportOptions } from './drift-report';
import { withEngine, type Side } from './sides';

interface Row {
  readonly amount: number | null;
  readonly stars: number;
  readonly kind: string | null;
}

/** Of the current side amounts are higher by `shift`, and kinds more often "a". */
function rowsOf(count: number, seed: number, shift: number): Row[] {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, row) => ({
    amount: row % 50 === 0 ? null : random.next() + shift,
    stars: 1 + Math.floor(random.next() * 4),
    kind: row % 40 === 0 ? null : random.next() < 0.3 + shift ? 'a' : random.next() < 0.5 ? 'b,"c"' : 'd',
  }));
}

function csvOf(rows: readonly Row[]): string {
  const cell = (text: string | null): string => (text === null ? '' : `"${text.replaceAll('"', '""')}"`);
  return ['amount,stars,kind', ...rows.map((row) => `${row.amount ?? ''},${row.stars},${cell(row.kind)}`)].join('\n');
}

const amounts = (rows: readonly Row[]): number[] => rows.flatMap(({ amount }) => amount ?? []);
const kinds = (rows: readonly Row[]): number[] =>
  ['a', 'b,"c"', 'd'].map((kind) => rows.filter((row) => row.kind === kind).length);
const column = (report: DriftReport, name: string): ColumnReport | undefined =>
  report.columns.find((one) => one.column === name);

describe('a drift report', () => {
  let folder: string;
  beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'drift-'))));
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function csv(name: string, text: string): Promise<Side> {
    const path = join(folder, `${name}.csv`);
    await writeFile(path, text);
    return { name, files: [path], format: 'csv' };
  }

  async function report(before: readonly Row[], now: readonly Row[], options: Partial<ReportOptions> = {}) {
    const [reference, current] = [await csv('reference', csvOf(before)), await csv('current', csvOf(now))];
    const defaults = { columns: undefined, exclude: [], categorical: [], rules: 'headrace', share: 0.5 } as const;
    return driftReport({ ...defaults, reference, current, ...options });
  }

  it('measures distances of large sides, exactly, and counts what is missing', async () => {
    const [before, now] = [rowsOf(1_500, 1, 0), rowsOf(1_200, 2, 0.2)];
    const found = await report(before, now);
    const std = column(found, 'amount')?.reference.std ?? 0;
    expect(column(found, 'amount')).toMatchObject({ type: 'number', statistic: 'wasserstein', drifted: true });
    expect(column(found, 'amount')?.value).toBeCloseTo(normedWasserstein(amounts(before), amounts(now), std), 12);
    expect(column(found, 'amount')?.reference.missing).toBeCloseTo(0.02, 12);
    expect(column(found, 'kind')).toMatchObject({ type: 'category', statistic: 'js', drifted: true });
    expect(column(found, 'kind')?.value).toBeCloseTo(jensenShannon(sharesOf(kinds(before)), sharesOf(kinds(now))), 12);
    expect(column(found, 'kind')?.current).toEqual({ missing: 0.025, different: 3 });
    // Four different numbers are categories.
    expect(column(found, 'stars')).toMatchObject({ type: 'number', statistic: 'js', drifted: false });
    expect(found).toMatchObject({ drifted: true, reference: { rows: 1_500 }, current: { rows: 1_200 } });
    expect((await report(before, now, { share: 0.7 })).drifted).toBe(false);
  });

  it('asks small sides for p-values: adjusted over all columns, or as Evidently does', async () => {
    const [before, now] = [rowsOf(400, 3, 0), rowsOf(300, 4, 0.05)];
    const p = ksTest(amounts(before), amounts(now)).pValue;
    const evidently = await report(before, now, { rules: 'evidently' });
    expect(column(evidently, 'amount')).toMatchObject({ statistic: 'ks_p', threshold: 0.05, drifted: p <= 0.05 });
    expect(column(evidently, 'amount')?.value).toBeCloseTo(p, 12);
    expect(column(evidently, 'kind')?.value).toBeCloseTo(goodnessOfFit(kinds(before), kinds(now)).pValue, 12);
    const ours = await report(before, now, { columns: ['kind'] });
    expect(column(ours, 'kind')?.value).toBeCloseTo(contingencyTest(kinds(before), kinds(now)).pValue, 12);
    const all = await report(before, now);
    expect(column(all, 'amount')?.value).toBeGreaterThanOrEqual(p);
    const two = await report(before, now, { rules: 'evidently', categorical: ['stars'], columns: ['stars'] });
    expect(column(two, 'stars')).toMatchObject({ type: 'category', statistic: 'chi_square_p' });
  });

  it('reads Parquet as it reads CSV', async () => {
    const [before, now] = [rowsOf(1_100, 5, 0), rowsOf(1_100, 6, 0.1)];
    const fromCsv = await report(before, now);
    const sides = await withEngine((engine) =>
      Promise.all(
        (['reference', 'current'] as const).map(async (name): Promise<Side> => {
          const path = join(folder, `${name}.parquet`);
          await engine.rows(`COPY (FROM read_csv('${join(folder, `${name}.csv`)}')) TO '${path}' (FORMAT parquet)`);
          return { name, files: [path], format: 'parquet' };
        }),
      ),
    );
    const [reference, current] = sides;
    if (!reference || !current) throw new Error('expected two sides');
    expect(await report(before, now, { reference, current })).toEqual(fromCsv);
  });

  it('leaves out what cannot be compared and says so, and refuses what was asked for by name', async () => {
    const reference = await csv('old', 'a,at,code,gone\n1,2026-01-01 00:00:00,7,1\n2,2026-01-02 00:00:00,8,1');
    const current = await csv('new', 'a,at,code\n1,2026-01-01 00:00:00,x7\n2,2026-01-02 00:00:00,x8');
    const sides = { reference, current };
    const asked = report([], [], { ...sides });
    await expect(asked).rejects.toThrow(
      'column "code": BIGINT in the reference, VARCHAR in the current data; compare it',
    );
    const found = await report([], [], { ...sides, exclude: ['code'] });
    expect([found.columns.map((one) => one.column), found.leftOut]).toEqual([['a'], ['at', 'gone']]);
    expect((await report([], [], { ...sides, categorical: ['code'] })).columns).toHaveLength(2);
    await expect(report([], [], { ...sides, columns: ['at'] })).rejects.toThrow('column "at" has TIMESTAMP');
    await expect(report([], [], { ...sides, columns: ['none'] })).rejects.toThrow('column "none" is on neither side');
    const broken = { ...reference, files: [join(folder, 'nowhere.csv')] };
    await expect(report([], [], { reference: broken, current })).rejects.toThrow(/^--reference old: /);
  });
});
