import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { exposedMetrics, metricsIn } from '../exposed-metrics';
import { dashboards } from './src/dashboards';

const Panel = z.object({
  id: z.int(),
  type: z.string(),
  title: z.string().min(1),
  description: z.string().optional(),
  gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
  targets: z
    .array(
      z.object({
        refId: z.string(),
        expr: z.string(),
        legendFormat: z.string(),
        datasource: z.object({ uid: z.string() }),
      }),
    )
    .optional(),
  fieldConfig: z.object({ defaults: z.object({ unit: z.string() }) }).optional(),
});
const Dashboard = z.object({
  uid: z.string(),
  title: z.string(),
  panels: z.array(Panel),
  templating: z.object({ list: z.array(z.object({ name: z.string() })) }),
  annotations: z.object({ list: z.array(z.object({ name: z.string(), expr: z.string().optional() })) }),
});

/** What the rules record. */
const recordings = new Set(
  (readFileSync(join(__dirname, '../prometheus/rules/service-levels.yml'), 'utf8').match(/record: (\S+)/g) ?? []).map(
    (line) => line.slice('record: '.length),
  ),
);
const folder = join(__dirname, 'dashboards');
const committed = (name: string): string => readFileSync(join(folder, `${name}.json`), 'utf8');
const all = Object.entries(dashboards).map(([name, make]) => ({
  name,
  text: committed(name),
  made: make(),
  dashboard: Dashboard.parse(JSON.parse(committed(name))),
}));

it('has a committed file for each dashboard, and no other', () => {
  expect(readdirSync(folder).sort()).toEqual(all.map(({ name }) => `${name}.json`).sort());
});

it('gives each dashboard its own address and title', () => {
  expect(new Set(all.map(({ dashboard }) => dashboard.uid)).size).toBe(all.length);
  expect(new Set(all.map(({ dashboard }) => dashboard.title)).size).toBe(all.length);
});

it('shows every metric that a service exposes', () => {
  const shown = new Set(
    all
      .flatMap(({ dashboard }) => dashboard.panels.flatMap(({ targets = [] }) => targets))
      .flatMap(({ expr }) => metricsIn(expr)),
  );
  // Other names of the sources that begin alike are functions in SQL and the like.
  const isMetric = /^headrace_(ingestion|feature_store|training|registry|gateway|monitoring|messaging|grpc)_/;
  expect([...exposedMetrics()].filter((name) => isMetric.test(name) && !shown.has(name))).toEqual([]);
});

describe.each(all)('dashboard $name', ({ text, made, dashboard }) => {
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');

  it('is the one that its source makes (npm run generate)', () => {
    expect(text).toBe(`${JSON.stringify(made, null, 2)}\n`);
  });

  it('marks deployments, drift and retraining', () => {
    const marks = dashboard.annotations.list.filter(({ expr }) => expr !== undefined);
    expect(marks.map(({ name }) => name)).toEqual(['Deployments', 'Drift', 'Retraining']);
    for (const { expr } of marks)
      expect(metricsIn(expr ?? '').every((metric) => exposedMetrics().has(metric))).toBe(true);
  });

  it.each(panels)('$title says what it shows, in which unit, with a legend for each of its queries', (panel) => {
    expect(panel.description).toBeTruthy();
    expect(panel.fieldConfig?.defaults.unit).toBeTruthy();
    expect(panel.targets?.length).toBeGreaterThan(0);
    for (const target of panel.targets ?? []) {
      expect(target.legendFormat).not.toBe('');
      expect(target.datasource.uid).toBe('${datasource}');
    }
  });

  it.each(panels)('$title asks only for metrics that a service exposes', (panel) => {
    const asked = (panel.targets ?? []).flatMap(({ expr }) => metricsIn(expr));
    expect(asked.filter((metric) => !exposedMetrics().has(metric))).toEqual([]);
    const recorded = (panel.targets ?? []).flatMap(({ expr }) => expr.match(/\bheadrace:[a-z0-9_:]+/g) ?? []);
    expect(recorded.filter((name) => !recordings.has(name))).toEqual([]);
  });

  it('uses only variables that it has', () => {
    const variables = new Set(dashboard.templating.list.map(({ name }) => name));
    const used = [...text.matchAll(/\$\{?([a-z_]+)\}?/g)].map((match) => match[1] ?? '');
    expect(used.filter((name) => !variables.has(name) && !name.startsWith('__'))).toEqual([]);
  });

  it('lays panels side by side without overlap and without gaps in a line', () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect([title, taken.get(`${x}/${y}`)]).toEqual([title, undefined]);
          taken.set(`${x}/${y}`, title);
        }
      }
    }
    const height = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
    expect(taken.size).toBe(24 * height);
  });

  it('numbers its panels once each', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});
