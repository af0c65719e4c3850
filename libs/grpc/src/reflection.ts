// Server reflection: tools such as grpcurl call the services of a server without its proto files. Tells what lies in proto/
// and nothing of the data behind it, so anybody may ask.
import { status, type handleBidiStreamingCall, type ServiceDefinition } from '@grpc/grpc-js';
import { describedFiles, type DescribedFile } from '@headrace/contracts/descriptors';
import {
  ServerReflectionService,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from '@headrace/contracts/grpc/reflection/v1/reflection';
import { ServerReflectionService as AlphaService } from '@headrace/contracts/grpc/reflection/v1alpha/reflection';
import type { GrpcService } from './service';

type Answer = NonNullable<ServerReflectionResponse['messageResponse']>;

const byName = new Map(describedFiles.map((file) => [file.name, file]));
const bySymbol = new Map(describedFiles.flatMap((file) => file.symbols.map((symbol) => [symbol, file] as const)));

/** Version v1 and, for older tools, v1alpha: the same messages. */
export function reflectionServices(mounted: readonly ServiceDefinition[]): GrpcService[] {
  const names = [...mounted, ServerReflectionService, AlphaService].map(serviceName).sort();
  const serverReflectionInfo: handleBidiStreamingCall<ServerReflectionRequest, ServerReflectionResponse> = (call) => {
    call.on('data', (request) => {
      const response = { validHost: request.host, originalRequest: request, messageResponse: answer(request, names) };
      if (call.write(response)) return;
      call.pause();
      call.once('drain', () => call.resume());
    });
    call.on('end', () => call.end());
    // The caller has gone: there is nobody to tell.
    call.on('error', () => call.end());
  };
  return [ServerReflectionService, AlphaService].map((definition) => ({
    definition,
    implementation: {},
    access: {},
    raw: { serverReflectionInfo },
  }));
}

/** Full name of a service: `/inference.GRPCInferenceService/ModelInfer` begins with it. */
export function serviceName(definition: ServiceDefinition): string {
  return Object.values(definition)[0]?.path.split('/')[1] ?? '';
}

function answer({ messageRequest }: ServerReflectionRequest, services: readonly string[]): Answer {
  switch (messageRequest?.$case) {
    case 'listServices':
      return { $case: 'listServicesResponse', value: { service: services.map((name) => ({ name })) } };
    case 'fileByFilename':
      return descriptorsOf(byName.get(messageRequest.value), `file ${messageRequest.value}`);
    case 'fileContainingSymbol':
      return descriptorsOf(fileOf(messageRequest.value), `symbol ${messageRequest.value}`);
    case 'fileContainingExtension':
      return fault(status.NOT_FOUND, 'there are no extensions');
    case 'allExtensionNumbersOfType': {
      const baseTypeName = messageRequest.value;
      if (!bySymbol.has(baseTypeName))
        return fault(status.NOT_FOUND, `there is no symbol ${baseTypeName.slice(0, 200)}`);
      return { $case: 'allExtensionNumbersResponse', value: { baseTypeName, extensionNumber: [] } };
    }
    default:
      return fault(status.INVALID_ARGUMENT, 'an empty request');
  }
}

/** Also of fields and enum values: what lies in a known symbol. */
function fileOf(symbol: string): DescribedFile | undefined {
  const known = bySymbol.get(symbol);
  const dot = symbol.lastIndexOf('.');
  return known ?? (dot < 0 ? undefined : bySymbol.get(symbol.slice(0, dot)));
}

/** The file after what it imports, which a client without it would ask for one by one. */
function descriptorsOf(file: DescribedFile | undefined, what: string): Answer {
  if (!file) return fault(status.NOT_FOUND, `there is no ${what.slice(0, 200)}`);
  const found = new Set<DescribedFile>();
  const visit = (one: DescribedFile): void => {
    if (found.has(one)) return;
    for (const dependency of one.dependencies) {
      const imported = byName.get(dependency);
      if (imported) visit(imported);
    }
    found.add(one);
  };
  visit(file);
  const fileDescriptorProto = [...found].reverse().map(({ base64 }) => Buffer.from(base64, 'base64'));
  return { $case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
}

function fault(errorCode: status, errorMessage: string): Answer {
  return { $case: 'errorResponse', value: { errorCode, errorMessage } };
}
