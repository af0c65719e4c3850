import { setTimeout as sleep } from 'node:timers/promises';

const RESUME_S = 10;
const EMPTY_S = 60;

/** The broker dies and comes back on its data, while commands go on filling the outbox. */
export default async function killBroker(stage, report) {
  const rounds = stage.full ? 5 : 1;
  const consumer = await stage.launchReady({ commandsPerSecond: 20 });
  stage.publisher.begin(stage.load);
  let resume = 0;
  let empty = 0;
  for (let round = 0; round < rounds; round += 1) {
    await sleep(500 + stage.random() * 1_000);
    await stage.run.kafka.kill();
    await sleep(3_000 + stage.random() * 4_000);
    await stage.run.kafka.restart();
    const back = performance.now();
    resume = Math.max(resume, await stage.secondsToResume());
    await stage.until('the outbox is empty', async () => (await stage.outboxRows()) === 0, 2 * EMPTY_S * 1000, 20);
    empty = Math.max(empty, (performance.now() - back) / 1000);
  }
  await stage.publisher.pause();
  consumer.tell('no more commands');
  await stage.drained();
  Object.assign(report.counts, {
    kills: rounds,
    's to resume': resume.toFixed(1),
    's to empty outbox': empty.toFixed(1),
  });
  stage.mustRun(report, [consumer]);
  if (resume > RESUME_S) report.violations.push(`took ${resume.toFixed(1)} s to resume, at most ${RESUME_S}`);
  if (empty > EMPTY_S) report.violations.push(`the outbox was empty after ${empty.toFixed(1)} s, at most ${EMPTY_S}`);
  await stage.compare(report);
}
