// Unary gRPC load over plain HTTP/2 frames on TCP sockets: a load generator that costs a fraction of what a grpc-js client
// does, so that one core of it can saturate one core of a server.
//
//   node http2-load.mjs '{"port":1,"path":"/pkg.Service/Method","body":"<base64 of the message>","inFlight":16,
//                         "connections":4,"warmUpMs":1000,"measureMs":4000}'
//
// Prints "warm" when measuring begins, then {requests, failed, perSecond, p50Micros, p99Micros, example: <base64 of one answer>}.
import { connect } from 'node:net';

const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 };
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;
const WINDOW = 2 ** 30;

function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const uint32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** HPACK: a string of at most 126 bytes, not Huffman-coded. */
const text = (value) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
/** Literal without indexing, with a name of the static table or a new one: no state is kept on either side. */
const literal = (name, value) =>
  typeof name === 'number'
    ? Buffer.concat([name < 15 ? Buffer.from([name]) : Buffer.from([15, name - 15]), text(value)])
    : Buffer.concat([Buffer.from([0]), text(name), text(value)]);

function requestBytes(path, body) {
  const headers = Buffer.concat([
    Buffer.from([0x83, 0x86]), // :method POST, :scheme http
    literal(4, path),
    literal(1, 'localhost'),
    literal('te', 'trailers'),
    literal(31, 'application/grpc'),
  ]);
  const message = Buffer.concat([Buffer.from([0]), uint32(body.length), body]);
  return Buffer.concat([frame(FRAME.headers, END_HEADERS, 0, headers), frame(FRAME.data, END_STREAM, 0, message)]);
}

class Connection {
  constructor(port, template, statistics) {
    this.template = template;
    this.dataFrameAt = 9 + template.readUIntBE(0, 3);
    this.statistics = statistics;
    this.nextStream = 1;
    this.started = new Map();
    this.answered = new Set();
    this.rest = Buffer.alloc(0);
    this.received = 0;
    this.pending = [];
    this.socket = connect(port, '127.0.0.1').setNoDelay(true);
    this.socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    this.socket.write(frame(FRAME.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(WINDOW)])));
    this.socket.write(frame(FRAME.windowUpdate, 0, 0, uint32(WINDOW)));
    this.socket.on('data', (chunk) => this.read(chunk));
    this.socket.on('error', (error) => this.fail(error.message));
    this.socket.on('close', () => this.statistics.stopped || this.fail('the server closed the connection'));
  }

  fail(message) {
    process.stderr.write(`${message}\n`);
    process.exit(1);
  }

  send() {
    const stream = this.nextStream;
    this.nextStream += 2;
    const bytes = Buffer.from(this.template);
    bytes.writeUInt32BE(stream, 5);
    bytes.writeUInt32BE(stream, this.dataFrameAt + 5);
    this.started.set(stream, performance.now());
    this.pending.push(bytes);
  }

  flush() {
    if (this.pending.length === 0) return;
    this.socket.write(this.pending.length === 1 ? this.pending[0] : Buffer.concat(this.pending));
    this.pending = [];
  }

  read(chunk) {
    let bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    let at = 0;
    while (bytes.length - at >= 9) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at < 9 + length) break;
      this.handle(bytes[at + 3], bytes[at + 4], bytes.readUInt32BE(at + 5), bytes, at + 9, length);
      at += 9 + length;
    }
    this.rest = bytes.subarray(at);
    this.flush();
  }

  handle(type, flags, stream, bytes, at, length) {
    if (type === FRAME.data) {
      this.received += length;
      if (length > 5) this.answered.add(stream);
      this.statistics.example ??= bytes.toString('base64', at + 5, at + length);
      if (this.received > WINDOW / 2) {
        this.pending.push(frame(FRAME.windowUpdate, 0, 0, uint32(this.received)));
        this.received = 0;
      }
    } else if (type === FRAME.settings && (flags & ACK) === 0) {
      this.pending.push(frame(FRAME.settings, ACK, 0));
    } else if (type === FRAME.ping && (flags & ACK) === 0) {
      this.pending.push(frame(FRAME.ping, ACK, 0, Buffer.from(bytes.subarray(at, at + length))));
    } else if (type === FRAME.goAway) {
      this.fail('the server says goodbye');
    }
    const ended = (type === FRAME.data || type === FRAME.headers) && (flags & END_STREAM) !== 0;
    if (!ended && type !== FRAME.reset) return;
    const from = this.started.get(stream);
    this.started.delete(stream);
    this.statistics.finish(this.answered.delete(stream), performance.now() - from);
    if (!this.statistics.stopped) this.send();
  }
}

class Statistics {
  constructor() {
    this.stopped = false;
    this.reset();
  }
  reset() {
    this.requests = 0;
    this.failed = 0;
    this.latencies = [];
    this.from = performance.now();
  }
  finish(ok, milliseconds) {
    this.requests += 1;
    if (!ok) this.failed += 1;
    this.latencies.push(milliseconds);
  }
  summary() {
    const seconds = (performance.now() - this.from) / 1000;
    const sorted = Float64Array.from(this.latencies).sort();
    const quantile = (q) => Math.round((sorted[Math.floor(q * (sorted.length - 1))] ?? NaN) * 1000);
    return {
      requests: this.requests,
      failed: this.failed,
      perSecond: Math.round(this.requests / seconds),
      p50Micros: quantile(0.5),
      p99Micros: quantile(0.99),
      example: this.example,
    };
  }
}

const options = JSON.parse(process.argv[2]);
const statistics = new Statistics();
const template = requestBytes(options.path, Buffer.from(options.body, 'base64'));
const connections = Array.from(
  { length: options.connections },
  () => new Connection(options.port, template, statistics),
);
for (let index = 0; index < options.inFlight; index += 1) connections[index % connections.length].send();
for (const connection of connections) connection.flush();
setTimeout(() => {
  statistics.reset();
  process.stdout.write('warm\n');
  setTimeout(() => {
    statistics.stopped = true;
    process.stdout.write(`${JSON.stringify(statistics.summary())}\n`, () => process.exit(0));
  }, options.measureMs);
}, options.warmUpMs);
