import { setTimeout as sleep } from 'node:timers/promises';

const RESUME_S = 5;

/** The database dies and comes back: no process may end by it, and work goes on soon. */
export default async function killPostgres(stage, report) {
  const rounds = stage.full ? 5 : 1;
  const consumers = [stage.launch(), stage.launch()];
  await Promise.all(consumers.map((consumer) => stage.ready(consumer)));
  stage.publisher.begin(stage.load);
  let resume = 0;
  for (let round = 0; round < rounds; round += 1) {
    await sleep(500 + stage.random() * 1_000);
    await stage.run.postgres.kill();
    await stage.until(
      'the services say that they are not ready',
      () => consumers.every(({ status }) => !status.ready),
      20_000,
    );
    // Long enough for every back-off to reach its upper bound.
    await sleep(6_000 + stage.random() * 6_000);
    await stage.run.postgres.restart();
    resume = Math.max(resume, await stage.secondsToResume());
    await stage.secondsToCatchUp();
  }
  await stage.publisher.pause();
  await stage.drained();
  Object.assign(report.counts, { kills: rounds, 's to resume': resume.toFixed(1) });
  stage.mustRun(report, consumers);
  if (resume > RESUME_S) report.violations.push(`took ${resume.toFixed(1)} s to resume, at most ${RESUME_S}`);
  await stage.compare(report);
}
