// The client's side of HTTP/2 and gRPC, as little of it as load needs: it costs a fraction of what a grpc-js client does, so
// that one core of it can saturate one core of a server.
import { connect } from 'node:net';

const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 };
const SETTING = { maxConcurrentStreams: 3, initialWindowSize: 4 };
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;
const WINDOW = 2 ** 30;
/** What a server allows before it says more, and the most that a frame may hold. */
const INITIAL_WINDOW = 65_535;
const LARGEST_FRAME = 16_384;
const FRAME_HEAD = 9;
const FLAGS_AT = 4;
const CANCEL = 8;

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

function headersOf(path, timeoutMs) {
  return Buffer.concat([
    Buffer.from([0x83, 0x86]), // :method POST, :scheme http
    literal(4, path),
    literal(1, 'localhost'),
    literal('te', 'trailers'),
    literal(31, 'application/grpc'),
    ...(timeoutMs === undefined ? [] : [literal('grpc-timeout', `${timeoutMs}m`)]),
  ]);
}

export function messageOf(body) {
  return Buffer.concat([Buffer.from([0]), uint32(body.length), body]);
}

/** As many frames as a message needs, one buffer each; `lastFlags` are those of the last. */
function dataFrames(message, lastFlags) {
  const frames = [];
  for (let from = 0; from < message.length; from += LARGEST_FRAME) {
    const part = message.subarray(from, from + LARGEST_FRAME);
    frames.push(frame(FRAME.data, from + part.length === message.length ? lastFlags : 0, 0, part));
  }
  return frames;
}

/** Unary calls. `statistics.finish(ok, milliseconds)` is told of each; then the next is sent. */
export class Connection {
  constructor({ port, path, timeoutMs }, messages, statistics) {
    this.headers = frame(FRAME.headers, END_HEADERS, 0, headersOf(path, timeoutMs));
    this.frames = messages.map((message) => dataFrames(message, this.messageFlags));
    this.turn = 0;
    this.statistics = statistics;
    this.nextStream = 1;
    this.started = new Map();
    /** Calls that the server allows at once; those beyond it wait here, in order. */
    this.mostStreams = Infinity;
    this.waitingCalls = [];
    this.answered = new Set();
    this.rest = Buffer.alloc(0);
    this.received = 0;
    this.pending = [];
    /** Bytes of messages that the server allows, all calls together, and each at first. */
    this.connectionWindow = INITIAL_WINDOW;
    this.initialWindow = INITIAL_WINDOW;
    /** Calls with frames (or parts of one) that are not sent. */
    this.unsentCalls = [];
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
    const from = performance.now();
    if (this.started.size < this.mostStreams) this.open(from);
    else this.waitingCalls.push(from);
  }

  /** The headers at once, as every client of gRPC does: flow control is for messages. */
  open(from) {
    const stream = this.nextStream;
    this.nextStream += 2;
    this.started.set(stream, from);
    this.pending.push(ofStream(this.headers, stream));
    this.unsentCalls.push({ frames: this.nextFrames(), sent: 0, of: 0, window: this.initialWindow, stream });
    this.sendWithinWindow();
  }

  /** A call is over: the next may begin. */
  openWaiting() {
    while (this.waitingCalls.length > 0 && this.started.size < this.mostStreams) this.open(this.waitingCalls.shift());
  }

  /** As far as the windows of the connection and of each call allow. */
  sendWithinWindow() {
    let left = 0;
    for (const call of this.unsentCalls) {
      // Nobody waits any more for those that are over.
      if (this.started.has(call.stream) && !this.sendSome(call)) this.unsentCalls[left++] = call;
    }
    this.unsentCalls.length = left;
  }

  /** Returns whether all of it was sent. */
  sendSome(call) {
    while (call.sent < call.frames.length) {
      const body = call.frames[call.sent];
      const size = body.length - FRAME_HEAD - call.of;
      const count = Math.min(size, call.window, this.connectionWindow);
      if (count <= 0) return false;
      if (count === body.length - FRAME_HEAD) {
        this.pending.push(ofStream(body, call.stream));
      } else {
        const from = FRAME_HEAD + call.of;
        const flags = count === size ? body[FLAGS_AT] : 0;
        this.pending.push(frame(FRAME.data, flags, call.stream, body.subarray(from, from + count)));
      }
      call.window -= count;
      this.connectionWindow -= count;
      call.of = count === size ? 0 : call.of + count;
      if (count === size) call.sent += 1;
    }
    return true;
  }

  /** Of a stream that still has something to send, or of the connection (0). */
  enlarge(stream, bytes) {
    if (stream === 0) this.connectionWindow += bytes;
    else for (const call of this.unsentCalls) if (call.stream === stream) call.window += bytes;
    this.sendWithinWindow();
  }

  setInitialWindow(bytes) {
    for (const call of this.unsentCalls) call.window += bytes - this.initialWindow;
    this.initialWindow = bytes;
    this.sendWithinWindow();
  }

  /** Waits no longer for the answer. */
  cancel(stream) {
    this.started.delete(stream);
    this.pending.push(frame(FRAME.reset, 0, stream, uint32(CANCEL)));
    this.openWaiting();
  }

  /** Of the frame with a message: it is the last of its stream. */
  get messageFlags() {
    return END_STREAM;
  }

  nextFrames() {
    this.turn = (this.turn + 1) % this.frames.length;
    return this.frames[this.turn];
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
    } else if (type === FRAME.windowUpdate) {
      this.enlarge(stream, bytes.readUInt32BE(at));
    } else if (type === FRAME.settings && (flags & ACK) === 0) {
      for (let entry = at; entry < at + length; entry += 6) {
        const value = bytes.readUInt32BE(entry + 2);
        if (bytes.readUInt16BE(entry) === SETTING.maxConcurrentStreams) this.mostStreams = value;
        if (bytes.readUInt16BE(entry) === SETTING.initialWindowSize) this.setInitialWindow(value);
      }
      this.pending.push(frame(FRAME.settings, ACK, 0));
    } else if (type === FRAME.ping && (flags & ACK) === 0) {
      this.pending.push(frame(FRAME.ping, ACK, 0, Buffer.from(bytes.subarray(at, at + length))));
    } else if (type === FRAME.goAway) {
      const code = bytes.readUInt32BE(at + 4);
      this.fail(`the server says goodbye: HTTP/2 error ${code} ${bytes.toString('latin1', at + 8, at + length)}`);
    }
    const ended = (type === FRAME.data || type === FRAME.headers) && (flags & END_STREAM) !== 0;
    if (!ended && type !== FRAME.reset) return;
    const from = this.started.get(stream);
    // Nobody waits for it any more.
    if (from === undefined) {
      this.answered.delete(stream);
      return;
    }
    this.started.delete(stream);
    this.ended(this.answered.delete(stream), performance.now() - from);
    this.openWaiting();
  }

  ended(ok, milliseconds) {
    this.statistics.finish(ok, milliseconds);
    if (!this.statistics.stopped) this.send();
  }
}

/** One call; as many messages unanswered as there were sends. Answers come in the order of the messages, or count alike. */
export class Stream extends Connection {
  constructor(...args) {
    super(...args);
    this.pending.push(ofStream(this.headers, 1));
    this.sent = [];
    this.unsent = 0;
    this.streamWindow = INITIAL_WINDOW;
    this.unread = Buffer.alloc(0);
  }

  get messageFlags() {
    return 0;
  }

  send() {
    this.unsent += 1;
    this.push();
  }

  enlarge(stream, bytes) {
    if (stream === 0) this.connectionWindow += bytes;
    else this.streamWindow += bytes;
    this.push();
  }

  setInitialWindow(bytes) {
    this.streamWindow += bytes - this.initialWindow;
    this.initialWindow = bytes;
    this.push();
  }

  /** Within the windows that the server gives. */
  push() {
    while (this.unsent > 0) {
      const next = this.frames[(this.turn + 1) % this.frames.length];
      const size = next.reduce((sum, { length }) => sum + length - FRAME_HEAD, 0);
      if (size > this.connectionWindow || size > this.streamWindow) return;
      this.unsent -= 1;
      this.connectionWindow -= size;
      this.streamWindow -= size;
      for (const body of this.nextFrames()) this.pending.push(ofStream(body, 1));
      this.sent.push(performance.now());
    }
  }

  handle(type, flags, stream, bytes, at, length) {
    if ((type === FRAME.headers && (flags & END_STREAM) !== 0) || type === FRAME.reset) {
      if (!this.statistics.stopped) this.fail('the server ended the stream');
      return;
    }
    if (type === FRAME.data) this.readMessages(bytes.subarray(at, at + length));
    super.handle(type, flags, stream, bytes, at, length);
  }

  readMessages(chunk) {
    let bytes = this.unread.length === 0 ? chunk : Buffer.concat([this.unread, chunk]);
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
      const end = 5 + bytes.readUInt32BE(1);
      this.statistics.example ??= bytes.toString('base64', 5, end);
      bytes = bytes.subarray(end);
      this.statistics.finish(true, performance.now() - this.sent.shift());
      if (!this.statistics.stopped) this.send();
    }
    this.unread = Buffer.from(bytes);
  }
}

/** A copy of a frame as one of this stream. */
function ofStream(bytes, stream) {
  const own = Buffer.from(bytes);
  own.writeUInt32BE(stream, 5);
  return own;
}
