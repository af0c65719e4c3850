// Who is let in, decided by a call's headers: what is refused here costs the server a fraction of a message that is read.
import { ServerInterceptingCall, type ServerInterceptor, type status } from '@grpc/grpc-js';

export interface Refusal {
  readonly code: status;
  readonly details: string;
}

export interface Admission {
  /** Asked once for each call. `peer` gives the address of its connection. Undefined: it is let in. */
  refusal(peer: () => string): Refusal | undefined;
  /** Calls are being refused: callers should send headers first, where the server can tell them. */
  readonly refusing?: boolean;
}

/** By the path of a method. */
export type Admissions = ReadonlyMap<string, Admission>;

/** For grpc-js. */
export function admitting(admissions: Admissions): ServerInterceptor {
  return ({ path }, call) => {
    const refusal = admissions.get(path)?.refusal(() => call.getPeer());
    if (refusal) return new ServerInterceptingCall(call, { start: () => call.sendStatus(refusal) });
    // What is let in is not wrapped: grpc-js takes anything that behaves as a call, and wrapping costs each of them.
    return call as ServerInterceptingCall;
  };
}
