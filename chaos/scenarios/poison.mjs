import messaging from '@headrace/messaging';
import { setTimeout as sleep } from 'node:timers/promises';
import { count, missingFrom } from '../counting.mjs';

const EVERY = 100;

/** What makes an event poison, the reason its dead letter must give, and whether a mended service can accept it. */
const KINDS = [
  ['bad-bytes', 'undecodable', false],
  ['wrong-type', 'unknown_type', false],
  ['invalid', 'rejected', true],
  ['oversized', 'fault', true],
  ['throws', 'fault', true],
  ['hangs', 'deadline', true],
];

function make(publisher, kind) {
  const upstreamId = ['bad-bytes', 'wrong-type'].includes(kind) ? undefined : `${kind}:${publisher.sequence + 1}`;
  return publisher.record({ upstreamId }, (record) => {
    // A length that promises more bytes than follow.
    if (kind === 'bad-bytes') record.value = Buffer.from([0x0a, 0xff, 0x01, 0x00]);
    if (kind === 'wrong-type') record.headers.ce_type = 'somebody.elses.v1.Event';
  });
}

/** One event of a hundred cannot be handled, each for another reason; its neighbours of the same key must not suffer. */
export default async function poison(stage, report) {
  const total = stage.full ? 12_000 : 2_400;
  const { publisher } = stage;
  const tuning = { handlerDeadlineMs: 400, maxAttempts: 2, backoffMinMs: 20, backoffMaxMs: 100 };
  const service = await stage.launchReady({ tuning });
  const bad = [];
  for (let written = 0; written < total; written += EVERY) {
    const at = Math.floor(stage.random() * EVERY);
    const [kind, reason, mendable] = KINDS[bad.length % KINDS.length];
    const records = Array.from({ length: EVERY }, (_, index) => {
      if (index !== at) return publisher.record();
      const record = make(publisher, kind);
      bad.push({ kind, record, reason, mendable });
      return record;
    });
    await publisher.write(records);
    await sleep(20);
  }
  await stage.drained();
  const badIds = new Set(bad.map(({ record }) => record.id));
  const good = publisher.ids.filter((id) => !badIds.has(id));
  const deadLetters = await stage.deadLetters();
  report.counts.poison = bad.length;
  report.counts['dead letters'] = deadLetters.length;
  stage.expectDeadLetters(report, deadLetters, bad);
  await stage.compare(report, { expected: good });
  await redriven(stage, report, bad);
  stage.mustRun(report, [service]);
}

/** The fault is mended: whatever the handler can accept now has its effect after the redrive, in order, once. */
async function redriven(stage, report, bad) {
  const mendable = bad.filter((one) => one.mendable).map(({ record }) => record.id);
  await stage.query('INSERT INTO mended VALUES (true)');
  const letters = messaging.openDeadLetters({ brokers: stage.run.kafka.brokers, clientId: 'chaos' });
  try {
    const open = await letters.read(stage.group);
    const chosen = open.filter(({ event }) => event !== undefined && mendable.includes(event.eventId));
    await letters.ask(chosen, { action: 'redrive', by: 'chaos', reason: 'the fault is mended' });
    const redrivenNow = async () =>
      (await letters.read(stage.group)).filter(({ state }) => state.kind === 'redriven').length >= mendable.length;
    await stage.until('all letters that can be are redriven', redrivenNow, 60_000, 500).catch((error) => {
      report.violations.push(error.message);
    });
  } finally {
    await letters.close();
  }
  await stage.drained();
  for (const table of ['effects', 'follow_ups']) {
    const rows = await stage.query(`SELECT event_id, key, sequence::int FROM ${table} ORDER BY nth`);
    const { ids, duplicates } = count(rows);
    // Behind the rest of their key, but in order among themselves.
    const { inversions } = count(rows.filter((row) => mendable.includes(row.event_id)));
    const lost = missingFrom(ids, mendable);
    if (lost.length > 0)
      report.violations.push(`${lost.length} redriven events are not in ${table}: ${lost.slice(0, 5)}`);
    if (duplicates > 0) report.violations.push(`${duplicates} events stand twice in ${table} after the redrive`);
    if (inversions > 0) report.violations.push(`${inversions} redriven events went backwards in ${table}`);
  }
  report.counts.redriven = mendable.length;
}
