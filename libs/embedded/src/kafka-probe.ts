import { connect } from 'node:net';

const METADATA_KEY = 3;
const METADATA_VERSION = 1;
const CORRELATION = 1;

/**
 * A Metadata v1 request for no topics. It is asked instead of ApiVersions because a broker that is still fenced
 * answers ApiVersions but lists no broker here, and refuses to create topics.
 */
export function encodeMetadataRequest(clientId = 'headrace-probe'): Buffer {
  const id = Buffer.from(clientId, 'utf8');
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + id.length + 4);
  let at = request.writeInt32BE(request.length - 4, 0);
  at = request.writeInt16BE(METADATA_KEY, at);
  at = request.writeInt16BE(METADATA_VERSION, at);
  at = request.writeInt32BE(CORRELATION, at);
  at = request.writeInt16BE(id.length, at);
  at += id.copy(request, at);
  request.writeInt32BE(0, at); // an empty list; null would ask for every topic
  return request;
}

/** The number of brokers in an answer to that request; undefined while it has not arrived whole. */
export function brokersInMetadataAnswer(answer: Buffer): number | undefined {
  if (answer.length < 12 || answer.length < answer.readInt32BE(0) + 4) return undefined;
  return answer.readInt32BE(8);
}

/** True when a Kafka at host:port answers a metadata request and is ready to be used (a broker has registered). */
export function answersMetadata(host: string, port: number, timeoutMs = 2_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let received = Buffer.alloc(0);
    const finish = (ready: boolean): void => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.once('error', () => finish(false));
    socket.once('close', () => finish(false));
    socket.once('connect', () => socket.write(encodeMetadataRequest()));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const brokers = brokersInMetadataAnswer(received);
      if (brokers !== undefined) finish(brokers > 0);
    });
  });
}
