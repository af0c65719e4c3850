import effectBeforeCause from './effect-before-cause.mjs';
import killBroker from './kill-broker.mjs';
import killConsumer from './kill-consumer.mjs';
import killPostgres from './kill-postgres.mjs';
import killRelays from './kill-relays.mjs';
import outboxDisk from './outbox-disk.mjs';
import poison from './poison.mjs';
import stopConsumer from './stop-consumer.mjs';
import topicRemade from './topic-remade.mjs';

/** Each gets (stage, report), plays, and leaves counts and violations in the report. */
export const scenarios = {
  'kill-consumer': killConsumer,
  'stop-consumer': stopConsumer,
  'kill-broker': killBroker,
  'kill-postgres': killPostgres,
  'kill-relays': killRelays,
  'topic-remade': topicRemade,
  'effect-before-cause': effectBeforeCause,
  poison,
  'outbox-disk': outboxDisk,
};
