import { setTimeout as sleep } from 'node:timers/promises';

const SESSION_MS = 2_000;

/** A process that stands still for longer than its session: the others go on, and it writes nothing when it wakes. */
export default async function stopConsumer(stage, report) {
  const stops = stage.full ? 8 : 2;
  const tuning = { sessionTimeoutMs: SESSION_MS, heartbeatMs: 300, idleInTransactionMs: SESSION_MS };
  const consumers = [stage.launch({ tuning }), stage.launch({ tuning })];
  await Promise.all(consumers.map((consumer) => stage.ready(consumer)));
  stage.publisher.begin(stage.load);
  let longest = 0;
  for (let stop = 0; stop < stops; stop += 1) {
    await sleep(300 + stage.random() * 700);
    const sleeper = consumers[stop % 2];
    sleeper.signal('SIGSTOP');
    await sleep(SESSION_MS * (1.5 + stage.random()));
    // It may own shards of the outbox: they, too, are taken over while it sleeps.
    await stage.until(
      'the outbox goes on without the sleeper',
      async () => (await stage.oldestOutboxRowS()) < 1,
      20_000,
    );
    sleeper.signal('SIGCONT');
    longest = Math.max(longest, await stage.secondsToCatchUp());
  }
  await stage.publisher.pause();
  await stage.drained();
  report.counts.stops = stops;
  report.counts['s to recover'] = longest.toFixed(1);
  stage.mustRun(report, consumers);
  await stage.compare(report);
}
