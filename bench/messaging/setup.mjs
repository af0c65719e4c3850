// What the contenders share: the data of the benchmark, the table they keep, how they tell how far they are.
import contracts from '@headrace/contracts';
import { DataSource } from 'typeorm';

export const STREAM = 'bench';
export const TOPIC = `data.${STREAM}.v1`;
export const NEXT = 'bench-next';
export const NEXT_TOPIC = `data.${NEXT}.v1`;
export const KEYS = 1_000;
export const { DataArrived } = contracts.events;

export function openDataSource(plan) {
  return new DataSource({ type: 'postgres', url: plan.databaseUrl, poolSize: 20 }).initialize();
}

/** One row a key: the last number seen and how many events there were. And what Nest's contender has for an outbox. */
export const TABLES = `
  CREATE TABLE state (key text PRIMARY KEY, last bigint NOT NULL, events bigint NOT NULL);
  CREATE TABLE one_event (
    sequence bigserial PRIMARY KEY, topic text NOT NULL, key bytea, headers jsonb NOT NULL, value bytea
  )`;
const UPSERT = `INSERT INTO state (key, last, events)
  SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
  ON CONFLICT (key) DO UPDATE SET last = EXCLUDED.last, events = state.events + EXCLUDED.events`;

/** Parameters of UPSERT for events of {key, number}, each key once. */
export function folded(events) {
  const keys = new Map();
  for (const { key, number } of events) {
    const row = keys.get(key);
    if (row) {
      row.last = number;
      row.events += 1;
    } else keys.set(key, { last: number, events: 1 });
  }
  const rows = [...keys.values()];
  return [UPSERT, [[...keys.keys()], rows.map(({ last }) => last), rows.map(({ events: count }) => count)]];
}

/** Tells the parent 20 times a second how many events are committed, and what the process has used. */
export function tellProgress(handled) {
  const tell = () => {
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
    if (process.connected) process.send({ handled: handled(), cpuMicros: cpu(), rss, heapUsed, arrayBuffers });
  };
  setInterval(tell, 50);
  process.on('disconnect', () => process.exit(0));
  process.on('message', () => process.exit(0));
}

function cpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}
