import messaging from '@headrace/messaging';
import { setTimeout as sleep } from 'node:timers/promises';

/** Longer than a busy machine takes to park all that is early and to handle all causes. */
const EXPIRY_MS = { small: 4_000, full: 30_000 };

/** Events that refer to something whose event is still on its way on another topic; for some it never comes. */
export default async function effectBeforeCause(stage, report) {
  const pairs = stage.full ? 2_000 : 200;
  const inVain = stage.full ? 100 : 20;
  const expiryMs = stage.full ? EXPIRY_MS.full : EXPIRY_MS.small;
  const causeStream = `${stage.stream}-cause`;
  const causeTopic = `data.${causeStream}.v1`;
  await messaging.ensureTopics([stage.run.kafka.brokers], [causeTopic]);
  await stage.launchReady({ streams: [stage.stream, causeStream], notYetExpiryMs: expiryMs });
  const { publisher } = stage;
  publisher.begin(stage.load);
  const early = [];
  const lonely = [];
  for (let number = 1; number <= pairs + inVain; number += 1) {
    const record = publisher.record({ key: `e${number}`, upstreamId: `needs:${number}` });
    (number <= pairs ? early : lonely).push(record);
  }
  await publisher.pause();
  await publisher.write([...early, ...lonely]);
  publisher.begin(stage.load);
  await sleep(300 + stage.random() * 700);
  await publisher.pause();
  const causes = early.map((_, index) =>
    publisher.record({ topic: causeTopic, stream: causeStream, key: `c${index}`, upstreamId: `cause:${index + 1}` }),
  );
  // The last cause first: what waits is not applied in the order of waiting but when its cause is there.
  await publisher.write(causes);
  publisher.begin(stage.load);
  const deadLetters = await stage.until(
    'the expired ones are dead letters',
    async () => {
      const found = await stage.deadLetters();
      return found.length >= inVain && found;
    },
    expiryMs + 30_000,
    500,
  );
  await publisher.pause();
  await stage.drained();
  await stage.until('nothing is parked', async () => (await stage.query('SELECT 1 FROM parked_events')).length === 0);
  const without = new Set([...lonely, ...causes].map(({ id }) => id));
  await stage.compare(report, { expected: publisher.ids.filter((id) => !without.has(id)) });
  const wrong = await stage.query(
    `SELECT 1 FROM effects e LEFT JOIN causes c ON c.id = e.sequence::text
      WHERE e.key LIKE 'e%' AND (c.id IS NULL OR c.nth > e.nth)`,
  );
  report.counts.waited = early.length;
  report.counts.expired = deadLetters.length;
  if (wrong.length > 0) report.violations.push(`${wrong.length} effects came before their cause`);
  stage.expectDeadLetters(
    report,
    deadLetters,
    lonely.map((record) => ({ record, reason: 'expired' })),
  );
}
