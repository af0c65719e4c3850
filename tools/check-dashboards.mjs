// Runs every query of the dashboards, and every alert's expression, on a real Prometheus that scrapes a running system.
//
//   node tools/check-dashboards.mjs [--system .headrace/demo/system.json] [--until-signal]
//
// Without --until-signal it needs a running system: it scrapes it a few times and judges. With it, it may be started before the
// system is: it waits for the addresses, scrapes until SIGTERM, SIGINT or SIGUSR1 and judges then, also when the system
// is gone by that time. A panel is good when each of its queries has data somewhere in that time. Exit code 0: all are
// good, or there is no `prometheus` on the PATH (it says so); 1: some are not, each is named.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { repository } from './child.mjs';
import { startPrometheus } from './live/prometheus.mjs';
import { parse } from 'yaml';

const SCRAPE_SECONDS = 1;
const RECORD_SECONDS = 5;
const rulesFolder = join(repository, 'deploy', 'prometheus', 'rules');
const LEAST_SCRAPES = 3;
const SYSTEM_WAIT_MS = 30_000;
/** What Grafana would put in; intervals fit the scraping here. */
const VARIABLES = { $__rate_interval: '5s', $__interval: '1s', $__range: '5m', $__all: '.*' };

const { values: options } = parseArgs({
  options: {
    system: { type: 'string', default: join(repository, '.headrace', 'demo', 'system.json') },
    'until-signal': { type: 'boolean', default: false },
  },
});

const signalled = new Promise((resolveSignal) => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGUSR1']) process.on(signal, () => resolveSignal(signal));
});
let stopped = false;
void signalled.then(() => (stopped = true));

process.exitCode = await main();

async function main() {
  if (spawnSync('prometheus', ['--version']).error) {
    console.log(
      'SKIPPED: prometheus is not installed (Debian: apt-get install prometheus), dashboards were not checked',
    );
    // The caller will signal; a promise alone does not keep a process alive.
    const waiting = setInterval(() => undefined, 60_000);
    if (options['until-signal']) await signalled;
    clearInterval(waiting);
    return 0;
  }
  const systemFile = resolve(options.system);
  const folder = await mkdtemp(join(tmpdir(), 'headrace-dashboards-'));
  let prometheus;
  try {
    await writeFile(join(folder, 'targets.json'), '[]');
    prometheus = await startPrometheus(folder, {
      global: {
        scrape_interval: `${SCRAPE_SECONDS}s`,
        scrape_timeout: `${SCRAPE_SECONDS}s`,
        evaluation_interval: `${RECORD_SECONDS}s`,
      },
      // What the rules record is shown too.
      rule_files: [join(rulesFolder, '*.yml')],
      scrape_configs: [
        {
          job_name: 'headrace',
          file_sd_configs: [{ files: [join(folder, 'targets.json')], refresh_interval: '1s' }],
        },
      ],
    });
    const faults = await observe(prometheus, systemFile, folder);
    for (const fault of faults) console.error(fault);
    return faults.length === 0 ? 0 : 1;
  } catch (error) {
    if (!error.expected) throw error;
    console.error(error.message);
    return 1;
  } finally {
    await prometheus?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Scrapes as long as asked for, then judges. Resolves with what is wrong. */
async function observe(prometheus, systemFile, folder) {
  const from = Date.now();
  const metrics = new Set();
  let known = '';
  let scrapes = 0;
  for (;;) {
    // The addresses change when the system is started anew; a file that is gone leaves the last ones.
    const services = await servicesOf(systemFile);
    if (services !== undefined && JSON.stringify(services) !== known) {
      known = JSON.stringify(services);
      await writeTargets(folder, services);
    }
    if (known !== '') scrapes = await fewestScrapes(prometheus, Object.keys(JSON.parse(known)));
    for (const [name, [{ type }]] of Object.entries(await prometheus.get('metadata'))) {
      // OpenMetrics names counters without what their series end with.
      metrics.add(type === 'counter' && !name.endsWith('_total') ? `${name}_total` : name);
    }
    if (options['until-signal'] ? stopped : stopped || scrapes >= LEAST_SCRAPES) break;
    if (!options['until-signal'] && scrapes < LEAST_SCRAPES && Date.now() - from > SYSTEM_WAIT_MS) break;
    await Promise.race([delay(1_000), signalled]);
  }
  if (known === '') throw failure(`No running system was found: ${systemFile} did not appear`);
  if (scrapes < LEAST_SCRAPES) {
    throw failure(
      `Not every service could be scraped ${LEAST_SCRAPES} times (the fewest: ${scrapes}); is the system up?`,
    );
  }
  return judge(prometheus, metrics, from);
}

async function servicesOf(file) {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return Object.fromEntries(
      Object.entries(JSON.parse(text).services).map(([name, { http }]) => [name, new URL(http).host]),
    );
  } catch {
    return undefined; // half written
  }
}

/** For Prometheus's file discovery: it sees the change by itself. */
async function writeTargets(folder, services) {
  const targets = Object.entries(services).map(([job, host]) => ({ targets: [host], labels: { job } }));
  await writeFile(join(folder, 'targets.json.new'), JSON.stringify(targets));
  await rename(join(folder, 'targets.json.new'), join(folder, 'targets.json'));
}

async function fewestScrapes(prometheus, jobs) {
  const result = await prometheus.query('sum by (job) (count_over_time((up == 1)[2h:1s]))').catch(() => undefined);
  const counts = new Map((result ?? []).map(({ metric, value }) => [metric.job, Number(value[1])]));
  return Math.min(...jobs.map((job) => counts.get(job) ?? 0));
}

/** Every panel's queries must have data somewhere in the time observed; every rule's expression must be understood. */
async function judge(prometheus, metrics, from) {
  const faults = [];
  const range = { start: from / 1000, end: Date.now() / 1000 };
  let panels = 0;
  let queries = 0;
  for (const { dashboard, panel, expr } of await dashboardQueries()) {
    if (panel.first) panels += 1;
    queries += 1;
    const name = `${dashboard}, panel "${panel.title}"`;
    try {
      // `or vector(0)` answers for a metric that does not exist as well.
      const missing = namesIn(expr).filter((metric) => !metrics.has(metric));
      if (missing.length > 0) faults.push(`${name}: no service exposes ${missing.join(', ')}`);
      else if (!(await hasData(prometheus, expr, range))) faults.push(`${name}: no data for ${expr}`);
    } catch (error) {
      faults.push(`${name}: ${error.message}`);
    }
  }
  let alerts = 0;
  for (const { alert, expr } of await alertExpressions()) {
    alerts += 1;
    try {
      await prometheus.query(expr);
      const missing = namesIn(expr).filter((metric) => !metrics.has(metric));
      if (missing.length > 0) faults.push(`rule ${alert}: no service exposes ${missing.join(', ')}`);
    } catch (error) {
      faults.push(`rule ${alert}: ${error.message}`);
    }
  }
  console.log(
    `${panels} panels with ${queries} queries and ${alerts} rules tried on Prometheus over ${Math.round(range.end - range.start)} s: ` +
      (faults.length === 0 ? 'each has data' : `${faults.length} faults`),
  );
  return faults;
}

async function hasData(prometheus, expr, { start, end }) {
  const step = Math.max(1, Math.ceil((end - start) / 5_000));
  const series = await prometheus.get('query_range', { query: substituted(expr), start, end, step });
  return series.result.some(({ values }) => values.some(([, value]) => Number.isFinite(Number(value))));
}

function substituted(expr) {
  // Longest names first; what is left are the dashboard's own variables: all values.
  let text = expr;
  for (const [name, value] of Object.entries(VARIABLES)) text = text.replaceAll(name, value);
  return text.replaceAll(/\$\{?[a-z_]+\}?/g, '.*');
}

/** Metrics of the services that an expression names, without the suffixes of histograms. */
function namesIn(expr) {
  const names = expr.match(/\bheadrace_[a-z0-9_]+/g) ?? [];
  return [...new Set(names.map((name) => name.replace(/_(bucket|sum|count)$/, '')))];
}

async function dashboardQueries() {
  const folder = join(repository, 'deploy', 'grafana', 'dashboards');
  const queries = [];
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()) {
    const { title: dashboard, panels } = JSON.parse(await readFile(join(folder, file), 'utf8'));
    for (const panel of panels.flatMap((entry) => [entry, ...(entry.panels ?? [])])) {
      (panel.targets ?? []).forEach(({ expr }, index) =>
        queries.push({ dashboard, panel: { title: panel.title, first: index === 0 }, expr }),
      );
    }
  }
  return queries;
}

async function alertExpressions() {
  const alerts = [];
  for (const file of (await readdir(rulesFolder)).filter((name) => name.endsWith('.yml')).sort()) {
    const { groups } = parse(await readFile(join(rulesFolder, file), 'utf8'));
    for (const { rules } of groups)
      alerts.push(...rules.map(({ alert, record, expr }) => ({ alert: alert ?? record, expr })));
  }
  return alerts;
}

/** An Error whose message alone is shown. */
function failure(message) {
  return Object.assign(new Error(message), { expected: true });
}
