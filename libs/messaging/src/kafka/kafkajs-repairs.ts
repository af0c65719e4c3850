// What kafkajs 2.2.4, which is not maintained any more, does too slowly. Import this before kafkajs: its modules take
// these functions when they are loaded. See docs/adr/0012-kafkajs-repairs.md.
import { createRequire } from 'node:module';
import { groupByPartition } from './kafkajs-grouping';
import { encodeProduce, encodeRequest, isPlain, type ProduceCall, type ProduceRequest } from './kafkajs-produce';
import { decodeRecord, encodeRecord } from './kafkajs-records';

const MADE_FOR = '2.2.4';
const RECHECK_MS = 10;

/** Of kafkajs: the requests of one connection that wait because of throttling or too many in flight. */
interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
}

interface RequestQueueClass {
  readonly prototype: RequestQueue & { scheduleCheckPendingRequests(this: RequestQueue): void };
}

const load = createRequire(__filename);

function replaceFunctions(): void {
  const codec = 'kafkajs/src/protocol/recordBatch/record/v0';
  const produce = 'kafkajs/src/protocol/requests/produce/v3/request.js';
  const theirs = load(produce) as (call: ProduceCall) => ProduceRequest;
  for (const [path, made] of [
    [`${codec}/index.js`, encodeRecord],
    [`${codec}/decoder.js`, decodeRecord],
    ['kafkajs/src/producer/groupMessagesPerPartition.js', groupByPartition],
    ['kafkajs/src/protocol/request.js', encodeRequest],
    [produce, (call: ProduceCall) => inOnePass(call, theirs(call))],
  ] as const) {
    // Loaded once, so that the entry exists; what replaces it is what kafkajs' own modules get.
    load(path);
    const entry = load.cache[load.resolve(path)];
    if (entry) entry.exports = made;
  }
}

function inOnePass(call: ProduceCall, request: ProduceRequest): ProduceRequest {
  return isPlain(call) ? { ...request, encode: () => Promise.resolve(encodeProduce(call)) } : request;
}

/** kafkajs looks a thousand times a second, for each connection, whether an empty queue has something to send. */
function checkOnlyWhatWaits(): void {
  const { prototype } = load('kafkajs/src/network/requestQueue/index.js') as RequestQueueClass;
  prototype.scheduleCheckPendingRequests = function () {
    if (this.pending.length === 0 || this.throttleCheckTimeoutId) return;
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      Math.max(RECHECK_MS, this.throttledUntil - Date.now()),
    );
  };
}

function repairKafkajs(): void {
  const { version } = load('kafkajs/package.json') as { version: string };
  if (version !== MADE_FOR) throw new Error(`the repairs of kafkajs are for ${MADE_FOR}, not ${version}: see ADR 12`);
  replaceFunctions();
  checkOnlyWhatWaits();
}

repairKafkajs();
