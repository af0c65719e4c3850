import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@headrace/testing';

const config = join(__dirname, 'alertmanager.yml');
const hasAmtool = spawnSync('amtool', ['--version']).status === 0 ? it : it.skip;
const hasAlertmanager = spawnSync('prometheus-alertmanager', ['--version']).status === 0 ? it : it.skip;

type Labels = Readonly<Record<string, string>>;

describe('alertmanager.yml (tried where Alertmanager is installed)', () => {
  hasAmtool('is accepted', () => {
    const { status, stdout } = spawnSync('amtool', ['check-config', config], { encoding: 'utf8' });
    expect([status, stdout]).toEqual([0, expect.stringContaining('5 inhibit rules')]);
  });

  hasAlertmanager(
    'silences what another alert explains, and nothing else',
    async () => {
      const serviceDown = (job: string): Labels => ({ alertname: 'ServiceDown', severity: 'critical', job });
      const drift: Labels = { alertname: 'Drift', severity: 'warning', monitor: 'orders', model: 'fraud' };
      const burning = (suffix: string, severity: string, endpoint: string): Labels => ({
        alertname: `PredictLatency${suffix}`,
        severity,
        service_level: 'predict_latency',
        endpoint,
      });
      await expectSilenced([drift], []);
      await expectSilenced([serviceDown('ingestion'), drift], ['Drift']);
      await expectSilenced([serviceDown('training'), drift], []);
      await expectSilenced(
        [
          serviceDown('registry'),
          { alertname: 'ConsumerLagGrowing', severity: 'warning', job: 'registry' },
          { alertname: 'PartitionPaused', severity: 'warning', job: 'training' },
        ],
        ['ConsumerLagGrowing'],
      );
      await expectSilenced(
        [
          burning('BurnsFast', 'critical', 'fraud'),
          burning('BurnsSlowly', 'warning', 'fraud'),
          burning('BurnsSlowly', 'warning', 'ranking'),
        ],
        ['PredictLatencyBurnsSlowly'],
      );
      await expectSilenced(
        [
          { alertname: 'OutboxAge', severity: 'critical', job: 'registry' },
          {
            alertname: 'EventsInTimeBurnsFast',
            severity: 'critical',
            service_level: 'events_in_time',
            group: 'training',
          },
        ],
        ['EventsInTimeBurnsFast'],
      );
    },
    120_000,
  );
});

/** Of alerts that fire together a fresh Alertmanager inhibits those with these names. */
async function expectSilenced(alerts: readonly Labels[], names: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-alerts-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/api/v2/alerts`;
  const child = spawn(
    'prometheus-alertmanager',
    [
      `--config.file=${config}`,
      `--storage.path=${folder}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2_000)));
  try {
    // Those that silence come first: Alertmanager judges an alert by what fires when it is asked.
    for (const labels of alerts) await untilAccepted(url, labels);
    await eventually(async () => {
      const found = (await (await fetch(url)).json()) as { labels: Labels; status: { inhibitedBy: string[] } }[];
      expect(found).toHaveLength(alerts.length);
      const silenced = found.filter((one) => one.status.inhibitedBy.length > 0);
      expect(silenced.map((one) => one.labels['alertname'])).toEqual(names);
    });
  } catch (error) {
    if (error instanceof Error && child.exitCode !== null) error.message += `\nAlertmanager has ended:\n${said}`;
    throw error;
  } finally {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Sends an alert until it is seen. */
function untilAccepted(url: string, labels: Labels): Promise<void> {
  return eventually(
    async () => {
      const headers = { 'content-type': 'application/json' };
      await fetch(url, { method: 'POST', headers, body: JSON.stringify([{ labels }]) });
      const known = (await (await fetch(url)).json()) as { labels: Labels }[];
      expect(known.map((one) => sorted(one.labels))).toContainEqual(sorted(labels));
    },
    { timeoutMs: 30_000 },
  );
}

function sorted(labels: Labels): [string, string][] {
  return Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
}

async function ended(child: ChildProcess): Promise<void> {
  const end = new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode === null && child.kill('SIGTERM')) await end;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
