// What the gateway and a model host tell each other.
import type { Outputs, OutputSpec, PackedRows, TensorSpec } from './tensors';

/** `call` pairs an answer with its request. */
export type HostRequest =
  | {
      readonly op: 'load';
      readonly call: number;
      readonly model: string;
      readonly path: string;
      /** Of the file's bytes: what is loaded is what was validated. */
      readonly digest: string;
      /** As validation found and promised them. */
      readonly inputs: readonly TensorSpec[];
    }
  | {
      readonly op: 'run';
      readonly call: number;
      readonly model: string;
      readonly rows: PackedRows;
    }
  | { readonly op: 'release'; readonly call: number; readonly model: string };

export type HostAnswer =
  | { readonly kind: 'loaded'; readonly call: number; readonly outputs: readonly OutputSpec[] }
  | { readonly kind: 'ran'; readonly call: number; readonly outputs: Outputs }
  | { readonly kind: 'released'; readonly call: number }
  | { readonly kind: 'fault'; readonly call: number; readonly message: string };
