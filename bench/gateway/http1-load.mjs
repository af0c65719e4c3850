// REST load: POST requests over kept connections, one at a time on each.
//
//   node http1-load.mjs '{"port":1,"path":"/v2/models/x/infer","bodies":["<base64 of a JSON text>"],"inFlight":16,
//                         "warmUpMs":1000,"measureMs":4000}'
import { connect } from 'node:net';
import { Statistics, tellWarmAndResult } from './statistics.mjs';

const options = JSON.parse(process.argv[2]);
const statistics = new Statistics();
const requests = options.bodies.map((text) => {
  const body = Buffer.from(text, 'base64');
  const head = `POST ${options.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
});

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function client(first) {
  const socket = connect(options.port, '127.0.0.1').setNoDelay(true);
  let turn = first;
  let from = 0;
  let bytes = Buffer.alloc(0);
  const send = () => {
    turn = (turn + 1) % requests.length;
    from = performance.now();
    socket.write(requests[turn]);
  };
  socket.on('connect', send);
  socket.on('error', (error) => fail(error.message));
  socket.on('close', () => statistics.stopped || fail('the server closed the connection'));
  socket.on('data', (chunk) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const head = bytes.indexOf('\r\n\r\n');
    if (head < 0) return;
    const text = bytes.latin1Slice(0, head);
    const length = /content-length: *(\d+)/i.exec(text)?.[1];
    if (length === undefined) fail(`an answer without a length:\n${text}`);
    const end = head + 4 + Number(length);
    if (bytes.length < end) return;
    statistics.example ??= bytes.toString('base64', head + 4, end);
    statistics.finish(text.startsWith('HTTP/1.1 200'), performance.now() - from);
    bytes = bytes.subarray(end);
    if (!statistics.stopped) send();
  });
}

for (let index = 0; index < options.inFlight; index += 1) client(index);
tellWarmAndResult(statistics, options);
