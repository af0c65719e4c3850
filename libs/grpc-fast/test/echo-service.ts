// A service with one method of each kind; messages are bytes.
import {
  makeGenericClientConstructor,
  Metadata,
  status,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
} from '@grpc/grpc-js';

const same = (bytes: Buffer): Buffer => bytes;

function method(name: string, requestStream: boolean, responseStream: boolean): ServiceDefinition[string] {
  return {
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

export const definition: ServiceDefinition = {
  echo: method('Echo', false, false),
  fail: method('Fail', false, false),
  wait: method('Wait', false, false),
  facts: method('Facts', false, false),
  throws: method('Throws', false, false),
  length: method('Length', true, false),
  count: method('Count', false, true),
  forever: method('Forever', false, true),
  both: method('Both', true, true),
  refuseBoth: method('RefuseBoth', true, true),
  missing: method('Missing', false, false),
};

export const EchoClient = makeGenericClientConstructor(definition, 'test.Echo');

/** What the handlers saw; `release` answers the calls that wait. */
export class EchoService {
  waiting = 0;
  cancelled = 0;
  written = 0;
  private releases: (() => void)[] = [];

  release(): void {
    const { releases } = this;
    this.releases = [];
    for (const one of releases) one();
  }

  readonly implementation = {
    echo: (call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>): void => respond(null, call.request),
    fail: (_call: unknown, respond: sendUnaryData<Buffer>): void => {
      const metadata = new Metadata();
      metadata.set('reason', 'none');
      metadata.set('proof-bin', Buffer.from([0, 1, 255]));
      respond({ code: status.NOT_FOUND, details: '100 % böse\n', metadata });
    },
    wait: (call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>): void => {
      this.waiting += 1;
      call.on('cancelled', () => (this.cancelled += 1));
      this.releases.push(() => {
        this.waiting -= 1;
        respond(null, call.request);
      });
    },
    facts: (call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>): void => {
      const early = new Metadata();
      early.set('early', 'bird');
      call.sendMetadata(early);
      const late = new Metadata();
      late.set('late', 'worm');
      const left = Number(call.getDeadline()) - Date.now();
      const facts = {
        path: call.getPath(),
        peer: call.getPeer(),
        names: call.metadata.get('name'),
        binary: call.metadata.get('key-bin').map((value) => Buffer.from(value).toString('hex')),
        left: Number.isFinite(left) ? left : 'unbounded',
      };
      respond(null, Buffer.from(JSON.stringify(facts)), late);
    },
    throws: (): void => {
      throw new Error('a secret of the handler');
    },
    length: (call: ServerReadableStream<Buffer, Buffer>, respond: sendUnaryData<Buffer>): void => {
      let bytes = 0;
      call.on('data', (part: Buffer) => (bytes += part.length));
      call.on('end', () => respond(null, Buffer.from(String(bytes))));
    },
    count: (call: ServerWritableStream<Buffer, Buffer>): void => {
      const messages = Number(call.request.toString());
      for (let index = 0; index < messages; index += 1) call.write(Buffer.from(String(index)));
      call.end();
    },
    forever: (call: ServerWritableStream<Buffer, Buffer>): void => {
      const part = Buffer.alloc(65_536);
      call.on('cancelled', () => (this.cancelled += 1));
      const more = (): void => {
        while (!call.cancelled) {
          this.written += part.length;
          if (!call.write(part)) return;
        }
      };
      call.on('drain', more);
      more();
    },
    both: (call: ServerDuplexStream<Buffer, Buffer>): void => {
      call.on('data', (part: Buffer) => {
        if (call.write(part)) return;
        call.pause();
        call.once('drain', () => call.resume());
      });
      call.on('end', () => call.end());
    },
    refuseBoth: (call: ServerDuplexStream<Buffer, Buffer>): void => {
      call.emit('error', { code: status.PERMISSION_DENIED, details: 'not you' });
    },
  };
}
