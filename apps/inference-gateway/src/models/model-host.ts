// Runs in a process of its own: holds models and runs rows through them for the gateway, which may kill it at any moment.
// Messages: host-messages.ts, over Node's IPC channel with structured clones (typed arrays stay typed arrays).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { HostAnswer, HostRequest } from './host-messages';
import { OnnxModel } from './onnx-model';

const models = new Map<string, OnnxModel>();

/** A run that never ends never hears that the gateway is gone, so a thread beside it looks for the parent. */
const PARENT_WATCH = `
  const parent = process.ppid;
  setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, 1000);
`;

async function answer(request: HostRequest): Promise<HostAnswer> {
  const { call } = request;
  switch (request.op) {
    case 'load': {
      const bytes = readFileSync(request.path);
      const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      if (digest !== request.digest) throw new Error(`${request.path} now has the digest ${digest}`);
      const model = await OnnxModel.load(bytes, request.inputs);
      await model.warm();
      models.set(request.model, model);
      return { kind: 'loaded', call, outputs: model.outputs };
    }
    case 'run': {
      const model = models.get(request.model);
      if (!model) throw new Error(`model ${request.model} is not loaded`);
      // A clone may begin anywhere in its message: its own buffer begins where every type may.
      const bytes = new Uint8Array(request.rows.bytes);
      return { kind: 'ran', call, outputs: await model.run({ ...request.rows, bytes }) };
    }
    case 'release': {
      await models.get(request.model)?.release();
      models.delete(request.model);
      return { kind: 'released', call };
    }
  }
}

process.on('message', (request: HostRequest) => {
  answer(request).then(
    (reply) => process.send?.(reply),
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      process.send?.({ kind: 'fault', call: request.call, message: message.slice(0, 500) } satisfies HostAnswer);
    },
  );
});
process.on('disconnect', () => process.exit(0));
// The gateway decides when this ends; a Ctrl-C of the terminal reaches every process of its group.
process.on('SIGINT', () => undefined);
new Worker(PARENT_WATCH, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 8 } }).unref();
