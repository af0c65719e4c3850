// gRPC load that does not wait for answers: so many calls a second, each with a deadline, whatever becomes of them.
//
//   node open-load.mjs '{"port":1,"path":"/pkg.Service/Method","bodies":["<base64>"],"perSecond":5000,"timeoutMs":100,
//                        "connections":4,"mostOpen":20000,"warmUpMs":1000,"measureMs":4000}'
//
// Prints "warm", then {requests, good, late, refused, notSent, lost, perSecond, goodPerSecond, p50Micros, p99Micros}: good =
// answered within the deadline, late = answered after it or not at all, lost = connections that the server ended; the quantiles
// are of all that were answered. `mostOpen`: calls that may be unanswered; what is due beyond them is not sent and counted.
import { Connection, messageOf } from './http2-connection.mjs';

const TICK_MS = 1;
const options = JSON.parse(process.argv[2]);

class Tally {
  constructor() {
    this.stopped = false;
    this.open = 0;
    this.reset();
  }
  reset() {
    Object.assign(this, {
      requests: 0,
      good: 0,
      late: 0,
      refused: 0,
      notSent: 0,
      lost: 0,
      latencies: [],
      from: performance.now(),
    });
  }
  giveUp(count) {
    this.open -= count;
    this.late += count;
  }
  finish(answered, milliseconds) {
    this.open -= 1;
    if (!answered) {
      this.refused += 1;
      return;
    }
    this.latencies.push(milliseconds);
    if (milliseconds <= options.timeoutMs) this.good += 1;
    else this.late += 1;
  }
  summary() {
    const seconds = (performance.now() - this.from) / 1000;
    const sorted = Float64Array.from(this.latencies).sort();
    const quantile = (q) => Math.round((sorted[Math.floor(q * (sorted.length - 1))] ?? NaN) * 1000);
    const { requests, good, late, refused, notSent, lost } = this;
    return {
      requests,
      failed: 0,
      good,
      late,
      refused,
      notSent,
      lost,
      perSecond: Math.round(requests / seconds),
      goodPerSecond: Math.round(good / seconds),
      p50Micros: quantile(0.5),
      p99Micros: quantile(0.99),
    };
  }
}

/** Does not send the next one when one has ended. */
class Paced extends Connection {
  /** Takes back what is past its deadline, as clients of gRPC do. */
  giveUpLate() {
    const before = performance.now() - options.timeoutMs;
    let late = 0;
    while (this.waitingCalls[0] < before) {
      this.waitingCalls.shift();
      late += 1;
    }
    for (const [stream, from] of this.started) {
      // In the order in which they were sent.
      if (from >= before) break;
      this.cancel(stream);
      late += 1;
    }
    this.statistics.giveUp(late);
  }

  ended(ok, milliseconds) {
    this.statistics.finish(ok, milliseconds);
  }

  /** As clients do: what was open is lost, a new connection takes its place. */
  fail() {
    const place = connections.indexOf(this);
    if (place < 0) return;
    this.statistics.giveUp(this.started.size + this.waitingCalls.length);
    this.statistics.lost += 1;
    this.started.clear();
    this.waitingCalls.length = 0;
    this.socket.destroy();
    connections[place] = new Paced(options, messages, tally);
  }
}

const tally = new Tally();
const messages = options.bodies.map((body) => messageOf(Buffer.from(body, 'base64')));
const connections = Array.from({ length: options.connections }, () => new Paced(options, messages, tally));
let due = 0;
let last = performance.now();
let turn = 0;
setInterval(() => {
  const now = performance.now();
  due += ((now - last) / 1_000) * options.perSecond;
  last = now;
  for (; due >= 1; due -= 1) {
    tally.requests += 1;
    if (tally.open >= options.mostOpen) {
      tally.notSent += 1;
      continue;
    }
    tally.open += 1;
    turn = (turn + 1) % connections.length;
    connections[turn].send();
  }
  for (const connection of connections) {
    connection.giveUpLate();
    connection.flush();
  }
}, TICK_MS);
setTimeout(() => {
  tally.reset();
  process.stdout.write('warm\n');
  setTimeout(() => {
    tally.stopped = true;
    process.stdout.write(`${JSON.stringify(tally.summary())}\n`, () => process.exit(0));
  }, options.measureMs);
}, options.warmUpMs);
