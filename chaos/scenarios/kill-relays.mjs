import { setTimeout as sleep } from 'node:timers/promises';

const BETWEEN_REBALANCES_MS = 2_500;

/**
 * Two processes, each a consumer and a relay. A relay dies after the broker acknowledged and before the rows are removed,
 * so another one publishes them again; a guest joins and leaves the groups, so that they rebalance every few seconds.
 */
export default async function killRelays(stage, report) {
  const deaths = stage.full ? 20 : 5;
  let seed = Math.floor(stage.random() * 1_000_000);
  const launch = () => {
    seed += 1;
    return stage.launch({ dieAfterAcknowledgement: { seed, probability: 0.03 } });
  };
  const services = [launch(), launch()];
  await Promise.all(
    services.map((service) => stage.until('it is ready or dead', () => service.status.ready || service.exit)),
  );
  stage.publisher.begin(stage.load);
  let died = 0;
  let rebalanceAt = performance.now();
  while (died < deaths) {
    stage.run.aborting.signal.throwIfAborted();
    for (const [index, service] of services.entries()) {
      if (service.running) continue;
      died += 1;
      services[index] = launch();
    }
    if (performance.now() - rebalanceAt > BETWEEN_REBALANCES_MS) {
      await stage.disturb(stage.random() < 0.5 ? stage.group : `${stage.group}-next`);
      rebalanceAt = performance.now();
    }
    await sleep(50);
  }
  await stage.publisher.pause();
  await Promise.all(services.map((service) => service.kill()));
  await stage.launchReady();
  await stage.drained();
  report.counts.deaths = died;
  const repeats = await stage.repeatsOnTheLog();
  report.counts['repeats on the log'] = repeats;
  if (repeats === 0) report.violations.push('no relay published again: the scenario tried nothing');
  await stage.compare(report);
}
