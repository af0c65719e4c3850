// The least that a server can do: bytes in, the same bytes out. `node echo-server.mjs standard|fast|http` prints its port.
import { createServer } from 'node:http';
import grpc from '@grpc/grpc-js';
import fast from '@headrace/grpc-fast';

const same = (bytes) => bytes;
const echo = {
  path: '/bench.Echo/Echo',
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};
const tell = (port) => process.stdout.write(`${port}\n`);

function answerHttp(request, response) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.byteLength });
    response.end(body);
  });
}

const kind = process.argv[2];
if (kind === 'http') {
  const server = createServer({ noDelay: true }, answerHttp);
  server.listen(0, '127.0.0.1', () => tell(server.address().port));
} else if (kind === 'fast') {
  const server = new fast.FastGrpcServer();
  server.addService({ echo }, { echo: (call, respond) => respond(null, call.request) });
  tell(await server.listen('127.0.0.1', 0));
} else {
  const server = new grpc.Server();
  server.addService({ echo }, { echo: (call, respond) => respond(null, call.request) });
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    tell(port);
  });
}
process.stdin.on('end', () => process.exit(0)).resume();
