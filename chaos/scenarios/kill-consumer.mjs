import { setTimeout as sleep } from 'node:timers/promises';

/** Two consumers share the partitions; one of them dies at a random moment, again and again. */
export default async function killConsumer(stage, report) {
  const kills = stage.full ? 20 : 6;
  const consumers = [stage.launch(), stage.launch()];
  await Promise.all(consumers.map((consumer) => stage.ready(consumer)));
  stage.publisher.begin(stage.load);
  let longest = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    await sleep(200 + stage.random() * 1_300);
    const victim = stage.random() < 0.5 ? 0 : 1;
    await consumers[victim].kill();
    consumers[victim] = stage.launch();
    // Every second time the next one dies while the group still finds itself again.
    if (kill % 2 === 1) longest = Math.max(longest, await stage.secondsToCatchUp());
  }
  await stage.publisher.pause();
  await stage.drained();
  report.counts.kills = kills;
  report.counts['s to recover'] = longest.toFixed(1);
  await stage.compare(report);
}
