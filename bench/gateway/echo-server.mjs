// The least that a gRPC server can do: bytes in, the same bytes out. `node echo-server.mjs standard|fast` prints its port.
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
const server = process.argv[2] === 'fast' ? new fast.FastGrpcServer() : new grpc.Server();
server.addService({ echo }, { echo: (call, respond) => respond(null, call.request) });
const tell = (port) => process.stdout.write(`${port}\n`);
if (server instanceof grpc.Server) {
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    tell(port);
  });
} else {
  tell(await server.listen('127.0.0.1', 0));
}
process.stdin.on('end', () => process.exit(0)).resume();
