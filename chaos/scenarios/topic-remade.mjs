import messaging from '@headrace/messaging';
import { setTimeout as sleep } from 'node:timers/promises';

const CLEAR_WORD = /made again|made anew|another topic|recreated/;
const REFUSES_WITHIN_MS = 15_000;

/** A position of a topic that is gone says nothing about its namesake: shorter than the position or longer. */
export default async function topicRemade(stage, report) {
  const first = await stage.launchReady();
  await stage.publisher.write(stage.publisher.records(400));
  await stage.drained();
  await first.stop();
  await stage.compare(report);
  for (const [name, events] of [
    ['shorter', 40],
    ['longer', 800],
  ]) {
    const before = await stage.effectsSoFar();
    await remake(stage);
    await stage.publisher.write(stage.publisher.records(events));
    const service = stage.launch();
    await Promise.race([service.exited, ready(service), sleep(REFUSES_WITHIN_MS, undefined, { ref: false })]);
    // Who says it is ready may still be about to refuse: nothing else is a refusal but an end with a reason.
    await Promise.race([service.exited, sleep(1_000, undefined, { ref: false })]);
    const refused = !service.running && service.exit.code !== 0 && CLEAR_WORD.test(service.text);
    report.counts[`${name} log`] = refused ? 'refused' : 'NOT REFUSED';
    if (!refused) {
      const how = service.running ? 'runs on' : `ended with ${JSON.stringify(service.exit)} without a clear word`;
      report.violations.push(`the topic was made again (${name} than the position), and the service ${how}`);
    }
    await service.kill();
    const after = await stage.effectsSoFar();
    if (after !== before) report.violations.push(`${name}: events were applied from the middle of the new topic`);
  }
}

function ready(service) {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (!service.status.ready && service.running) return;
      clearInterval(timer);
      resolve();
    }, 50);
  });
}

async function remake(stage) {
  const { admin, kafka } = stage.run;
  await admin.deleteTopics({ topics: [stage.topic] });
  await stage.until('the topic is gone', async () => !(await admin.listTopics()).includes(stage.topic));
  await messaging.ensureTopics([kafka.brokers], [stage.topic]);
  await stage.publisher.reconnect();
}
