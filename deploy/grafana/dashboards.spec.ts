import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { exposedMetrics, metricsIn } from '../exposed-metrics';
import { overview } from './src/overview';

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
});

const committed = readFileSync(join(__dirname, 'dashboards/overview.json'), 'utf8');
const dashboard = Dashboard.parse(JSON.parse(committed));
const panels = dashboard.panels.filter(({ type }) => type !== 'row');

describe('the overview dashboard', () => {
  it('is the one that its source makes (npm run generate)', () => {
    expect(committed).toBe(`${JSON.stringify(overview(), null, 2)}\n`);
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
  });

  it('uses only variables that it has', () => {
    const variables = new Set(dashboard.templating.list.map(({ name }) => name));
    const used = [...committed.matchAll(/\$\{?([a-z_]+)\}?/g)].map((match) => match[1] ?? '');
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
