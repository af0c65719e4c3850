// gRPC load: so many calls in flight, the next one is sent when one is answered.
//
//   node http2-load.mjs '{"port":1,"path":"/pkg.Service/Method","bodies":["<base64 of a message>", …],"inFlight":16,
//                         "connections":4,"warmUpMs":1000,"measureMs":4000,"stream":false}'
//
// The bodies are sent in turn. With `stream`, each connection has one call on which messages go and come. Prints what
// statistics.mjs says.
import { Connection, messageOf, Stream } from './http2-connection.mjs';
import { Statistics, tellWarmAndResult } from './statistics.mjs';

const options = JSON.parse(process.argv[2]);
const statistics = new Statistics();
const messages = options.bodies.map((body) => messageOf(Buffer.from(body, 'base64')));
const Kind = options.stream ? Stream : Connection;
const connections = Array.from({ length: options.connections }, () => new Kind(options, messages, statistics));
for (let index = 0; index < options.inFlight; index += 1) connections[index % connections.length].send();
for (const connection of connections) connection.flush();
tellWarmAndResult(statistics, options);
