import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescService,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { MethodDefinition, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import type { DescFile, Message } from '@bufbuild/protobuf';

type Definition = ServiceDefinition<UntypedServiceImplementation>;

/** The generated description of a service as grpc-js wants it. */
export function toServiceDefinition(service: DescService): Definition {
  const definition: Record<string, MethodDefinition<Message, Message>> = {};
  for (const method of service.methods) definition[method.name] = toMethodDefinition(method);
  return definition;
}

/** One method of a service as grpc-js wants it. */
export function toMethodDefinition(method: DescMethod): MethodDefinition<Message, Message> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: serializer(method.input),
    requestDeserialize: deserializer(method.input),
    responseSerialize: serializer(method.output),
    responseDeserialize: deserializer(method.output),
    originalName: method.localName,
  };
}

/**
 * What the reflection service reads: the files that describe the services, behind any one of their messages.
 */
export function toPackageDefinition(services: readonly DescService[]): PackageDefinition {
  const files = new Map<string, Buffer>();
  for (const service of services) collectFiles(service.file, files);
  const fileDescriptorProtos = [...files.values()];
  const definition: PackageDefinition = {};
  for (const service of services) {
    for (const message of service.file.messages) {
      definition[message.typeName] = {
        format: 'Protocol Buffer 3 DescriptorProto',
        type: message.proto,
        fileDescriptorProtos,
      };
    }
  }
  return definition;
}

function collectFiles(file: DescFile, files: Map<string, Buffer>): void {
  if (files.has(file.name)) return;
  files.set(file.name, Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)));
  for (const dependency of file.dependencies) collectFiles(dependency, files);
}

function serializer(schema: DescMessage): (message: Message) => Buffer {
  return (message) => {
    // Handlers may answer with a plain initializer; create() fills in what it leaves out.
    const whole = '$typeName' in message ? message : create(schema, message);
    const data = toBinary(schema, whole);
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  };
}

function deserializer(schema: DescMessage): (data: Buffer) => Message {
  // Byte fields are views of what is decoded: of a Buffer they would be Buffers, whose slice() does not copy.
  return (data) => fromBinary(schema, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}
