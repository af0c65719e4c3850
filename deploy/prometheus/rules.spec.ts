import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { exposedMetrics, metricsIn } from '../exposed-metrics';
import { dashboards } from '../grafana/src/dashboards';
import { serviceLevelRules, serviceLevelTests } from './src/rules';

const repository = resolve(__dirname, '../..');
const yamlFiles = (folder: string): string[] =>
  readdirSync(join(__dirname, folder))
    .filter((name) => name.endsWith('.yml'))
    .map((name) => join(__dirname, folder, name));

const Alert = z.strictObject({
  alert: z.string().regex(/^[A-Z][A-Za-z]+$/),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.strictObject({
    severity: z.enum(['critical', 'warning']),
    service_level: z.string().optional(),
    /** Of AlertRaised and AlertResolved, where monitoring says the same by events. */
    alert_id: z.string().optional(),
  }),
  annotations: z.strictObject({
    summary: z.string(),
    description: z.string(),
    runbook_url: z.string(),
    /** Path in Grafana of the panel that shows it. */
    dashboard: z.string(),
  }),
});
const Recording = z.strictObject({ record: z.string().regex(/^headrace:[a-z_]+:[a-z0-9_]+$/), expr: z.string() });
const Rules = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(z.union([Alert, Recording])) })),
});
const Tests = z.object({
  tests: z.array(
    z.object({ alert_rule_test: z.array(z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) })) }),
  ),
});

const Dashboard = z.object({
  uid: z.string(),
  panels: z.array(
    z.object({ id: z.int(), title: z.string(), targets: z.array(z.object({ expr: z.string() })).optional() }),
  ),
  templating: z.object({ list: z.array(z.object({ name: z.string() })) }),
});

const rules = yamlFiles('rules').flatMap((file) =>
  Rules.parse(parse(readFileSync(file, 'utf8'))).groups.flatMap((group) => group.rules),
);
const alerts = rules.flatMap((rule) => ('alert' in rule ? [rule] : []));
const recordings = rules.flatMap((rule) => ('record' in rule ? [rule] : []));
const tried = yamlFiles('tests').flatMap((file) =>
  Tests.parse(parse(readFileSync(file, 'utf8'))).tests.flatMap((test) => test.alert_rule_test),
);

const made = Object.values(dashboards).map((make) => Dashboard.parse(JSON.parse(JSON.stringify(make()))));

/** With what is recorded written out. */
function withRecordings(expr: string): string {
  return expr.replaceAll(/headrace:[a-z0-9_:]+/g, (name) => {
    const recording = recordings.find(({ record }) => record === name);
    return recording ? withRecordings(recording.expr) : name;
  });
}

/** Metrics that an expression rests on, `up` as well. */
function namesIn(expr: string): string[] {
  const written = withRecordings(expr);
  return [...metricsIn(written), ...(/\bup\{/.test(written) ? ['up'] : [])];
}

describe('alerts', () => {
  it.each(alerts)('$alert has a runbook that says what it means, what was done and what to do', ({ annotations }) => {
    const page = join(repository, annotations.runbook_url);
    expect(annotations.runbook_url).toMatch(/^docs\/runbooks\/[a-z-]+\.md$/);
    expect(existsSync(page)).toBe(true);
    const headings = [...readFileSync(page, 'utf8').matchAll(/^## (.+)$/gm)].map((match) => match[1]);
    expect(headings).toEqual([
      'What it means',
      'What users feel',
      'What the system already did',
      'How to look',
      'How to mend it',
      'How to know that it is over',
    ]);
  });

  it.each(alerts)('$alert leads to a panel that shows what it rests on', ({ expr, annotations }) => {
    const [, uid, panelId, variables = ''] =
      /^\/d\/([a-z-]+)\?viewPanel=(\d+)((?:&var-[a-z]+=\{\{ \$labels\.[a-z]+ \}\})*)$/.exec(annotations.dashboard) ??
      [];
    const dashboard = made.find((one) => one.uid === uid);
    const panel = dashboard?.panels.find(({ id }) => id === Number(panelId));
    expect({ uid, panel: panel?.title }).toEqual({ uid: dashboard?.uid, panel: expect.any(String) });
    const shown = new Set(panel?.targets?.flatMap((target) => namesIn(target.expr)));
    expect(namesIn(expr).filter((name) => shown.has(name))).not.toEqual([]);
    for (const [, variable = '', label] of variables.matchAll(/var-([a-z]+)=\{\{ \$labels\.([a-z]+)/g)) {
      expect(dashboard?.templating.list.map(({ name }) => name)).toContain(variable);
      expect(label).toBe(variable);
      expect(withRecordings(expr)).toContain(variable);
    }
  });

  it.each(alerts)('$alert is tried firing and not firing', ({ alert }) => {
    const outcomes = tried
      .filter(({ alertname }) => alertname === alert)
      .map(({ exp_alerts }) => exp_alerts.length > 0);
    expect(new Set(outcomes)).toEqual(new Set([true, false]));
  });

  it('ask only for metrics that a service exposes, and for what is recorded', () => {
    const recorded = new Set(recordings.map(({ record }) => record));
    for (const { expr } of rules) {
      expect(metricsIn(expr).filter((metric) => !exposedMetrics().has(metric))).toEqual([]);
      expect((expr.match(/headrace:[a-z0-9_:]+/g) ?? []).filter((name) => !recorded.has(name))).toEqual([]);
    }
  });

  it('of service levels are what their source makes (npm run generate)', () => {
    for (const [file, made] of [
      ['rules/service-levels.yml', serviceLevelRules()],
      ['tests/service-levels.yml', serviceLevelTests()],
    ] as const) {
      expect(parse(readFileSync(join(__dirname, file), 'utf8'))).toEqual(JSON.parse(JSON.stringify(made)));
    }
  });

  it('leaves no runbook without its alert', () => {
    const pages = readdirSync(join(repository, 'docs/runbooks')).filter((name) => name !== 'README.md');
    const linked = alerts.map(({ annotations }) => annotations.runbook_url.slice('docs/runbooks/'.length));
    expect(pages.sort()).toEqual([...new Set(linked)].sort());
  });
});

const promtool = spawnSync('promtool', ['--version']).status === 0 ? it : it.skip;

describe('promtool (skipped where Prometheus is not installed)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-rules-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function run(...args: string[]): { readonly status: number | null; readonly output: string } {
    const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
    return { status, output: `${stdout}${stderr}` };
  }

  promtool('accepts the configuration with the rules where the container has them', () => {
    const config = readFileSync(join(__dirname, 'prometheus.yml'), 'utf8');
    expect(config).toContain('/etc/prometheus/rules/*.yml');
    const here = join(folder, 'prometheus.yml');
    writeFileSync(here, config.replace('/etc/prometheus/rules', join(__dirname, 'rules')));
    const { status, output } = run('check', 'config', here);
    expect([status, output]).toEqual([0, expect.stringContaining(`${yamlFiles('rules').length} rule files found`)]);
  });

  promtool('accepts the rules', () => {
    const { status, output } = run('check', 'rules', ...yamlFiles('rules'));
    expect([status, output]).toEqual([0, expect.not.stringContaining('FAILED')]);
  });

  promtool('finds that each alert fires when it should, and only then', () => {
    const { status, output } = run('test', 'rules', ...yamlFiles('tests'));
    expect([status, output]).toEqual([0, expect.not.stringContaining('FAILED')]);
  });
});
